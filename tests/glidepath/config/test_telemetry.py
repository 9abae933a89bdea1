"""The otel section and its errors."""

from __future__ import annotations

import pytest

from glidepath.config.telemetry import OtelSection


def test_credentials_of_a_collector_belong_in_the_standard_variable() -> None:
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_HEADERS"):
        OtelSection(endpoint="http://user:secret@collector:4318")


def test_a_collector_is_named_by_its_url() -> None:
    assert OtelSection(endpoint="http://collector:4318").endpoint == "http://collector:4318"
    with pytest.raises(ValueError, match="http"):
        OtelSection(endpoint="collector:4318")
