"""The counter of dropped notifications."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter


@pytest.fixture
def dropped() -> Counter:
    return Counter("dropped", "Not delivered", ["kind"], registry=CollectorRegistry())
