"""Tests of a fallback between two of the user's clusters. A real Envoy reaches the candidate by an internal hop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from glidepath.sides import Side
from tests.support.envoy_with_backends import BODY, PATH, EnvoySetup, envoy_with_backends
from tests.support.outcome_log import OutcomeLog
from tests.support.waiting import eventually

BOTH: Mapping[str, Mapping[str, Any]] = {"cloud": {}, "onprem": {}}
AT_ONCE: dict[str, Any] = {"start": 100}
CLIENT = {
    "authorization": "Bearer client-key",
    "x-org": "client-org",
    "x-user-id": "ann",
    "x-request-id": "the-request",
}
MANY = {f"x-more-{number}": "y" * 400 for number in range(60)}
TEXT = json.dumps(BODY).encode()
QUERY = f"{PATH}?api_key=s3cret&version=2"


async def send(setup: EnvoySetup, body: Any = TEXT) -> int:
    headers = {"content-type": "application/json", **CLIENT}
    async with setup.session.post(setup.envoy.live + QUERY, data=body, headers=headers) as answer:
        await answer.read()
        return answer.status


@pytest.mark.parametrize("behaviour", ["status", "reset", "hang", "refused"])
async def test_each_side_gets_its_own_request_in_each_way_of_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "onprem-key")
    onprem = {
        "credential": {"env": "GLIDEPATH_TEST_KEY"},
        "headers": {"x-org": "onprem-org"},
        "strip": "/v1",
        "first_byte_timeout": "300ms",
    }
    async with envoy_with_backends(tmp_path, onprem=onprem, chat=AT_ONCE, theirs=BOTH) as setup:
        outcomes = OutcomeLog(setup)
        served = await outcomes.by(send(setup))
        assert (served.side, served.error, served.rescued) == (Side.CANDIDATE, "", None)
        got = setup.onprem.last
        assert (got.model, got.path) == ("onprem-model", "/chat/completions?version=2")
        assert (got.headers["authorization"], got.headers["x-org"]) == ("Bearer onprem-key", "onprem-org")
        assert got.headers["host"] == "onprem.example.com"
        if behaviour == "refused":
            await setup.onprem.__aexit__()
        else:
            setup.onprem.behaviour = behaviour  # type: ignore[assignment]
        failed = await outcomes.by(send(setup))
        assert (failed.side, failed.error, failed.rescued) == (Side.CANDIDATE, "failover", True)
        rescued = setup.cloud.last
        setup.set_share(0)
        assert await send(setup) == 200
        live = setup.cloud.last
        assert json.loads(live.body) == BODY
        assert (rescued.method, rescued.path, rescued.body) == (live.method, live.path, live.body)
        assert without_id(rescued.headers) == without_id(live.headers)


def without_id(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "x-request-id"}


async def answered(setup: EnvoySetup, body: Any) -> tuple[int, dict[str, str], bytes]:
    headers = {"content-type": "application/json", **CLIENT, **MANY}
    async with setup.session.post(setup.envoy.live + QUERY, data=body, headers=headers) as answer:
        got = {name.lower(): value for name, value in answer.headers.items() if name.lower() != "date"}
        return answer.status, got, await answer.read()


@pytest.mark.parametrize("behaviour", ["json", "sse", "status"])
async def test_the_hop_changes_nothing_in_a_request_or_an_answer(tmp_path: Path, behaviour: str) -> None:
    """Only a fallback needs the hop. Compare requests and answers with a fallback and without it."""
    seen = []
    for fallback in (False, True):
        folder = tmp_path / str(fallback)
        folder.mkdir()
        async with envoy_with_backends(folder, chat={**AT_ONCE, "fallback": fallback}, theirs=BOTH) as setup:
            setup.onprem.behaviour = behaviour  # type: ignore[assignment]
            setup.onprem.status = 498  # not retried
            answer = await answered(setup, json.dumps(BODY).encode())
            got = setup.onprem.last
            seen.append((answer, got.method, got.path, without_id(got.headers), got.body))
            assert setup.cloud.received == []
    assert seen[0] == seen[1]
    assert len(seen[0][3]) > len(MANY)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_3_mb_reaches_the_candidate_and_after_its_failure_the_baseline(
    tmp_path: Path, chunked: bool
) -> None:
    text = json.dumps({**BODY, "padding": "x" * 3_000_000}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(text), 100_000):
            yield text[start : start + 100_000]

    async with envoy_with_backends(tmp_path, chat=AT_ONCE, theirs=BOTH) as setup:
        assert await send(setup, pieces() if chunked else text) == 200
        assert json.loads(setup.onprem.last.body) == {**json.loads(text), "model": "onprem-model"}
        setup.onprem.behaviour = "status"
        assert await send(setup, pieces() if chunked else text) == 200
        assert setup.cloud.last.body == text


async def test_streams_whole_and_broken_count_as_for_a_candidate_with_a_url(tmp_path: Path) -> None:
    found = []
    for theirs in ({"cloud": {}}, BOTH):
        folder = tmp_path / str(len(theirs))
        folder.mkdir()
        async with envoy_with_backends(folder, chat=AT_ONCE, theirs=theirs) as setup:
            outcomes = OutcomeLog(setup)
            for behaviour in ("sse", "slow_stream", "die_in_stream"):
                setup.onprem.behaviour = behaviour  # type: ignore[assignment]
                outcome = await outcomes.by(send(setup))
                found.append((outcome.side, outcome.error, outcome.rescued, outcomes.attempts[-1]))
            assert setup.cloud.received == []
    assert found[:3] == found[3:]
    assert [bool(error) for _, error, _, _ in found[:3]] == [False, False, True]


UNUSABLE: dict[str, Mapping[str, Any]] = {
    "no endpoints": {"load_assignment": {"cluster_name": "their-onprem"}},
    "limit of the user's circuit breaker": {"circuit_breakers": {"thresholds": [{"max_requests": 0}]}},
}


@pytest.mark.parametrize("name", UNUSABLE)
async def test_a_candidate_whose_own_cluster_takes_no_request_is_a_failover(tmp_path: Path, name: str) -> None:
    theirs = {"cloud": {}, "onprem": UNUSABLE[name]}
    async with envoy_with_backends(tmp_path, chat=AT_ONCE, theirs=theirs) as setup:
        outcomes = OutcomeLog(setup)
        outcome = await outcomes.by(send(setup))
        assert (outcome.side, outcome.error, outcome.rescued) == (Side.CANDIDATE, "failover", True)
        assert setup.onprem.received == []
        assert setup.cloud.last.headers["authorization"] == CLIENT["authorization"]


async def test_a_candidate_whose_cluster_is_not_there_yet_is_a_failover(tmp_path: Path) -> None:
    """A control plane may send the user's cluster after the listener that leads to it."""

    def without_it(bootstrap: dict[str, Any]) -> None:
        static = bootstrap["static_resources"]
        static["clusters"] = [one for one in static["clusters"] if one["name"] != "their-onprem"]

    async with envoy_with_backends(tmp_path, chat=AT_ONCE, theirs=BOTH, edit=without_it) as setup:
        outcomes = OutcomeLog(setup)
        outcome = await outcomes.by(send(setup))
        assert (outcome.side, outcome.error, outcome.rescued) == (Side.CANDIDATE, "failover", True)


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_refused_credential_and_a_busy_candidate_are_rescued(tmp_path: Path, status: int) -> None:
    async with envoy_with_backends(tmp_path, chat=AT_ONCE, theirs=BOTH) as setup:
        outcomes = OutcomeLog(setup)
        setup.onprem.behaviour, setup.onprem.status = "status", status
        outcome = await outcomes.by(send(setup))
        assert (outcome.side, outcome.error, outcome.rescued) == (Side.CANDIDATE, "failover", True)


async def test_users_stay_on_their_side_and_copies_go_to_both(tmp_path: Path) -> None:
    chat = {"sticky": {"header": "x-user-id"}, "shadow": {"sample": 100}}
    async with envoy_with_backends(tmp_path, chat=chat, theirs=BOTH) as setup:
        setup.set_share(50)
        sides = {}
        for _ in range(2):
            for number in range(20):
                user = {"x-user-id": f"user-{number}"}
                reply = await setup.post(headers=user)
                assert sides.setdefault(number, json.loads(reply.body)["model"]) == json.loads(reply.body)["model"]
        assert set(sides.values()) == {"cloud", "onprem"}
        await eventually(lambda: len(setup.collector.streams) == 40)
        for target in ("onprem", "cloud"):
            assert json.loads((await setup.tee(target)).body)["model"] == target
            assert (setup.cloud if target == "cloud" else setup.onprem).last.model == f"{target}-model"


async def test_a_client_that_leaves_ends_the_request_at_the_candidate(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat=AT_ONCE, theirs=BOTH) as setup:
        setup.onprem.behaviour = "hang"
        request = asyncio.create_task(send(setup))
        await eventually(lambda: len(setup.onprem.received) == 1)
        request.cancel()
        active = "cluster.their-onprem.upstream_rq_active"
        await eventually(lambda: setup.envoy.stats(active)[active] == 0)
        assert setup.cloud.received == []
