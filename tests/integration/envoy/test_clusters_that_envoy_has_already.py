"""Tests of backends that are clusters of the user's own, in a real Envoy, and of attempts that skip the candidate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from glidepath import envoy_names
from glidepath.sides import Side
from tests.support.envoy_with_backends import BODY, PATH, EnvoySetup, envoy_with_backends
from tests.support.outcome_log import OutcomeLog
from tests.support.recording_backend import Received
from tests.support.waiting import eventually

AT_ONCE: dict[str, Any] = {"start": 100}
CLIENT = {"authorization": "Bearer client-key", "x-api-key": "client-x", "x-org": "client-org", "x-user-id": "ann"}
QUERY = f"{PATH}?api_key=s3cret&version=2"
EJECTS = {
    "outlier_detection": {"consecutive_5xx": 1, "base_ejection_time": "60s", "max_ejection_percent": 100},
    "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
}


def as_received(got: Received) -> tuple[str, str, dict[str, str], bytes]:
    """Return a request without its id, which differs for every request."""
    headers = {name: value for name, value in got.headers.items() if name != "x-request-id"}
    return got.method, got.path, headers, got.body


def trusting_clients(bootstrap: dict[str, Any]) -> None:
    """Remove the early header mutation, which a user's own listener does not have."""
    chain = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]
    del chain["filters"][0]["typed_config"]["early_header_mutation_extensions"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("behaviour", ["status", "reset", "hang", "refused"])
async def test_a_rescue_gives_a_users_cluster_exactly_what_it_gets_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, chunked: bool
) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "onprem-key")
    onprem = {
        "credential": {"env": "GLIDEPATH_TEST_KEY"},
        "headers": {"x-org": "onprem-org"},
        "strip": "/v1",
        "url_path": "/base",
        "first_byte_timeout": "300ms",
    }
    async with envoy_with_backends(tmp_path, onprem=onprem, theirs={"cloud": {}}) as setup:
        await send(setup, chunked)
        live = as_received(setup.cloud.last)
        assert live[1] == QUERY
        assert json.loads(live[3]) == BODY
        assert {name: live[2][name] for name in CLIENT} == CLIENT
        assert live[2]["host"] == setup.envoy.live.removeprefix("http://")
        setup.set_share(100)
        if behaviour == "refused":
            await setup.onprem.__aexit__()
        else:
            setup.onprem.behaviour = behaviour  # type: ignore[assignment]
        await send(setup, chunked)
        assert len(setup.cloud.received) == 2
        assert as_received(setup.cloud.last) == live
        if behaviour != "refused":
            tried = setup.onprem.last
            assert (tried.model, tried.path) == ("onprem-model", "/base/chat/completions?version=2")
            assert (tried.headers["authorization"], tried.headers["x-org"]) == ("Bearer onprem-key", "onprem-org")
            assert "x-api-key" not in tried.headers


async def send(setup: EnvoySetup, chunked: bool) -> None:
    async def pieces() -> Any:
        text = json.dumps(BODY).encode()
        yield text[:20]
        yield text[20:]

    headers = {"content-type": "application/json", **CLIENT}
    data = pieces() if chunked else json.dumps(BODY).encode()
    async with setup.session.post(setup.envoy.live + QUERY, data=data, headers=headers) as answer:
        assert answer.status == 200


async def test_copies_for_a_users_cluster_have_the_configured_model_and_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "cloud-key")
    cloud = {"credential": {"env": "GLIDEPATH_TEST_KEY"}}
    async with envoy_with_backends(tmp_path, cloud=cloud, theirs={"cloud": {}}) as setup:
        assert (await setup.tee("cloud")).status == 200
        got = setup.cloud.last
        assert (got.model, got.headers["host"]) == ("cloud-model", "cloud.example.com")
        assert got.headers["authorization"] == "Bearer cloud-key"
        log = setup.collector.entries.setdefault(envoy_names.SHADOW_LOG, [])
        await eventually(lambda: len(log) == 1)
        assert log[0].common_properties.route_name == "glidepath/chat/shadow/cloud"


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_candidate_that_is_a_users_cluster_is_adapted_and_rescued(tmp_path: Path, fallback: bool) -> None:
    chat = {**AT_ONCE, "fallback": fallback}
    async with envoy_with_backends(tmp_path, chat=chat, theirs={"onprem": {}}) as setup:
        assert (await setup.post(headers=CLIENT)).status == 200
        got = setup.onprem.last
        assert (got.model, got.headers["host"]) == ("onprem-model", "onprem.example.com")
        assert {"authorization", "x-api-key"}.isdisjoint(got.headers)
        assert setup.cloud.received == []
        setup.onprem.behaviour = "status"
        reply = await setup.post(headers=CLIENT)
        assert reply.status == (200 if fallback else 503)
        assert_of_baseline(setup, 1 if fallback else 0)


async def test_two_clusters_of_the_users_split_without_fallback(tmp_path: Path) -> None:
    both: Mapping[str, Mapping[str, Any]] = {"cloud": {}, "onprem": {}}
    async with envoy_with_backends(tmp_path, chat={"fallback": False}, theirs=both) as setup:
        await setup.post(headers=CLIENT)
        assert json.loads(setup.cloud.last.body) == BODY
        setup.set_share(100)
        await setup.post(headers=CLIENT)
        assert setup.onprem.last.model == "onprem-model"


def assert_of_baseline(setup: EnvoySetup, requests: int) -> None:
    """Check that each request to the baseline has the baseline's model and host, and the client's credentials."""
    assert len(setup.cloud.received) == requests
    for got in setup.cloud.received:
        assert (got.model, got.headers["host"]) == ("cloud-model", setup.cloud.url.removeprefix("http://"))
        assert {name: got.headers[name] for name in CLIENT} == CLIENT


async def test_if_the_candidates_name_is_not_found_the_first_attempt_is_adapted_to_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "onprem-key")
    onprem = {"url": "http://nowhere.invalid:9", "credential": {"env": "GLIDEPATH_TEST_KEY"}, "strip": "/v1"}
    async with envoy_with_backends(tmp_path, onprem=onprem, chat=AT_ONCE) as setup:
        outcomes = OutcomeLog(setup)
        outcome = await outcomes.by(setup.post(headers=CLIENT))
        assert (outcome.side, outcome.error, outcome.rescued) == (Side.CANDIDATE, "failover", True)
        assert outcomes.attempts == [1]
        assert_of_baseline(setup, 1)
        assert setup.cloud.last.path == PATH


@pytest.mark.parametrize("theirs", ["onprem", "cloud"])
async def test_while_the_candidate_is_ejected_the_first_attempt_is_adapted_to_the_baseline(
    tmp_path: Path, theirs: str
) -> None:
    """The candidate's endpoint is ejected after its first error, by the user's cluster or by ours."""

    def eject(bootstrap: dict[str, Any]) -> None:
        for cluster in bootstrap["static_resources"]["clusters"]:
            if cluster["name"] in ("onprem", "their-onprem") and "load_assignment" in cluster:
                cluster.update(EJECTS)

    async with envoy_with_backends(tmp_path, chat=AT_ONCE, theirs={theirs: {}}, edit=eject) as setup:
        setup.onprem.behaviour = "status"
        outcomes = OutcomeLog(setup)
        for attempts in (2, 1, 1):
            outcome = await outcomes.by(setup.post(headers=CLIENT))
            assert (outcome.side, outcome.error, outcome.rescued) == (Side.CANDIDATE, "failover", True)
            assert outcomes.attempts[-1] == attempts
        assert len(setup.onprem.received) == 1
        if theirs == "onprem":
            assert_of_baseline(setup, 3)
        else:
            assert [json.loads(got.body) for got in setup.cloud.received] == [BODY] * 3
            assert {got.headers["authorization"] for got in setup.cloud.received} == {"Bearer client-key"}


@pytest.mark.parametrize("theirs", ["onprem", "cloud", "neither"])
@pytest.mark.parametrize("forged", ["cloud", "onprem", "nobody"])
async def test_a_client_that_names_a_backend_itself_changes_nothing(tmp_path: Path, theirs: str, forged: str) -> None:
    unmarked: Mapping[str, Mapping[str, Any]] = {} if theirs == "neither" else {theirs: {}}
    headers = {**CLIENT, "x-glidepath-backend": forged}
    async with envoy_with_backends(tmp_path, chat=AT_ONCE, theirs=unmarked, edit=trusting_clients) as setup:
        await setup.post(headers=headers)
        assert setup.onprem.last.model == "onprem-model"
        assert {"authorization", "x-glidepath-backend"}.isdisjoint(setup.onprem.last.headers)
        setup.onprem.behaviour = "status"
        await setup.post(headers=headers)
        assert setup.cloud.last.model == ("client-model" if theirs == "cloud" else "cloud-model")
        assert setup.cloud.last.headers["authorization"] == "Bearer client-key"
