"""Tests of which of a user's routes may match requests of a workload."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.config.request_match import Match
from glidepath_ops.envoyconfig.route_overlap import Overlap, overlap

EXACT = Match(path="/v1/chat/completions")
PREFIX = Match(path_prefix="/v1/batch/")
ROOT = Match(path_prefix="/")
NONE, SOME, ALL = Overlap.NONE, Overlap.SOME, Overlap.ALL


def template(text: str) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"
    return {"path_match_policy": {"name": "t", "typed_config": {"@type": kind, "path_template": text}}}


@pytest.mark.parametrize(
    ("match", "exact", "prefix", "root"),
    [
        ({"prefix": "/"}, ALL, ALL, ALL),
        ({"prefix": "/v1/"}, ALL, ALL, SOME),
        ({"prefix": "/v1/batch"}, NONE, ALL, SOME),
        ({"prefix": "/v1/batch/"}, NONE, ALL, SOME),
        ({"prefix": "/v1/batch/a"}, NONE, SOME, SOME),
        ({"prefix": "/v1/batches"}, NONE, NONE, SOME),
        ({"prefix": "/V1/"}, NONE, NONE, SOME),
        ({"prefix": "/V1/", "case_sensitive": False}, ALL, ALL, SOME),
        ({"prefix": "/V1/", "case_sensitive": "false"}, ALL, ALL, SOME),
        ({"path": "/v1/chat/completions"}, ALL, NONE, SOME),
        ({"path": "/v1/batch"}, NONE, SOME, SOME),
        ({"path": "/v1/batch/a"}, NONE, SOME, SOME),
        ({"path": "/v1/batcha"}, NONE, NONE, SOME),
        ({"path_separated_prefix": "/v1"}, ALL, ALL, SOME),
        ({"path_separated_prefix": "/v1/chat"}, ALL, NONE, SOME),
        ({"path_separated_prefix": "/v1/cha"}, NONE, NONE, SOME),
        ({"path_separated_prefix": "/v1/batch"}, NONE, ALL, SOME),
        ({"path_separated_prefix": "/v1/batch/a"}, NONE, SOME, SOME),
        ({"safe_regex": {"regex": "/v[0-9]+/chat/.*"}}, ALL, SOME, SOME),
        ({"safe_regex": {"regex": "/v1/chat"}}, NONE, NONE, SOME),
        ({"safe_regex": {"regex": "(?i)/V1/[[:alpha:]]+/completions"}}, ALL, SOME, SOME),
        ({"safe_regex": {"regex": "/v2/x|/v1/.*"}}, ALL, SOME, SOME),
        ({"safe_regex": {"regex": r"\Q/v1/chat\E.*"}}, SOME, SOME, SOME),
        ({"safe_regex": {"regex": "/v1/batch/x?"}}, NONE, SOME, SOME),
        ({"safe_regex": {"regex": "/v2/.*"}}, NONE, NONE, SOME),
        (template("/v1/{kind}/completions"), SOME, SOME, SOME),
        (template("/v2/{rest=**}"), NONE, NONE, SOME),
        ({"connect_matcher": {}}, NONE, NONE, NONE),
        ({"prefix": "/", "query_parameters": [{"name": "a"}]}, SOME, SOME, SOME),
        ({"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 5}}}, SOME, SOME, SOME),
        ({"prefix": "/", "grpc": {}}, SOME, SOME, SOME),
        ({"path": "/x", "grpc": {}}, NONE, NONE, SOME),
    ],
)
def test_a_path_condition_is_compared_with_the_workloads(
    match: dict[str, Any], exact: Overlap, prefix: Overlap, root: Overlap
) -> None:
    assert [overlap(match, rule) for rule in (EXACT, PREFIX, ROOT)] == [exact, prefix, root]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"name": ":method", "string_match": {"exact": "POST"}}, ALL),
        ({"name": ":method", "string_match": {"exact": "GET"}}, NONE),
        ({"name": ":method", "string_match": {"exact": "post", "ignore_case": True}}, ALL),
        ({"name": ":method", "exact_match": "OPTIONS"}, NONE),
        ({"name": ":method", "string_match": {"exact": "OPTIONS"}, "invert_match": True}, ALL),
        ({"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}, NONE),
        ({"name": ":method", "string_match": {"prefix": "P"}}, ALL),
        ({"name": ":method", "string_match": {"suffix": "X"}}, NONE),
        ({"name": ":method", "string_match": {"contains": "OS"}}, ALL),
        ({"name": ":method", "present_match": True}, ALL),
        ({"name": ":method", "present_match": False}, NONE),
        ({"name": "X-Tenant", "string_match": {"exact": "a"}}, ALL),
        ({"name": "x-tenant", "string_match": {"exact": "b"}}, NONE),
        ({"name": "x-tenant", "range_match": {"start": 1, "end": 2}}, SOME),
        ({"name": "x-other", "string_match": {"exact": "b"}}, SOME),
        ({"name": "x-other", "present_match": True, "invert_match": True}, SOME),
    ],
)
def test_a_header_condition_is_decided_where_the_value_is_known(condition: dict[str, Any], expected: Overlap) -> None:
    rule = Match(path="/x", headers={"X-Tenant": "a"})
    assert overlap({"prefix": "/", "headers": [condition]}, rule) is expected
