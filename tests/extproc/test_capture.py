"""Capture: from the events of an exchange to pairs and counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from extproc.copy_sender import ShadowAnswer, ShadowRequest
from extproc.exchange_events import Chunk, Closed, Event, ResponseHeaders
from extproc.exchange_transitions import Half
from extproc.write_buffer import InMemorySink, RawPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from tests.support.capture_setup import END, OF_CANDIDATE, OK, setup
from tests.support.in_memory_extproc import CHAT, TwinSender
from tests.support.waiting import eventually


async def test_requests_with_one_id_make_two_pairs_if_envoy_gives_each_an_id_of_its_own() -> None:
    async with setup() as r:
        for own_id in ("envoy-1", "envoy-2"):
            r.feed(r.request(request_id="of-the-application", own_id=own_id), OK, END)
        r.sender.gate.set()
        await r.settled()
        assert {pair.id for pair in r.sink.pairs} == {"envoy-1", "envoy-2"}


async def test_both_answers_make_a_pair() -> None:
    async with setup() as r:
        captured = r.request(x_user_id="ann", content_type="application/json")
        await eventually(lambda: len(r.sender.copies) == 1)  # the copy is sent before the client's answer ends
        r.feed(captured, OK, END)
        r.sender.gate.set()
        await r.settled()
        (pair,) = r.sink.pairs
        assert (pair.id, pair.kind, pair.path) == ("id-1", PairKind.CROSS, f"{CHAT}?lang=de")
        assert (pair.request_body, pair.first.body, pair.second.body) == (b"question", b"ours", b"theirs")
        assert (pair.first.side, pair.first.origin, pair.first.backend) == (Side.BASELINE, Origin.LIVE, "cloud")
        assert (pair.second.side, pair.second.origin, pair.second.backend) == (Side.CANDIDATE, Origin.SHADOW, "onprem")
        assert (pair.first.total_ms, pair.captured_at_ms, pair.served) == (2000.0, 1_000_000, "")
        assert pair.sticky == r.workload.sticky("ann") != ""
        assert "ann" not in repr(pair)
        assert r.coverage == {"captured": 1}  # `paired` is counted when Redis has it


async def test_the_copy_is_the_same_request_without_secrets() -> None:
    async with setup() as r:
        captured = r.request(r.workload.fallback, accept="text/event-stream", anthropic_version="2023-06-01")
        r.feed(captured, OF_CANDIDATE)
        await eventually(lambda: len(r.sender.copies) == 1)
        (copy,) = r.sender.copies
        assert (copy.side, copy.backend, copy.body, copy.path) == (
            Side.BASELINE,
            "cloud",
            b"question",
            f"{CHAT}?lang=de",
        )
        r.feed(captured, END)


async def test_a_pair_is_written_when_the_later_answer_is_complete() -> None:
    async with setup() as r:
        r.sender.gate.set()
        captured = r.request()
        await eventually(lambda: r.capturer.in_flight.counts["chat"] == 0)  # the copy has released its place
        assert r.sink.pairs == []
        r.feed(captured, OK, END)
        await r.settled()
        assert len(r.sink.pairs) == 1


async def test_the_noise_floor_is_a_second_pair_with_an_id_of_its_own() -> None:
    async with setup("{same_side: 100}") as r:
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        cross, noise = sorted(r.sink.pairs, key=lambda pair: pair.kind)
        assert cross.both_copied
        assert noise.both_copied
        assert all(raw.counted for raw in r.sink.raw)
        assert (noise.kind, noise.first.side, noise.second.side) == (PairKind.NOISE, Side.BASELINE, Side.BASELINE)
        assert cross.id != noise.id


@pytest.mark.parametrize("events", [[Closed()], [OK, Chunk(Half.RESPONSE, b"half"), Closed()]])
async def test_an_abort_cancels_the_copy(events: list[Event]) -> None:
    async with setup() as r:
        captured = r.request()
        await eventually(lambda: len(r.sender.copies) == 1)
        r.feed(captured, *events)
        await r.settled()
        assert (r.sender.cancelled, r.sink.pairs, r.coverage) == (1, [], {"captured": 1, "aborted": 1})


async def test_an_abort_before_the_copy_starts_releases_everything() -> None:
    async with setup("{max_in_flight: 1}") as r:
        for n in range(3):
            r.feed(r.request(request_id=f"id-{n}"), Closed())  # the copy's task has not started yet
            await r.settled()
        assert r.sender.copies == []
        assert r.capturer.in_flight.counts["chat"] == 0
        assert r.coverage == {"captured": 3, "aborted": 3}


@pytest.mark.parametrize(
    "answer",
    [
        replace(OF_CANDIDATE, status=503),
        replace(OF_CANDIDATE, status=429),
        replace(OF_CANDIDATE, status=0),
        ResponseHeaders(503, {}, 0, "no_healthy_upstream"),
        replace(OF_CANDIDATE, attempts=2),
        replace(OF_CANDIDATE, backend="cloud"),
        replace(OF_CANDIDATE, backend=""),
    ],
    ids=["5xx", "429", "no status", "local reply", "failover", "candidate without endpoint", "baseline has cluster"],
)
async def test_a_failed_or_failed_over_answer_is_not_comparable(answer: ResponseHeaders) -> None:
    """The baseline gets no copy either: if it rescued the request, it has already received it."""
    async with setup() as r:
        captured = r.request(r.workload.fallback)
        r.feed(captured, answer, END)
        await r.settled()
        assert (r.sender.copies, r.sink.pairs, r.coverage) == ([], [], {"captured": 1, "not_comparable": 1})


async def test_an_answer_of_the_baseline_that_fails_cancels_the_copy() -> None:
    async with setup() as r:
        captured = r.request()
        await eventually(lambda: len(r.sender.copies) == 1)
        r.feed(captured, replace(OK, status=503), END)
        await r.settled()
        assert (r.sender.cancelled, r.sink.pairs, r.coverage) == (1, [], {"captured": 1, "not_comparable": 1})


async def test_a_copy_to_the_baseline_waits_until_the_candidate_has_begun_to_answer() -> None:
    async with setup() as r:
        r.sender.gate.set()
        captured = r.request(r.workload.fallback)
        assert not r.capturer.running
        r.feed(captured, OF_CANDIDATE)
        assert r.capturer.running
        r.feed(captured, END)
        await r.settled()
        assert [pair.second.side for pair in r.sink.pairs] == [Side.BASELINE]


async def test_every_captured_exchange_is_counted_under_exactly_one_reason() -> None:
    async with setup("{max_in_flight: 1, reverse: 0}") as r:
        r.sender.gate.set()
        endings: list[list[Event]] = [[OK, END], [Closed()], [ResponseHeaders(500, {}, 1, "via_upstream"), END]]
        for n in range(30):
            captured = r.request(("cloud", r.workload.fallback, "strange")[n % 3], f"id-{n}")
            r.feed(captured, *endings[n // 3 % 3])
        await r.settled()
        reasons = sum(number for reason, number in r.coverage.items() if reason != "captured") + len(r.sink.pairs)
        assert (r.coverage["captured"], reasons) == (30, 30)


@pytest.mark.parametrize("sent", ["", "x" * 200, "a\nb"])
async def test_an_unusable_request_id_is_replaced(sent: str) -> None:
    async with setup() as r:
        captured = r.request(request_id=sent)
        assert captured.id not in ("", sent)
        r.feed(captured, Closed())


async def test_copies_in_flight_at_the_end_are_counted_as_lost() -> None:
    async with setup() as r:
        captured = r.request()
        await eventually(lambda: len(r.sender.copies) == 1)
        r.feed(captured, OK, END)
        for task in r.capturer.running:
            task.cancel()
        await r.settled()
        assert r.coverage == {"captured": 1, "lost_shutdown": 1}


async def test_an_unexpected_error_loses_one_pair_and_the_next_one_is_written() -> None:
    class FailsOnOneRequest(TwinSender):
        async def send(self, copy: ShadowRequest) -> ShadowAnswer:
            if copy.headers["x-request-id"] == "poison":
                raise ZeroDivisionError
            return await super().send(copy)

    async with setup(sender=FailsOnOneRequest()) as r:
        r.sender.gate.set()
        for name in ("poison", "fine"):
            r.feed(r.request(request_id=name), OK, END)
        await r.settled()
        assert [made.id for made in r.sink.pairs] == ["fine"]
        assert r.coverage == {"captured": 2, "internal_error": 1}
        assert sum(r.capturer.in_flight.counts.values()) == 0


async def test_an_aborted_exchange_counts_as_aborted_even_if_its_copy_had_an_unexpected_error() -> None:
    class AlwaysFails(TwinSender):
        async def send(self, copy: ShadowRequest) -> ShadowAnswer:
            self.copies.append(copy)
            raise ZeroDivisionError

    async with setup(sender=AlwaysFails()) as r:
        captured = r.request()
        await eventually(lambda: len(r.sender.copies) == 1)
        r.feed(captured, Closed())
        await r.settled()
        assert r.coverage == {"captured": 1, "aborted": 1}


async def test_an_unexpected_error_while_a_pair_is_written_loses_that_pair() -> None:
    class AlwaysFails(InMemorySink):
        def put_pair(self, raw: RawPair) -> None:
            raise ZeroDivisionError

    async with setup(sink=AlwaysFails()) as r:
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        assert r.coverage == {"captured": 1, "internal_error": 1}
