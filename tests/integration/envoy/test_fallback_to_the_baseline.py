"""Tests of fallback in a real Envoy: failures before the first byte are rescued, all others reach the client."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from extproc.outcome_classification import RequestOutcome, classify
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.outcome_summaries import kind_of_refusal
from glidepath.sides import Side
from tests.support.envoy_with_backends import BODY, EnvoySetup, envoy_with_backends
from tests.support.recording_backend import Behaviour
from tests.support.waiting import eventually

AT_ONCE: dict[str, Any] = {"start": 100}
BIG = {**BODY, "padding": 'a"model": "no" [{' * 20_000 + "x" * 1_000_000}
FAILURES: list[tuple[str, Behaviour, int]] = [
    ("answers 503", "status", 503),
    ("answers 500", "status", 500),
    ("refuses with 429", "status", 429),
    ("sends no first byte", "hang", 0),
    ("resets", "reset", 0),
]


def clusters_of(entry: Any) -> tuple[str, str]:
    """Return the cluster that the split chose, and the cluster of the endpoint that answered."""
    common = entry.common_properties
    return common.custom_tags[envoy_names.CHOSEN_CLUSTER_TAG], common.upstream_cluster


def assert_rescued(setup: EnvoySetup, key: str, size: int) -> None:
    """Check that the baseline received the client's request, and that the candidate did not get the client's key."""
    rescue = setup.cloud.last
    assert rescue.model == "cloud-model"
    assert rescue.headers["authorization"] == key
    assert rescue.headers["host"] == setup.cloud.url.removeprefix("http://")
    assert int(rescue.headers["content-length"]) == len(rescue.body) >= size
    if setup.onprem.received:
        tried = setup.onprem.last
        assert tried.model == "onprem-model"
        assert tried.path == "/base/chat/completions"
        assert tried.headers["authorization"] == "Bearer onprem-key"
        assert int(tried.headers["content-length"]) == len(tried.body) >= size


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("body", [BODY, BIG], ids=["small", "over 1 MiB"])
async def test_the_baseline_rescues_requests_of_a_failing_candidate(tmp_path: Path, stream: bool, body: Any) -> None:
    key = tmp_path / "key"
    key.write_text("onprem-key\n")
    onprem = {"url_path": "/base", "strip": "/v1", "credential": {"file": str(key)}, "first_byte_timeout": "300ms"}
    async with envoy_with_backends(tmp_path, onprem=onprem, chat=AT_ONCE) as setup:
        setup.cloud.behaviour = "sse" if stream else "json"
        for number, (what, behaviour, status) in enumerate(FAILURES):
            setup.clear_received()
            setup.onprem.behaviour, setup.onprem.status = behaviour, status
            client = f"Bearer client-{number}"
            reply = await setup.post(body, {"authorization": client})
            assert reply.status == 200, what
            expected = b"".join(setup.cloud.events()) if stream else json.dumps(setup.cloud.answer()).encode()
            assert reply.body == expected, what
            assert_rescued(setup, client, len(json.dumps(body)) - 20)
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == len(FAILURES))
        assert {clusters_of(entry) for entry in log} == {("onprem-or-cloud", "cloud")}
        assert {entry.common_properties.upstream_request_attempt_count for entry in log} == {2}
        assert {entry.common_properties.route_name for entry in log} == {"glidepath/chat"}
        assert {entry.common_properties.custom_tags[envoy_names.WORKLOAD_TAG] for entry in log} == {"chat"}


async def test_the_baseline_rescues_requests_of_a_candidate_that_refuses_connections(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat=AT_ONCE) as setup:
        await setup.onprem.__aexit__()
        replies = await asyncio.gather(*(setup.post(headers={"authorization": "Bearer me"}) for _ in range(200)))
        assert {reply.status for reply in replies} == {200}
        assert len(setup.cloud.received) == 200
        assert_rescued(setup, "Bearer me", 1)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
async def test_two_hundred_failures_at_once_reach_no_client(tmp_path: Path, stream: bool) -> None:
    async with envoy_with_backends(tmp_path, onprem={"first_byte_timeout": "300ms"}, chat=AT_ONCE) as setup:
        setup.cloud.behaviour = "sse" if stream else "json"
        expected = b"".join(setup.cloud.events()) if stream else json.dumps(setup.cloud.answer()).encode()
        for behaviour in ("status", "reset", "hang", "refused"):
            setup.clear_received()
            if behaviour == "refused":
                await setup.onprem.__aexit__()
            else:
                setup.onprem.behaviour = behaviour
            replies = await asyncio.gather(*(setup.post() for _ in range(200)))
            assert {(reply.status, reply.body) for reply in replies} == {(200, expected)}, behaviour
            assert len(setup.cloud.received) == 200, behaviour
            assert len(setup.onprem.received) == (0 if behaviour == "refused" else 200), behaviour
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == 800)
        assert {clusters_of(entry) for entry in log} == {("onprem-or-cloud", "cloud")}


async def test_a_rescue_can_take_longer_than_the_candidates_time_limit(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"first_byte_timeout": "200ms"}, chat=AT_ONCE) as setup:
        setup.onprem.behaviour = "hang"
        setup.cloud.delay = 0.7
        reply = await setup.post()
        assert reply.status == 200
        assert json.loads(reply.body)["model"] == "cloud"
        assert reply.seconds >= 0.9
        assert len(setup.cloud.received) == 1


async def test_a_baseline_request_has_no_first_byte_timeout(tmp_path: Path) -> None:
    short = {"first_byte_timeout": "200ms"}
    async with envoy_with_backends(tmp_path, cloud=short, onprem=short) as setup:
        setup.cloud.delay = 0.7
        assert (await setup.post()).status == 200
        assert len(setup.cloud.received) == 1


async def test_a_started_stream_can_last_longer_than_the_first_byte_timeout(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"first_byte_timeout": "300ms"}, chat=AT_ONCE) as setup:
        setup.onprem.behaviour = "slow_stream"
        reply = await setup.post()
        assert reply.body == b"".join(setup.onprem.events())
        assert setup.cloud.received == []


async def test_an_error_after_the_first_byte_passes_through(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat=AT_ONCE) as setup:
        setup.onprem.behaviour = "die_in_stream"
        with pytest.raises(aiohttp.ClientPayloadError):
            await setup.post()
        assert setup.cloud.received == []
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == 1)
        assert log[0].common_properties.upstream_cluster == "onprem"
        assert log[0].response.response_code_details.startswith("upstream_reset_after_response_started")


@pytest.mark.parametrize("status", [500, 503, 429, 401])
async def test_errors_of_the_baseline_pass_unchanged_and_are_not_retried(tmp_path: Path, status: int) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        setup.cloud.behaviour, setup.cloud.status = "status", status
        reply = await setup.post(headers={"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"})
        assert reply.status == status
        assert json.loads(reply.body)["error"]["message"] == f"cloud says {status}"
        assert reply.headers["x-backend"] == "cloud"
        assert len(setup.cloud.received) == 1
        assert setup.onprem.received == []


async def test_the_baseline_answers_requests_that_the_candidate_cannot_serve(tmp_path: Path) -> None:
    """If both refuse a request, the client gets the baseline's refusal. The log has the candidate's status."""
    own_rules = {401, 403, 407, 418, 429}  # the credential, a proxy's, the quota; 418 is registered as unused
    statuses = [int(status) for status in HTTPStatus if 400 <= status < 500 and status not in own_rules]
    async with envoy_with_backends(tmp_path, chat=AT_ONCE) as setup:
        setup.onprem.behaviour = "status"
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        for both_refuse in (False, True):
            setup.cloud.behaviour, setup.cloud.status = "status" if both_refuse else "json", 422
            for status in statuses:
                setup.onprem.status = status
                setup.clear_received()
                reply = await setup.post(headers={"authorization": "Bearer me"})
                assert reply.status == (422 if both_refuse else 200), status
                rescue = setup.cloud.last
                assert (rescue.model, rescue.headers["authorization"]) == ("cloud-model", "Bearer me")
        await eventually(lambda: len(log) == 2 * len(statuses))
        outcomes = [classify(entry, build_workloads(setup.envoy.config), shadow=False) for entry in log]
        assert all(isinstance(one, RequestOutcome) and one.side is Side.CANDIDATE for one in outcomes)
        answered, refused = outcomes[: len(statuses)], outcomes[len(statuses) :]
        assert [one.error for one in answered] == [kind_of_refusal(status) for status in statuses]
        assert {(one.failover, one.rescued) for one in answered} == {(True, True)}
        assert {(one.error, one.failover, one.latency_ms) for one in refused} == {("", False, None)}


@pytest.mark.parametrize("status", [407, 418, 498])
async def test_a_4xx_that_is_not_registered_or_of_a_proxy_is_not_retried(tmp_path: Path, status: int) -> None:
    async with envoy_with_backends(tmp_path, chat=AT_ONCE) as setup:
        setup.onprem.behaviour, setup.onprem.status = "status", status
        reply = await setup.post()
        assert reply.status == status
        assert setup.cloud.received == []


async def test_a_candidate_without_the_baselines_context_length_costs_no_client_an_answer(tmp_path: Path) -> None:
    """Every tenth prompt is longer than the 4 K characters that the candidate reads."""
    async with envoy_with_backends(tmp_path, chat=AT_ONCE) as setup:
        setup.onprem.most_bytes = 4096
        prompts = ["x" * (8192 if n % 10 == 0 else 100) for n in range(100)]
        bodies = [{**BODY, "messages": [{"role": "user", "content": prompt}]} for prompt in prompts]
        replies = await asyncio.gather(*(setup.post(body) for body in bodies))
        assert {reply.status for reply in replies} == {200}
        assert len(setup.cloud.received) == 10


@pytest.mark.parametrize("status", [401, 403])
async def test_the_baseline_rescues_requests_if_the_candidates_credential_is_rejected(
    tmp_path: Path, status: int
) -> None:
    async with envoy_with_backends(tmp_path, chat=AT_ONCE) as setup:
        setup.onprem.behaviour, setup.onprem.status = "status", status
        reply = await setup.post()
        assert (reply.status, len(setup.onprem.received), len(setup.cloud.received)) == (200, 1, 1)


async def test_a_rejection_of_the_clients_own_credential_is_not_retried(tmp_path: Path) -> None:
    onprem = {"credential": {"passthrough": True}}
    async with envoy_with_backends(tmp_path, chat=AT_ONCE, onprem=onprem) as setup:
        setup.onprem.behaviour, setup.onprem.status = "status", 401
        assert (await setup.post()).status == 401
        assert setup.cloud.received == []


async def test_without_fallback_the_candidates_error_reaches_the_client(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"start": 100, "fallback": False}) as setup:
        setup.onprem.behaviour = "status"
        reply = await setup.post()
        assert reply.status == 503
        assert json.loads(reply.body)["error"]["message"] == "onprem says 503"
        assert setup.cloud.received == []


async def test_the_log_names_a_candidate_above_its_circuit_breakers_limit(tmp_path: Path) -> None:
    """Envoy does not retry a circuit breaker's 503 and logs no host for it; the tag names the cluster."""
    async with envoy_with_backends(tmp_path, onprem={"max_connections": 1, "max_pending": 1}, chat=AT_ONCE) as setup:
        setup.onprem.delay = 0.3
        replies = await asyncio.gather(*(setup.post() for _ in range(5)))
        overflown = [reply.status for reply in replies].count(503)
        assert 1 <= overflown < 5
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == 5)
        refused = [e.common_properties for e in log if e.common_properties.response_flags.upstream_overflow]
        assert len(refused) == overflown
        assert {common.upstream_cluster for common in refused} == {""}
        assert {common.custom_tags[envoy_names.CHOSEN_CLUSTER_TAG] for common in refused} == {"onprem-or-cloud"}


async def test_a_candidate_slower_than_its_limit_can_still_answer_first(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"first_byte_timeout": "200ms"}, chat=AT_ONCE) as setup:
        setup.onprem.delay, setup.cloud.behaviour = 0.4, "hang"
        reply = await setup.post()
        assert json.loads(reply.body)["model"] == "onprem"
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == 1)
        common = log[0].common_properties
        assert (common.upstream_cluster, common.upstream_request_attempt_count) == ("onprem", 2)


async def test_the_other_direction_of_migration_works_alike(tmp_path: Path) -> None:
    """With an on-prem baseline and a cloud candidate, a rescue uses the client's own credential."""
    chat = {"baseline": "onprem", "candidate": "cloud", "start": 100}
    async with envoy_with_backends(tmp_path, chat=chat) as setup:
        client = {"authorization": "Bearer me"}
        assert json.loads((await setup.post(headers=client)).body)["model"] == "cloud"
        assert "authorization" not in setup.cloud.last.headers
        setup.cloud.behaviour = "reset"
        assert json.loads((await setup.post(headers=client)).body)["model"] == "onprem"
        assert setup.onprem.last.headers["authorization"] == "Bearer me"
        assert setup.onprem.last.model == "onprem-model"
        await eventually(lambda: len(setup.collector.entries.get(envoy_names.LIVE_LOG, [])) == 2)
        answered = [clusters_of(entry) for entry in setup.collector.entries[envoy_names.LIVE_LOG]]
        assert answered == [("cloud-or-onprem", "cloud"), ("cloud-or-onprem", "onprem")]
