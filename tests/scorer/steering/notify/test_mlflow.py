"""The tag and the alias of the candidate's model in MLflow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Counter

from glidepath.config import parse_config
from scorer.steering.notify.mlflow import API, first_version, mlflow_queue, tags_of_version, version_of_alias
from tests.support.notification_inbox import ROLLBACK, delivering, inbox
from tests.support.waiting import eventually


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda c: (
            st.lists(c, max_size=2)
            | st.dictionaries(
                st.sampled_from(["model_versions", "model_version", "version", "tags", "key", "value"]), c
            )
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_answer_of_the_registry_gives_a_version_or_none(body: bytes) -> None:
    for found in (first_version(body), version_of_alias(body)):
        assert found is None or isinstance(found, str)
    assert isinstance(tags_of_version(body), dict)


def test_an_answer_that_is_nested_too_deep_gives_no_version() -> None:
    assert first_version(b"[" * 100_000) is version_of_alias(b"[" * 100_000) is None
    assert tags_of_version(b"[" * 100_000) == {}


async def test_mlflow_gets_production_or_failed_canary(valid_yaml: str, dropped: Counter) -> None:
    async with inbox() as box:
        text = valid_yaml + f'registry: {{mlflow: "{box.url}", models: {{onprem: llama}}}}\n'
        config = parse_config(text)
        assert config.registry is not None
        queue = mlflow_queue(config, config.registry, dropped)
        async with delivering(queue):
            queue.announce(replace(ROLLBACK, event="promote"))
            queue.announce(replace(ROLLBACK, event="complete"))
            queue.announce(replace(ROLLBACK, trigger="command:rollback"))
            await eventually(lambda: len(box.got) == 12)
    search, own_tag, tag, alias = box.got[:4]
    assert search[1].startswith("/api/2.0/mlflow/model-versions/search?filter=name")
    assert own_tag[2] == {"name": "llama", "version": "7", "key": "glidepath.status.chat", "value": "production"}
    assert tag[1:] == (
        "/api/2.0/mlflow/model-versions/set-tag",
        {"name": "llama", "version": "7", "key": "glidepath.status", "value": "production"},
    )
    assert alias[1:] == (
        "/api/2.0/mlflow/registered-models/alias",
        {"name": "llama", "alias": "production", "version": "7"},
    )
    assert [body["value"] for _, _, body in box.got[7:9]] == ["failed-canary", "failed-canary"]


@pytest.mark.parametrize(("aliased", "removed"), [("7", True), ("6", False), ("", False)])
async def test_a_version_that_failed_loses_the_alias_production_and_no_other_version_does(
    valid_yaml: str, dropped: Counter, aliased: str, removed: bool
) -> None:
    async with inbox() as box:
        box.aliased = aliased
        config = parse_config(valid_yaml + f'registry: {{mlflow: "{box.url}", models: {{onprem: llama}}}}\n')
        assert config.registry is not None
        queue = mlflow_queue(config, config.registry, dropped)
        async with delivering(queue):
            queue.announce(ROLLBACK)
    asked, deleted = f"{API}/registered-models/alias?name=llama&alias=production", f"{API}/registered-models/alias"
    assert ("GET", asked, None) in box.got
    assert (("DELETE", deleted, {"name": "llama", "alias": "production"}) in box.got) is removed
    assert dropped.labels("mlflow")._value.get() == 0


@pytest.mark.parametrize("entry", ["llama", "llama/7"])
async def test_workloads_that_share_a_candidate_have_a_tag_each_and_the_alias_of_any_of_them_stays(
    valid_yaml: str, dropped: Counter, entry: str
) -> None:
    async with inbox() as box:
        second = "  batch: {match: {path: /batch}, baseline: cloud, candidate: onprem}\n"
        registry = f'registry: {{mlflow: "{box.url}", models: {{onprem: {entry}}}}}\n'
        config = parse_config(valid_yaml.rstrip("\n") + f"\n{second}{registry}")
        assert config.registry is not None
        queue = mlflow_queue(config, config.registry, dropped)
        deleted = []
        for workload, event in (("batch", "complete"), ("chat", "rollback"), ("batch", "abort")):
            box.got.clear()
            async with delivering(queue):
                queue.announce(replace(ROLLBACK, workload=workload, event=event))
            deleted.append([body["alias"] for method, _, body in box.got if method == "DELETE"])
    assert deleted == [["failed-canary"], [], ["production"]]
    assert box.tags == dict.fromkeys(
        ["glidepath.status.batch", "glidepath.status", "glidepath.status.chat"], "failed-canary"
    )
