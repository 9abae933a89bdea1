"""The time to first byte of a stream ends at its first content, not at its headers: a real Envoy and real gates."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from extproc.outcome_classification import RequestOutcome, classify
from extproc.traffic_counters import TrafficCounters
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.sides import Side
from scorer.steering.evidence.accumulator import Evidence
from tests.support.envoy_with_backends import BODY, EnvoySetup, envoy_with_backends
from tests.support.evidence_builders import by_gate, fresh_evidence
from tests.support.waiting import eventually

# The two ways to be as slow: the headers at once and the tokens late, or both after a shorter time.
LATE_TOKENS, BOTH_EARLIER = 1.0, 0.2


async def outcomes(setup: EnvoySetup, number: int) -> list[RequestOutcome]:
    log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
    before = len(log)
    await asyncio.gather(*(setup.post({**BODY, "stream": True}) for _ in range(number)))
    await eventually(lambda: len(log) == before + number)
    found = [classify(entry, build_workloads(setup.envoy.config), shadow=False) for entry in log[before:]]
    return [outcome for outcome in found if isinstance(outcome, RequestOutcome)]


def evidence_of(seen: list[RequestOutcome], times: int) -> Evidence:
    """Return the evidence of a step in which each of the outcomes occurs ``times`` times, in many flushes."""
    evidence, counters = fresh_evidence(50), TrafficCounters()
    for flush in range(times):
        for outcome in seen:
            counters.record(replace(outcome, at_ms=(flush + 1) * 1000))
        for one in counters.flush((flush + 1) * 1000):
            evidence = evidence.fold_outcomes(replace(one, source="s", seq=flush + 1))
    return evidence


@pytest.mark.parametrize(("candidate_streams_late", "expected"), [(False, "pass"), (True, "fail")])
async def test_the_gate_prefers_the_side_whose_tokens_come_first(
    tmp_path: Path, candidate_streams_late: bool, expected: str
) -> None:
    async with envoy_with_backends(tmp_path, chat={"shadow": {"sample": 0}}) as setup:
        late, early = (setup.onprem, setup.cloud) if candidate_streams_late else (setup.cloud, setup.onprem)
        late.behaviour, late.silence = "late_stream", LATE_TOKENS
        early.behaviour, early.delay = "sse", BOTH_EARLIER
        seen: dict[Side, list[RequestOutcome]] = {}
        for share, side in ((0, Side.BASELINE), (100, Side.CANDIDATE)):
            setup.set_share(share)
            seen[side] = await outcomes(setup, 4)
        by_content = seen[Side.CANDIDATE if candidate_streams_late else Side.BASELINE]
        for outcome in by_content:
            assert outcome.headers_ms is not None
            assert outcome.ttft_ms is not None
            assert outcome.ttft_ms - outcome.headers_ms >= LATE_TOKENS * 1000 / 2
        verdict = by_gate(evidence_of([*seen[Side.BASELINE], *seen[Side.CANDIDATE]], 100), now_ms=101_000)["ttft_p50"]
        assert verdict.outcome == expected, verdict
