"""From the capture of requests to the verdict of the gate: users whose requests fail at both sides.

Real parts: capture, the counters, the encoding, and the evidence. Only the backends' answers are made here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from extproc.exchange_events import Chunk, ResponseHeaders
from extproc.exchange_transitions import Half
from extproc.outcome_classification import RequestOutcome
from glidepath.protobuf_codec import decode_outcomes, encode_outcomes
from glidepath.sides import Origin, Side
from scorer.steering.evidence.accumulator import Evidence
from tests.support.capture_setup import OF_CANDIDATE, OK, CaptureSetup, setup
from tests.support.evidence_builders import by_gate, workload_of

FLUSHES, OWN, BASE, RATE = 60, 6, 18, 0.15
GOOD = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}]}'


async def serve(r: CaptureSetup, side: Side, number: int, *, failed: bool, copy_fails: bool) -> None:
    """Serve a client's request. Send its copy to the baseline, and record its access log entry."""
    answer: ResponseHeaders = replace(OF_CANDIDATE if side is Side.CANDIDATE else OK, status=500 if failed else 200)
    r.sender.status, r.sender.body = 500 if copy_fails else 200, GOOD
    cluster = r.workload.fallback if side is Side.CANDIDATE else "cloud"
    r.feed(r.request(cluster, request_id=f"{side}-{number}"), answer, Chunk(Half.RESPONSE, GOOD, True))
    await r.settled()
    error = "http_500" if failed else ""
    r.counters.record(RequestOutcome("chat", side, Origin.LIVE, 1_000, error=error))


async def evidence_of(copies_fail: float, seed: int) -> Evidence:
    """Return the evidence of a step in which RATE of the candidate's requests fail at the candidate.

    ``copies_fail``: the rate of its other requests whose copies the baseline fails
    """
    rng, evidence = np.random.default_rng(seed), Evidence.fresh(workload_of("    gates: {latency: []}\n"), 25, 1000)
    async with setup("{same_side: 10}") as r:
        r.sender.gate.set()
        for seq in range(FLUSHES):
            for number in range(OWN):
                failed, copy_fails = rng.random(2) < (RATE, copies_fail)
                await serve(r, Side.CANDIDATE, seq * 100 + number, failed=bool(failed), copy_fails=bool(copy_fails))
            for number in range(BASE):
                await serve(r, Side.BASELINE, seq * 100 + number, failed=False, copy_fails=False)
            (flushed,) = r.counters.flush(2000 + seq * 1000)
            sent = replace(flushed, seq=seq, from_ms=1000 + seq * 1000, source="envoy-1")
            evidence.fold_outcomes(decode_outcomes(encode_outcomes(sent)))
            if by_gate(evidence)["errors_fast"].outcome == "fail":
                break
    return evidence


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_user_whose_requests_fail_at_both_sides_does_not_roll_the_candidate_back(seed: int) -> None:
    verdict = by_gate(await evidence_of(RATE, seed))["errors_fast"]
    assert verdict.outcome != "fail", verdict.message
    assert "copies of requests that the candidate answered" in verdict.message


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_candidate_that_fails_what_the_baseline_answers_is_rolled_back(seed: int) -> None:
    assert by_gate(await evidence_of(0.0, seed))["errors_fast"].outcome == "fail"
