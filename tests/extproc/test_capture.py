"""From exchanges to pairs, and every reason for which no pair is made."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from extproc.answer_check import AnswerChecker
from extproc.body_limits import BodyMemory
from extproc.capture import Capturer
from extproc.captured_exchange import CapturedExchange
from extproc.copy_budget import Budgets, InMemorySpendingCounters
from extproc.copy_sender import ShadowAnswer, ShadowRequest
from extproc.exchange import Exchange
from extproc.exchange_events import Chunk, Closed, Event, RequestHeaders, ResponseHeaders
from extproc.exchange_transitions import Half
from extproc.outcome_classification import RequestOutcome
from extproc.traffic_counters import TrafficCounters
from extproc.workloads import WorkloadInfo, build_workloads
from extproc.write_buffer import InMemorySink, RawPair
from glidepath.pairs import Answer, Ending, PairKind
from glidepath.sides import Origin, Side
from glidepath.telemetry.signals import NO_TRACES, CopyToTrace, CopyTracer
from tests.support.extproc_twins import CHAT, TwinSender, capture_config
from tests.support.waiting import eventually

OK = ResponseHeaders(200, {"content-type": "application/json"}, 1, "via_upstream")
OF_CANDIDATE = replace(OK, backend="onprem")
END = Chunk(Half.RESPONSE, b"ours", True)


@dataclass(slots=True)
class CaptureSetup:
    workload: WorkloadInfo
    capturer: Capturer
    sender: TwinSender
    sink: InMemorySink
    counters: TrafficCounters
    budgets: Budgets
    memory: BodyMemory
    captured: list[CapturedExchange] = field(default_factory=list)
    now: float = 1.0  # the time of the last event; each comes a second after the one before
    clock: float = 0.0  # the time by which copies pause

    def request(
        self,
        cluster: str = "cloud",
        request_id: str = "id-1",
        own_id: str = "",
        path: str = f"{CHAT}?key=SECRET&lang=de&v=1",
        body: bytes = b"question",
        **headers: str,
    ) -> CapturedExchange:
        """Feed a complete request to a new exchange. ``own_id``: the id that Envoy gives to the exchange."""
        exchange = Exchange(1000, self.memory)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        event = RequestHeaders(
            {":method": "POST", ":path": path, "x-request-id": request_id, **named},
            cluster,
        )
        exchange.feed(event, self.now)
        captured = self.capturer.begin(self.workload, exchange, own_id)
        self.feed(captured, Chunk(Half.REQUEST, body, True))
        return captured

    def feed(self, captured: CapturedExchange, *events: Event) -> None:
        for event in events:
            self.now += 1.0
            self.capturer.advance(captured, captured.exchange.feed(event, self.now))

    async def settled(self) -> None:
        await eventually(lambda: not self.capturer.running)
        assert self.memory.held == self.sender.memory.held == 0

    @property
    def coverage(self) -> dict[str, int]:
        return {reason: number for (_, reason), number in self.counters.coverage_totals.items()}


@asynccontextmanager
async def setup(
    shadow: str = "{}",
    sender: TwinSender | None = None,
    sink: InMemorySink | None = None,
    fallback: str = "true",
    traces: CopyTracer = NO_TRACES,
) -> AsyncIterator[CaptureSetup]:
    settings = capture_config(shadow, f"    fallback: {fallback}")
    counters, sink, sender, budgets = (
        TrafficCounters(),
        sink or InMemorySink(),
        sender or TwinSender(),
        Budgets(settings),
    )
    async with asyncio.TaskGroup() as tasks:
        checker = AnswerChecker(counters, 10**6, wall=lambda: 1_000.0)
        capturer = Capturer(
            counters, budgets, sender, sink, tasks, checker, traces, wall=lambda: 1_000.0, clock=lambda: made.clock
        )
        made = CaptureSetup(
            build_workloads(settings)["chat"], capturer, sender, sink, counters, budgets, BodyMemory(10**6)
        )
        yield made
        sender.gate.set()
        checker.close()


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
    """The baseline gets no copy either: it has the request already if it rescued it."""
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


async def test_copies_pause_for_as_long_as_a_side_that_answers_429_asks() -> None:
    async with setup() as r:
        r.sender.status, r.sender.retry_after = 429, "30"
        r.sender.gate.set()
        r.feed(r.request(request_id="first"), OK, END)
        await r.settled()
        r.sender.status = 200
        for when, sent in ((29.0, 1), (30.0, 2)):
            r.clock = when
            r.feed(r.request(request_id=f"at {when}"), OK, END)
            await r.settled()
            assert len(r.sender.copies) == sent
        assert r.coverage == {"captured": 3, "tee_failed": 1, "cool_down": 1}


@pytest.mark.parametrize("cluster", ["cloud", "onprem-or-cloud"])
async def test_a_client_that_gets_a_429_pauses_the_copies_to_that_side(cluster: str) -> None:
    async with setup("{same_side: 100}") as r:
        r.sender.gate.set()
        limited = replace(OF_CANDIDATE if cluster != "cloud" else OK, status=429, headers={"retry-after": "30"})
        r.feed(r.request(cluster, "limited"), limited, END)
        await r.settled()
        sent = len(r.sender.copies)
        r.feed(r.request(request_id="next"), OK, END)
        await r.settled()
        limited_side = "cloud" if cluster == "cloud" else "onprem"
        assert limited_side not in {copy.backend for copy in r.sender.copies[sent:]}
        assert len(r.sender.copies) == sent + 1


async def test_a_side_that_fails_every_copy_gets_one_after_each_pause() -> None:
    async with setup() as r:
        r.sender.ending, r.sender.status = Ending.REFUSED, 0
        r.sender.gate.set()
        for n in range(20):
            r.feed(r.request(request_id=f"id-{n}"), OK, END)
            await r.settled()
        assert len(r.sender.copies) == 6
        r.sender.ending, r.sender.status = Ending.COMPLETE, 200
        r.clock = 2.0
        for n in range(3):
            r.feed(r.request(request_id=f"later-{n}"), OK, END)
            await r.settled()
        assert sum(raw.counted for raw in r.sink.raw) == 3


async def test_the_copy_of_a_response_is_not_stored() -> None:
    async with setup() as r:
        r.sender.gate.set()
        captured = r.request(path="/v1/responses", body=b'{"input": "x"}')
        r.feed(captured, OK, END)
        await r.settled()
        assert [copy.body for copy in r.sender.copies] == [b'{"store":false,"input": "x"}']
        assert r.sink.pairs[0].request_body == b'{"input": "x"}'


async def test_the_copy_of_an_encoded_response_is_sent_as_it_is_read() -> None:
    async with setup() as r:
        r.sender.gate.set()
        packed = gzip.compress(b'{"input": "x"}')
        captured = r.request(path="/v1/responses", body=packed, content_encoding="gzip")
        r.feed(captured, OK, END)
        await r.settled()
        (copy,) = r.sender.copies
        assert (copy.body, "content-encoding" in copy.headers) == (b'{"store":false,"input": "x"}', False)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"tools": [{"type": "web_search"}]}', "has_effects"),
        (b'{"previous_response_id": "resp_1"}', "needs_state"),
    ],
)
async def test_a_request_that_acts_or_needs_state_is_not_copied(body: bytes, reason: str) -> None:
    async with setup() as r:
        r.feed(r.request(path="/v1/responses", body=body), OK, END)
        await r.settled()
        assert (r.sender.copies, r.coverage) == ([], {"captured": 1, reason: 1})


@pytest.mark.parametrize(("cluster", "fallback"), [("cloud", "true"), ("cloud", "false"), ("onprem", "false")])
async def test_a_plain_retry_is_no_failover(cluster: str, fallback: str) -> None:
    async with setup(fallback=fallback) as r:
        r.sender.gate.set()
        r.feed(r.request(cluster), ResponseHeaders(200, {}, 2, "via_upstream"), END)
        await r.settled()
        assert len(r.sink.pairs) == 1


@pytest.mark.parametrize(
    ("status", "ending"),
    [(200, Ending.ABORTED), (0, Ending.TIMEOUT), (0, Ending.REFUSED), (503, Ending.COMPLETE), (429, Ending.COMPLETE)],
)
async def test_a_failed_copy_is_counted_and_makes_a_pair_that_is_not(status: int, ending: Ending) -> None:
    async with setup() as r:
        r.sender.status, r.sender.ending = status, ending
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        assert r.coverage == {"captured": 1, "tee_failed": 1}
        assert [(raw.counted, raw.pair.second.ending, raw.pair.second.status) for raw in r.sink.raw] == [
            (False, ending, status)
        ]


async def test_a_failed_copy_to_the_baseline_makes_no_pair() -> None:
    async with setup() as r:
        r.sender.status = 503
        r.sender.gate.set()
        r.feed(r.request(r.workload.fallback), OF_CANDIDATE, END)
        await r.settled()
        assert (r.sink.raw, r.coverage) == ([], {"captured": 1, "tee_failed": 1})


@pytest.mark.parametrize(
    ("status", "ending"), [(200, Ending.ABORTED), (0, Ending.TIMEOUT), (503, Ending.COMPLETE), (429, Ending.COMPLETE)]
)
async def test_a_failed_copy_makes_a_pair_without_count_if_both_sides_got_a_copy(status: int, ending: Ending) -> None:
    async with setup("{same_side: 100}") as r:
        r.sender.status, r.sender.ending = status, ending
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        assert {raw.pair.kind for raw in r.sink.raw} == {PairKind.CROSS, PairKind.NOISE}
        assert {(raw.pair.both_copied, raw.counted) for raw in r.sink.raw} == {(True, False)}
        assert {(pair.second.ending, pair.second.status) for pair in r.sink.pairs} == {(ending, status)}
        assert r.coverage == {"captured": 1, "tee_failed": 1, "noise_tee_failed": 1}


@pytest.mark.parametrize("status", [400, 503])
async def test_both_copies_are_kept_though_the_clients_answer_failed(status: int) -> None:
    async with setup("{same_side: 100}") as r:
        captured = r.request()
        await eventually(lambda: len(r.sender.copies) == 2)
        r.feed(captured, replace(OK, status=status), END)
        assert r.sender.cancelled == 0
        r.sender.gate.set()
        await r.settled()
        assert {(raw.pair.kind, raw.pair.first.status, raw.counted) for raw in r.sink.raw} == {
            (PairKind.CROSS, status, False),
            (PairKind.NOISE, status, False),
        }
        assert r.coverage["not_comparable"] == 1
        assert "paired" not in r.coverage


async def test_only_one_accepted_copy_is_no_copy_of_both_sides() -> None:
    async with setup("{same_side: 100, max_in_flight: 1}") as r:
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        assert [(pair.kind, pair.both_copied) for pair in r.sink.pairs] == [(PairKind.CROSS, False)]


def record_refusal(r: CaptureSetup, side: Side, origin: Origin) -> None:
    """Record the access log entry of a request with status 4xx that counts as the client's fault."""
    r.counters.record(RequestOutcome("chat", side, origin, 1_000), "id-1")


async def test_a_request_that_only_the_other_side_refuses_is_the_other_sides_error() -> None:
    async with setup() as r:
        r.sender.status = 404
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        record_refusal(r, Side.CANDIDATE, Origin.SHADOW)
        (outcomes,) = r.counters.flush(1)
        assert (outcomes.sides[0].errors, outcomes.sides[0].error_kinds) == (1, {"capability": 1})
        assert r.sink.pairs[0].second.status == 404


@pytest.mark.parametrize("status", [401, 403])
async def test_a_copy_whose_credential_is_refused_counts_once(status: int) -> None:
    async with setup() as r:
        r.sender.status = status
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        r.counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.SHADOW, 1_000, error=f"http_{status}"), "id-1")
        r.counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.SHADOW, 1_000, latency_ms=1))
        (outcomes,) = r.counters.flush(60_000)
        assert (outcomes.sides[0].requests, outcomes.sides[0].error_kinds) == (2, {f"http_{status}": 1})


async def test_a_request_that_only_the_serving_side_refuses_is_its_error() -> None:
    async with setup() as r:
        r.sender.gate.set()
        r.feed(r.request(r.workload.fallback), replace(OF_CANDIDATE, status=400), END)
        await r.settled()
        record_refusal(r, Side.CANDIDATE, Origin.LIVE)
        (outcomes,) = r.counters.flush(1)
        assert outcomes.sides[0].error_kinds == {"capability": 1}
        assert (r.sink.pairs, outcomes.coverage) == ([], {"captured": 1, "not_comparable": 1})


async def test_a_request_that_both_sides_refuse_is_no_error_of_either() -> None:
    async with setup() as r:
        r.sender.status = 400
        r.sender.gate.set()
        r.feed(r.request(), ResponseHeaders(422, {}, 1, "via_upstream"), END)
        await r.settled()
        record_refusal(r, Side.BASELINE, Origin.LIVE)
        assert r.counters.flush(1)[0].sides[0].errors == 0
        assert r.coverage == {"captured": 1, "not_comparable": 1}


async def test_copies_above_max_in_flight_are_dropped_and_counted() -> None:
    async with setup("{max_in_flight: 2}") as r:
        captured = [r.request(request_id=f"id-{n}") for n in range(5)]
        await eventually(lambda: len(r.sender.copies) == 2)
        for one in captured:
            r.feed(one, OK, END)
        r.sender.gate.set()
        await r.settled()
        assert len(r.sender.copies) == len(r.sink.pairs) == 2
        assert r.coverage == {"captured": 5, "shed_in_flight": 3}


async def test_the_paid_side_gets_no_copies_above_the_budget() -> None:
    async with setup("{budget: {requests: 1}}") as r:
        r.sender.gate.set()
        await r.budgets.sync(InMemorySpendingCounters(), 1_000.0)
        for n in range(3):
            r.feed(r.request(r.workload.fallback, f"id-{n}"), OF_CANDIDATE, END)
            r.feed(r.request("cloud", f"free-{n}"), OK, END)
        await r.settled()
        assert r.coverage == {"captured": 6, "shed_budget": 2}
        assert [copy.backend for copy in r.sender.copies].count("cloud") == 1


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


@pytest.mark.parametrize(
    ("rules", "headers", "copied"),
    [
        ("[{header: x-no-store}]", {"x_no_store": "1"}, None),
        ("[{header: X-Tenant, values: [acme]}]", {"x_tenant": "acme"}, None),
        ("[{header: x-tenant, values: [acme]}]", {"x_tenant": "other"}, {"cloud", "onprem"}),
        ("[{header: x-tenant, to: baseline}]", {"x_tenant": "acme"}, {"onprem"}),
        ("[{header: x-tenant, to: candidate}]", {"x_tenant": "acme"}, {"cloud"}),
        ("[]", {"x_no_store": "1"}, {"cloud", "onprem"}),
    ],
)
async def test_a_request_that_opts_out_is_not_copied(
    rules: str, headers: dict[str, str], copied: set[str] | None
) -> None:
    async with setup(f"{{same_side: 100, opt_out: {rules}}}") as r:
        r.sender.gate.set()
        r.feed(r.request(**headers), OK, END)
        await r.settled()
        assert {copy.backend for copy in r.sender.copies} == (copied or set())
        assert r.coverage.get("opted_out", 0) == (0 if copied and "onprem" in copied else 1)
        if copied is None:
            assert (r.sink.pairs, r.coverage) == ([], {"captured": 1, "opted_out": 1})


async def test_requests_of_which_a_client_repeats_the_id_make_pairs_of_their_own_and_are_blamed_by_their_id() -> None:
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


@dataclass(slots=True)
class RecordedSpan:
    headers: dict[str, str]
    traceparent: str
    ended: list[Answer | None] = field(default_factory=list)

    def end(self, answer: Answer | None) -> None:
        self.ended.append(answer)


@dataclass(slots=True)
class RecordingTracer:
    copies: list[CopyToTrace] = field(default_factory=list)
    spans: list[RecordedSpan] = field(default_factory=list)

    def begin(self, copy: CopyToTrace) -> RecordedSpan:
        self.copies.append(copy)
        self.spans.append(RecordedSpan({"traceparent": "of-the-copy"}, "of-the-copy"))
        return self.spans[-1]


async def test_a_copy_is_traced_and_sent_with_the_trace_of_its_own_span() -> None:
    tracer = RecordingTracer()
    async with setup(traces=tracer) as r:
        captured = r.request(traceparent="of-the-client")
        await eventually(lambda: len(r.sender.copies) == 1)
        assert r.sender.copies[0].headers["traceparent"] == "of-the-copy"
        r.feed(captured, OK, END)
        r.sender.gate.set()
        await r.settled()
        (copy,) = tracer.copies
        assert (copy.workload, copy.side, copy.backend, copy.pair_id) == ("chat", "candidate", "onprem", "id-1")
        assert copy.headers["traceparent"] == "of-the-client"
        assert [answer.body for answer in tracer.spans[0].ended if answer is not None] == [b"theirs"]
        assert [pair.traceparent for pair in r.sink.pairs] == ["of-the-copy"]


async def test_the_span_of_a_copy_that_is_given_up_ends_once_without_an_answer() -> None:
    tracer = RecordingTracer()
    async with setup(traces=tracer) as r:
        captured = r.request()
        await eventually(lambda: len(r.sender.copies) == 1)
        r.feed(captured, ResponseHeaders(503, {}, 1, "via_upstream"), END)
        await r.settled()
        assert [span.ended for span in tracer.spans] == [[None]]
