"""The outcome that extproc reads from a real Envoy's access log, for each end of a rescue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.envoy_with_backends import EnvoySetup, envoy_with_backends
from tests.support.outcome_log import OutcomeLog
from tests.support.recording_backend import Behaviour
from tests.support.waiting import eventually

AT_ONCE: dict[str, Any] = {"start": 100}
NOWHERE: dict[str, Any] = {"url": "http://nowhere.invalid:9"}
ENDS: list[tuple[str, int, str, int, bool]] = [  # the candidate's behaviour and status, the baseline's, rescued
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


def set_behaviours(setup: EnvoySetup, candidate: str, status: int, baseline: str, base_status: int) -> None:
    setup.onprem.behaviour, setup.onprem.status = cast(Behaviour, candidate), status
    setup.cloud.behaviour, setup.cloud.status = cast(Behaviour, baseline), base_status


async def test_the_log_of_every_rescue_says_whether_the_baseline_answered(tmp_path: Path) -> None:
    quick = {"first_byte_timeout": "200ms", "idle_timeout": "600ms"}
    async with envoy_with_backends(tmp_path, onprem=quick, cloud=quick, chat=AT_ONCE) as setup:
        outcomes = OutcomeLog(setup)
        for candidate, status, baseline, base_status, rescued in ENDS:
            set_behaviours(setup, candidate, status, baseline, base_status)
            outcome = await outcomes.by(setup.post())
            found = (outcome.error, outcome.failover, outcome.rescued, outcome.latency_ms)
            assert found == ("failover", True, rescued, None), (candidate, status, baseline, base_status)
        await setup.cloud.__aexit__()
        set_behaviours(setup, "status", 503, "json", 0)
        assert (await outcomes.by(setup.post())).rescued is False
        await setup.onprem.__aexit__()
        outcome = await outcomes.by(setup.post())
        assert (outcome.error, outcome.rescued) == ("failover", False)


async def test_if_the_client_disconnects_during_a_rescue_its_outcome_is_unknown(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat=AT_ONCE) as setup:
        outcomes = OutcomeLog(setup)
        set_behaviours(setup, "status", 503, "hang", 0)

        async def leave_once_the_rescue_is_under_way() -> None:
            posted = asyncio.create_task(setup.post())
            await eventually(lambda: bool(setup.cloud.received))
            posted.cancel()
            await asyncio.wait([posted])

        outcome = await outcomes.by(leave_once_the_rescue_is_under_way())
        assert (outcome.error, outcome.failover, outcome.rescued) == ("failover", True, None)


async def test_a_stream_that_breaks_after_its_start_is_not_rescued(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat=AT_ONCE) as setup:
        set_behaviours(setup, "die_in_stream", 0, "json", 0)
        outcome = await OutcomeLog(setup).by(setup.post())
        assert (outcome.error, outcome.failover, outcome.rescued) == ("upstream_died", False, None)


async def test_a_late_answer_of_the_candidate_is_used_if_the_rescue_failed(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"first_byte_timeout": "200ms"}, chat=AT_ONCE) as setup:
        set_behaviours(setup, "json", 0, "status", 503)
        setup.onprem.delay = 0.5
        outcome = await OutcomeLog(setup).by(setup.post())
        assert (outcome.error, outcome.failover, outcome.rescued) == ("", False, None)
        assert len(setup.cloud.received) == 1


@pytest.mark.parametrize("behaviour", ["status", "refused"])
async def test_a_rescue_above_the_circuit_breakers_limit_fails(tmp_path: Path, behaviour: str) -> None:
    async with envoy_with_backends(tmp_path, cloud={"max_connections": 1, "max_pending": 1}, chat=AT_ONCE) as setup:
        set_behaviours(setup, "status", 503, "json", 0)
        setup.cloud.delay = 0.3
        if behaviour == "refused":
            await setup.onprem.__aexit__()
        replies = await asyncio.gather(*(setup.post() for _ in range(5)))
        failed = [reply.status for reply in replies].count(503)
        assert 1 <= failed < 5
        outcomes = OutcomeLog(setup)
        outcomes = [await outcomes.next() for _ in range(5)]
        assert {(o.error, o.failover) for o in outcomes} == {("failover", True)}
        assert [o.rescued for o in outcomes].count(False) == failed
        assert [o.rescued for o in outcomes].count(True) == 5 - failed


async def test_if_the_baselines_name_is_not_found_the_candidate_gets_the_second_attempt_as_well(tmp_path: Path) -> None:
    """No request reaches the baseline, so the error is the candidate's own and no failover."""
    key = {"credential": {"env": "GLIDEPATH_TEST_KEY"}}
    async with envoy_with_backends(tmp_path, cloud=NOWHERE, onprem=key, chat=AT_ONCE) as setup:
        setup.onprem.behaviour = "status"
        outcome = await OutcomeLog(setup).by(setup.post(headers={"authorization": "Bearer client"}))
        assert (outcome.error, outcome.failover, outcome.rescued) == ("http_503", False, None)
        assert [got.model for got in setup.onprem.received] == ["onprem-model"] * 2
        assert not any("authorization" in got.headers for got in setup.onprem.received)


async def test_if_no_name_is_found_the_failover_fails(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, cloud=NOWHERE, onprem=NOWHERE, chat=AT_ONCE) as setup:
        outcome = await OutcomeLog(setup).by(setup.post())
        assert (outcome.error, outcome.failover, outcome.rescued) == ("failover", True, False)


async def test_a_candidate_whose_name_is_not_found_is_skipped_and_the_rescue_is_logged(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem=NOWHERE, chat=AT_ONCE) as setup:
        outcomes = OutcomeLog(setup)
        for behaviour, rescued in (("json", True), ("status", False)):
            set_behaviours(setup, "json", 0, behaviour, 503)
            outcome = await outcomes.by(setup.post())
            assert (outcome.error, outcome.failover, outcome.rescued) == ("failover", True, rescued)
