"""A steered workload for the tests of its ticks and of its state."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from tests.support.steered_workload import SteeredWorkload


@pytest.fixture
def chat(valid_yaml: str) -> SteeredWorkload:
    return SteeredWorkload(parse_config(valid_yaml))
