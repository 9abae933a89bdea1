"""What the tests in each version of Envoy need: its binary, and the configuration for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.envoy_versions import binary_of, installed_version


@pytest.fixture
def binary(request: pytest.FixtureRequest) -> Path:
    """Return the Envoy binary of the version that is the test's parameter."""
    version: str = request.param
    if version != installed_version() and not request.config.getoption("--envoy-versions"):
        pytest.skip("only make test-envoy-versions runs versions other than the installed one")
    found, reason = binary_of(version)
    if found is None:
        pytest.skip(reason)
    return found


@pytest.fixture
def envoy(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the section ``envoy`` of a configuration for the Envoy of the test: 1.36 needs its own form."""
    version: str = request.node.callspec.params["binary"]
    return {"version": "1.36"} if version.startswith("1.36.") else {}
