"""Reading the custom tags that Glidepath's own Envoy configuration reports."""

from __future__ import annotations

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType

from extproc.access_log_tag_values import stripped_request
from glidepath import envoy_names
from tests.support.access_log_entries import (
    WORKLOADS,
    entry,
)


@pytest.mark.parametrize("tag", [envoy_names.WORKLOAD_TAG, envoy_names.PINNED_TAG])
def test_the_backend_that_got_no_foreign_reasoning_is_counted(tag: str) -> None:
    made = entry("cloud")
    tags = made.common_properties.custom_tags
    del tags[envoy_names.WORKLOAD_TAG]
    tags[tag] = "chat"
    assert stripped_request(made, WORKLOADS) is None
    for backend, expected in (("-", None), ("", None), ("spare", None), ("cloud", ("chat", "cloud"))):
        tags[envoy_names.STRIPPED_TAG] = backend
        assert stripped_request(made, WORKLOADS) == expected
    made.common_properties.access_log_type = AccessLogType.DownstreamPeriodic
    assert stripped_request(made, WORKLOADS) is None
