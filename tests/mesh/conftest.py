"""The control planes, which are built once and then taken from the cache."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.build_control_planes import control_planes as built
from tests.mesh.many_streams import STREAMS


@pytest.fixture(scope="session")
def control_planes() -> ControlPlanes:
    return built()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Raise the limit of this process's open files: it holds the sockets of all clients and of the backend."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * STREAMS:
        pytest.skip(f"this user may open only {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * STREAMS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
