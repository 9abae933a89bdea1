"""A candidate that fails before its first byte costs the client nothing; everything else passes through honestly."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from extproc.outcome_classification import RequestOutcome, classify
from extproc.workloads import build_workloads
from glidepath import keys
from glidepath.domain import Side
from tests.support.recorder import Mood
from tests.support.stage import BODY, Stage, on_stage, until

AT_ONCE: dict[str, Any] = {"start": 100}
BIG = {**BODY, "padding": 'a"model": "no" [{' * 100_000}
FAILURES: list[tuple[str, Mood, int]] = [
    ("answers 503", "status", 503),
    ("answers 500", "status", 500),
    ("refuses with 429", "status", 429),
    ("sends no first byte", "hang", 0),
    ("resets", "reset", 0),
]


def assert_rescued(stage: Stage, key: str, size: int) -> None:
    """The baseline received what it would have received at once; the candidate never saw the client's key."""
    rescue = stage.cloud.last
    assert rescue.model == "cloud-model"
    assert rescue.headers["authorization"] == key
    assert rescue.headers["host"] == stage.cloud.url.removeprefix("http://")
    assert int(rescue.headers["content-length"]) == len(rescue.body) >= size
    if stage.onprem.received:
        tried = stage.onprem.last
        assert tried.model == "onprem-model"
        assert tried.path == "/base/chat/completions"
        assert tried.headers["authorization"] == "Bearer onprem-key"
        assert int(tried.headers["content-length"]) == len(tried.body) >= size


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("body", [BODY, BIG], ids=["small", "over 1 MiB"])
async def test_a_failing_candidate_is_covered_by_the_baseline(tmp_path: Path, stream: bool, body: Any) -> None:
    key = tmp_path / "key"
    key.write_text("onprem-key\n")
    onprem = {"url_path": "/base", "strip": "/v1", "credential": {"file": str(key)}, "first_byte_timeout": "300ms"}
    async with on_stage(tmp_path, onprem=onprem, chat=AT_ONCE) as stage:
        stage.cloud.mood = "sse" if stream else "json"
        for number, (what, mood, status) in enumerate(FAILURES):
            stage.forget()
            stage.onprem.mood, stage.onprem.status = mood, status
            client = f"Bearer client-{number}"
            reply = await stage.post(body, {"authorization": client})
            assert reply.status == 200, what
            expected = b"".join(stage.cloud.events()) if stream else json.dumps(stage.cloud.answer()).encode()
            assert reply.body == expected, what
            assert_rescued(stage, client, len(json.dumps(body)) - 20)
        log = stage.collector.entries.setdefault(keys.LIVE_LOG, [])
        await until(lambda: len(log) == len(FAILURES))
        assert {entry.common_properties.upstream_cluster for entry in log} == {"cloud-for-onprem"}
        assert {entry.common_properties.upstream_request_attempt_count for entry in log} == {2}
        assert {entry.common_properties.route_name for entry in log} == {"glidepath/chat/captured"}


async def test_a_candidate_that_refuses_connections_is_covered_by_the_baseline(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat=AT_ONCE) as stage:
        await stage.onprem.__aexit__()
        replies = await asyncio.gather(*(stage.post(headers={"authorization": "Bearer me"}) for _ in range(200)))
        assert {reply.status for reply in replies} == {200}
        assert len(stage.cloud.received) == 200
        assert_rescued(stage, "Bearer me", 1)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
async def test_two_hundred_failures_at_once_reach_no_client(tmp_path: Path, stream: bool) -> None:
    async with on_stage(tmp_path, onprem={"first_byte_timeout": "300ms"}, chat=AT_ONCE) as stage:
        stage.cloud.mood = "sse" if stream else "json"
        expected = b"".join(stage.cloud.events()) if stream else json.dumps(stage.cloud.answer()).encode()
        for mood in ("status", "reset", "hang", "refused"):
            stage.forget()
            if mood == "refused":
                await stage.onprem.__aexit__()
            else:
                stage.onprem.mood = mood
            replies = await asyncio.gather(*(stage.post() for _ in range(200)))
            assert {(reply.status, reply.body) for reply in replies} == {(200, expected)}, mood
            assert len(stage.cloud.received) == 200, mood
            assert len(stage.onprem.received) == (0 if mood == "refused" else 200), mood
        log = stage.collector.entries.setdefault(keys.LIVE_LOG, [])
        await until(lambda: len(log) == 800)
        assert {entry.common_properties.upstream_cluster for entry in log} == {"cloud-for-onprem"}


NOWHERE: dict[str, Any] = {"url": "http://nowhere.invalid:9"}
ENDS: list[tuple[str, int, str, int, bool]] = [  # the candidate's mood and status, the baseline's, rescued
    ("status", 503, "json", 0, True),
    ("status", 503, "status", 400, True),
    ("status", 503, "status", 401, True),
    ("status", 503, "status", 503, False),
    ("status", 429, "status", 429, False),
    ("status", 401, "reset", 0, False),
    ("status", 503, "hang", 0, False),
    ("status", 503, "die_in_stream", 0, False),
    ("reset", 0, "json", 0, True),
    ("reset", 0, "status", 503, False),
    ("reset", 0, "reset", 0, False),
    ("hang", 0, "json", 0, True),
    ("hang", 0, "status", 503, False),
    ("hang", 0, "hang", 0, False),
    ("hang", 0, "reset", 0, False),
]


@dataclass(slots=True)
class Told:
    """What extproc makes of the live log, one request after another."""

    stage: Stage
    read: int = 0

    async def by(self, request: Awaitable[object]) -> RequestOutcome:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await request
        return await self.next()

    async def next(self) -> RequestOutcome:
        log = self.stage.collector.entries.setdefault(keys.LIVE_LOG, [])
        await until(lambda: len(log) > self.read)
        outcome = classify(log[self.read], build_workloads(self.stage.envoy.config), shadow=False)
        self.read += 1
        assert outcome is not None
        assert outcome.side is Side.CANDIDATE
        return outcome


def moods(stage: Stage, candidate: str, status: int, baseline: str, base_status: int) -> None:
    stage.onprem.mood, stage.onprem.status = cast(Mood, candidate), status
    stage.cloud.mood, stage.cloud.status = cast(Mood, baseline), base_status


async def test_every_failover_tells_whether_the_baseline_answered(tmp_path: Path) -> None:
    quick = {"first_byte_timeout": "200ms", "idle_timeout": "600ms"}
    async with on_stage(tmp_path, onprem=quick, cloud=quick, chat=AT_ONCE) as stage:
        told = Told(stage)
        for candidate, status, baseline, base_status, rescued in ENDS:
            moods(stage, candidate, status, baseline, base_status)
            outcome = await told.by(stage.post())
            found = (outcome.error, outcome.failover, outcome.rescued, outcome.latency_ms)
            assert found == ("failover", True, rescued, None), (candidate, status, baseline, base_status)
        await stage.cloud.__aexit__()
        moods(stage, "status", 503, "json", 0)
        assert (await told.by(stage.post())).rescued is False
        await stage.onprem.__aexit__()
        outcome = await told.by(stage.post())
        assert (outcome.error, outcome.rescued) == ("failover", False)


async def test_a_client_that_leaves_during_the_rescue_leaves_its_end_unknown(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat=AT_ONCE) as stage:
        told = Told(stage)
        moods(stage, "status", 503, "hang", 0)

        async def leave_once_the_rescue_is_under_way() -> None:
            posted = asyncio.create_task(stage.post())
            await until(lambda: bool(stage.cloud.received))
            posted.cancel()
            await asyncio.wait([posted])

        outcome = await told.by(leave_once_the_rescue_is_under_way())
        assert (outcome.error, outcome.failover, outcome.rescued) == ("failover", True, None)


async def test_a_candidate_that_begins_a_stream_and_breaks_it_is_never_rescued(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat=AT_ONCE) as stage:
        moods(stage, "die_in_stream", 0, "json", 0)
        outcome = await Told(stage).by(stage.post())
        assert (outcome.error, outcome.failover, outcome.rescued) == ("upstream_died", False, None)


async def test_a_late_candidate_answers_for_itself_though_the_rescue_failed(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem={"first_byte_timeout": "200ms"}, chat=AT_ONCE) as stage:
        moods(stage, "json", 0, "status", 503)
        stage.onprem.delay = 0.5
        outcome = await Told(stage).by(stage.post())
        assert (outcome.error, outcome.failover, outcome.rescued) == ("", False, None)
        assert len(stage.cloud.received) == 1


@pytest.mark.parametrize("mood", ["status", "refused"])
async def test_a_rescue_past_its_circuit_breaker_is_a_failed_one(tmp_path: Path, mood: str) -> None:
    async with on_stage(tmp_path, cloud={"max_connections": 1, "max_pending": 1}, chat=AT_ONCE) as stage:
        moods(stage, "status", 503, "json", 0)
        stage.cloud.delay = 0.3
        if mood == "refused":
            await stage.onprem.__aexit__()
        replies = await asyncio.gather(*(stage.post() for _ in range(5)))
        failed = [reply.status for reply in replies].count(503)
        assert 1 <= failed < 5
        told = Told(stage)
        outcomes = [await told.next() for _ in range(5)]
        assert {(o.error, o.failover) for o in outcomes} == {("failover", True)}
        assert [o.rescued for o in outcomes].count(False) == failed
        assert [o.rescued for o in outcomes].count(True) == 5 - failed


@pytest.mark.parametrize("onprem", [{}, NOWHERE], ids=["the baseline", "both"])
async def test_a_baseline_whose_name_is_not_found_does_not_make_the_candidate_unreachable(
    tmp_path: Path, onprem: dict[str, Any]
) -> None:
    async with on_stage(tmp_path, cloud=NOWHERE, onprem=onprem, chat=AT_ONCE) as stage:
        stage.onprem.mood = "status"
        outcome = await Told(stage).by(stage.post())
        assert (outcome.error, outcome.failover, outcome.rescued) == ("failover", True, False)


async def test_a_candidate_whose_name_is_not_found_is_passed_over_and_the_rescue_still_told(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem=NOWHERE, chat=AT_ONCE) as stage:
        told = Told(stage)
        for mood, rescued in (("json", True), ("status", False)):
            moods(stage, "json", 0, mood, 503)
            outcome = await told.by(stage.post())
            assert (outcome.error, outcome.failover, outcome.rescued) == ("failover", True, rescued)


async def test_the_rescue_may_take_longer_than_the_candidate_was_given(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem={"first_byte_timeout": "200ms"}, chat=AT_ONCE) as stage:
        stage.onprem.mood = "hang"
        stage.cloud.delay = 0.7
        reply = await stage.post()
        assert reply.status == 200
        assert json.loads(reply.body)["model"] == "cloud"
        assert reply.seconds >= 0.9
        assert len(stage.cloud.received) == 1


async def test_a_baseline_request_is_bounded_by_no_first_byte_timeout(tmp_path: Path) -> None:
    short = {"first_byte_timeout": "200ms"}
    async with on_stage(tmp_path, cloud=short, onprem=short) as stage:
        stage.cloud.delay = 0.7
        assert (await stage.post()).status == 200
        assert len(stage.cloud.received) == 1


async def test_a_stream_that_has_begun_outlives_the_first_byte_timeout(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem={"first_byte_timeout": "300ms"}, chat=AT_ONCE) as stage:
        stage.onprem.mood = "slow_stream"
        reply = await stage.post()
        assert reply.body == b"".join(stage.onprem.events())
        assert stage.cloud.received == []


async def test_an_error_after_the_first_byte_passes_through(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat=AT_ONCE) as stage:
        stage.onprem.mood = "die_in_stream"
        with pytest.raises(aiohttp.ClientPayloadError):
            await stage.post()
        assert stage.cloud.received == []
        log = stage.collector.entries.setdefault(keys.LIVE_LOG, [])
        await until(lambda: len(log) == 1)
        assert log[0].common_properties.upstream_cluster == "onprem"
        assert log[0].response.response_code_details.startswith("upstream_reset_after_response_started")


@pytest.mark.parametrize("status", [500, 503, 429, 401])
async def test_the_baselines_errors_pass_unchanged_and_are_never_retried(tmp_path: Path, status: int) -> None:
    async with on_stage(tmp_path) as stage:
        stage.cloud.mood, stage.cloud.status = "status", status
        reply = await stage.post(headers={"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"})
        assert reply.status == status
        assert json.loads(reply.body)["error"]["message"] == f"cloud says {status}"
        assert reply.headers["x-backend"] == "cloud"
        assert len(stage.cloud.received) == 1
        assert stage.onprem.received == []


async def test_a_client_error_from_the_candidate_is_the_clients(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat=AT_ONCE) as stage:
        stage.onprem.mood, stage.onprem.status = "status", 400
        reply = await stage.post()
        assert reply.status == 400
        assert stage.cloud.received == []


@pytest.mark.parametrize("status", [401, 403])
async def test_a_candidate_whose_own_credential_is_refused_is_covered_by_the_baseline(
    tmp_path: Path, status: int
) -> None:
    async with on_stage(tmp_path, chat=AT_ONCE) as stage:
        stage.onprem.mood, stage.onprem.status = "status", status
        reply = await stage.post()
        assert (reply.status, len(stage.onprem.received), len(stage.cloud.received)) == (200, 1, 1)


async def test_a_candidate_that_refuses_the_clients_own_credential_answers_for_itself(tmp_path: Path) -> None:
    onprem = {"credential": {"passthrough": True}}
    async with on_stage(tmp_path, chat=AT_ONCE, onprem=onprem) as stage:
        stage.onprem.mood, stage.onprem.status = "status", 401
        assert (await stage.post()).status == 401
        assert stage.cloud.received == []


async def test_without_fallback_the_candidates_error_reaches_the_client(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat={"start": 100, "fallback": False}) as stage:
        stage.onprem.mood = "status"
        reply = await stage.post()
        assert reply.status == 503
        assert json.loads(reply.body)["error"]["message"] == "onprem says 503"
        assert stage.cloud.received == []


async def test_an_overflowing_candidate_is_named_in_the_log(tmp_path: Path) -> None:
    """A circuit breaker's 503 is never retried by Envoy and names no host; the tag says whose it was."""
    async with on_stage(tmp_path, onprem={"max_connections": 1, "max_pending": 1}, chat=AT_ONCE) as stage:
        stage.onprem.delay = 0.3
        replies = await asyncio.gather(*(stage.post() for _ in range(5)))
        overflown = [reply.status for reply in replies].count(503)
        assert 1 <= overflown < 5
        log = stage.collector.entries.setdefault(keys.LIVE_LOG, [])
        await until(lambda: len(log) == 5)
        refused = [e.common_properties for e in log if e.common_properties.response_flags.upstream_overflow]
        assert len(refused) == overflown
        assert {common.upstream_cluster for common in refused} == {""}
        assert {common.custom_tags[keys.CHOSEN_CLUSTER_TAG] for common in refused} == {"onprem-or-cloud"}


async def test_a_candidate_slower_than_its_bound_may_still_win(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem={"first_byte_timeout": "200ms"}, chat=AT_ONCE) as stage:
        stage.onprem.delay, stage.cloud.delay = 0.4, 3
        reply = await stage.post()
        assert json.loads(reply.body)["model"] == "onprem"
        assert reply.seconds < 2
        log = stage.collector.entries.setdefault(keys.LIVE_LOG, [])
        await until(lambda: len(log) == 1)
        common = log[0].common_properties
        assert (common.upstream_cluster, common.upstream_request_attempt_count) == ("onprem", 2)


async def test_the_other_direction_is_the_same_job(tmp_path: Path) -> None:
    """Baseline on-prem, candidate cloud: the candidate's failure is covered with the client's own credential."""
    chat = {"baseline": "onprem", "candidate": "cloud", "start": 100}
    async with on_stage(tmp_path, chat=chat) as stage:
        client = {"authorization": "Bearer me"}
        assert json.loads((await stage.post(headers=client)).body)["model"] == "cloud"
        assert "authorization" not in stage.cloud.last.headers
        stage.cloud.mood = "reset"
        assert json.loads((await stage.post(headers=client)).body)["model"] == "onprem"
        assert stage.onprem.last.headers["authorization"] == "Bearer me"
        assert stage.onprem.last.model == "onprem-model"
        await until(lambda: len(stage.collector.entries.get(keys.LIVE_LOG, [])) == 2)
        answered = [e.common_properties.upstream_cluster for e in stage.collector.entries[keys.LIVE_LOG]]
        assert answered == ["cloud", "onprem-for-cloud"]
