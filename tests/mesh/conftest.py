"""The control planes, which are built once and then taken from the cache."""

from __future__ import annotations

import pytest

from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.build_control_planes import control_planes as built


@pytest.fixture(scope="session")
def control_planes() -> ControlPlanes:
    return built()
