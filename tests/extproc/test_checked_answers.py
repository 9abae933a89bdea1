"""Captured answers that failed in their body count as errors of their side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from extproc.exchange_events import Chunk
from extproc.exchange_transitions import Half
from extproc.outcome_classification import RequestOutcome
from glidepath.sides import Origin, Side
from tests.support.capture_setup import END, OK, setup


async def test_requests_with_a_repeated_id_make_separate_pairs_and_count_errors_by_that_id() -> None:
    async with setup() as r:
        r.sender.gate.set()
        for _ in range(3):
            r.feed(r.request(request_id="repeated"), OK, END)
        await r.settled()
        ids = [pair.id for pair in r.sink.pairs]
        assert len(set(ids)) == 3
        assert ids[0] == "repeated"
        assert all(one.startswith("repeated~") for one in ids[1:])
        assert [copy.headers["x-request-id"] for copy in r.sender.copies] == ids
        request = r.request(request_id="repeated")
        r.feed(request, STREAMED, Chunk(Half.RESPONSE, BROKEN, True))
        r.counters.record(RequestOutcome("chat", Side.BASELINE, Origin.LIVE, 1_000), "repeated")
        errors = [side.errors for one in r.counters.flush(2_000) for side in one.sides if side.side is Side.BASELINE]
        assert errors == [1]
        await r.settled()


BROKEN = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\ndata: {"error": {"message": "gone"}}\n\n'
STREAMED = replace(OK, headers={"content-type": "text/event-stream"})


@pytest.mark.parametrize(("backend", "side"), [("cloud", Side.BASELINE), ("onprem", Side.CANDIDATE)])
async def test_a_clients_answer_that_failed_in_its_body_is_an_error_of_its_side(backend: str, side: Side) -> None:
    async with setup() as r:
        r.sender.body = b'{"a": 1}'
        request = r.request(r.workload.fallback if side is Side.CANDIDATE else backend)
        r.feed(request, replace(STREAMED, backend=backend), Chunk(Half.RESPONSE, BROKEN, True))
        r.counters.record(RequestOutcome("chat", side, Origin.LIVE, 1_000), "id-1")
        (outcomes,) = r.counters.flush(2_000)
        (counts,) = outcomes.sides
        assert (counts.side, counts.requests, counts.errors) == (side, 1, 1)
        assert counts.error_kinds == {"error_event": 1}


async def test_a_copys_answer_that_failed_in_its_body_is_an_error_of_its_side() -> None:
    async with setup() as r:
        r.sender.body = b"<html>Please sign in.</html>"
        r.feed(r.request(), OK, Chunk(Half.RESPONSE, b'{"a": 1}', True))
        r.sender.gate.set()
        await r.settled()
        r.counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.SHADOW, 1_000), "id-1")
        sides = {counts.side: counts for outcomes in r.counters.flush(2_000) for counts in outcomes.sides}
        assert sides[Side.CANDIDATE].error_kinds == {"web_page": 1}


@pytest.mark.parametrize(("path", "errors"), [("/v1/chat/completions", 1), ("/ask", 0)])
async def test_a_document_without_an_answer_is_an_error_only_at_a_known_api(path: str, errors: int) -> None:
    """At another path, the same document may be an answer of the user's own API."""
    async with setup() as r:
        r.sender.body = own = b'{"detail": "Lima is sunny."}'
        r.feed(r.request(path=path), OK, Chunk(Half.RESPONSE, own, True))
        r.sender.gate.set()
        await r.settled()
        r.counters.record(RequestOutcome("chat", Side.BASELINE, Origin.LIVE, 1_000), "id-1")
        r.counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.SHADOW, 1_000), "id-1")
        sides = {counts.side: counts.errors for outcomes in r.counters.flush(2_000) for counts in outcomes.sides}
        assert sides == {Side.BASELINE: errors, Side.CANDIDATE: errors}


@pytest.mark.parametrize("status", [503, 400])
async def test_an_answer_whose_status_says_that_it_failed_is_not_checked(status: int) -> None:
    async with setup() as r:
        r.feed(r.request("onprem"), replace(STREAMED, status=status), Chunk(Half.RESPONSE, BROKEN, True))
        r.counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 1_000, error="x"), "id-1")
        assert [counts.errors for outcomes in r.counters.flush(2_000) for counts in outcomes.sides] == [1]
        assert not r.counters.rejection_totals


async def test_the_baselines_rescue_is_not_checked_as_the_candidates_answer() -> None:
    async with setup() as r:
        rescued = replace(STREAMED, attempts=2, backend="cloud")
        r.feed(r.request(r.workload.fallback), rescued, Chunk(Half.RESPONSE, BROKEN, True))
        assert not r.capturer.checker.totals
