"""The queues of pairs that wait for Redis: every lost pair is counted, and no workload takes the space of another."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.pair_encoding import EncodedPair, RawPair
from extproc.waiting_pairs import BATCH, LONGEST_WAIT_S, BufferLimits, PairQueues
from glidepath.pairs import Answer, Pair, PairKind
from glidepath.sides import Origin, Side

ROOM = BufferLimits(1000, 10**8)


def raw(number: int, workload: str = "chat", size: int = 10) -> RawPair:
    answer = Answer(Side.BASELINE, Origin.LIVE, "cloud", 200, body=b"x" * size)
    return RawPair(Pair(f"id-{number}", workload, PairKind.CROSS, 0, "POST", "/", b"", answer, answer))


def encoded(pairs: list[RawPair]) -> list[EncodedPair]:
    return [EncodedPair(one.pair.workload, one.pair.kind, one.pair.id.encode()) for one in pairs]


def fed(queues: PairQueues, now: float) -> list[EncodedPair]:
    queues.store(encoded(queues.take(now)))
    return queues.writable(now)


def test_a_refused_workload_waits_alone() -> None:
    queues = PairQueues(ROOM)
    for number in range(3):
        queues.put(raw(number))
        queues.put(raw(number, "mail"))
    written = fed(queues, 0)
    queues.settle(written, [one.workload == "mail" for one in written], 0)
    assert queues.refused_workloads() == ["chat"]
    queues.put(raw(3, "mail"))
    assert {one.workload for one in fed(queues, 0)} == {"mail"}
    assert {one.workload for one in queues.writable(LONGEST_WAIT_S)} == {"chat", "mail"}


def test_a_workload_that_fills_the_buffer_loses_its_own_pairs() -> None:
    queues = PairQueues(BufferLimits(10, 10**6))
    for number in range(3):
        assert queues.put(raw(number, "mail")) == []
    dropped = [one for number in range(40) for one in queues.put(raw(number))]
    assert {one.pair.workload for one in dropped} == {"chat"}
    assert [one.pair.id for one in dropped] == [f"id-{number}" for number in range(33)]
    assert queues.fill[0] == 10


def test_a_batch_has_pairs_of_each_workload() -> None:
    queues = PairQueues(ROOM)
    for number in range(2 * BATCH):
        queues.put(raw(number))
    queues.put(raw(0, "mail"))
    assert Counter(one.pair.workload for one in queues.take(0)) == {"chat": BATCH - 1, "mail": 1}


def test_the_pause_after_a_refusal_grows_to_a_second() -> None:
    queues = PairQueues(ROOM)
    queues.put(raw(1))
    now = 0.0
    written = fed(queues, now)
    pauses = []
    for _ in range(8):
        queues.settle(written, [False], now)
        due = queues.next_try()
        assert due is not None
        pauses.append(due - now)
        now = due
    assert pauses[:3] == pytest.approx([0.05, 0.1, 0.2])
    assert pauses[-1] == pytest.approx(LONGEST_WAIT_S)


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 50), st.sampled_from(["put", "encode", "write", "refuse"])),
        max_size=60,
    )
)
def test_every_pair_is_written_dropped_or_still_there_and_in_order(steps: list[tuple[str, int, str]]) -> None:
    limits, now = BufferLimits(8, 20_000), 0.0
    queues = PairQueues(limits)
    ends: Counter[str] = Counter()
    seqs: dict[str, list[int]] = {"a": [], "b": []}
    for number, (workload, size, step) in enumerate(steps):
        now += 0.5
        if step == "put":
            ends["put"] += 1
            ends["dropped"] += len(queues.put(raw(number, workload, size * 100)))
        elif step == "encode":
            made: list[EncodedPair | None] = list(encoded(queues.take(now)))
            half = made[: len(made) // 2 + 1]
            if half:
                half[-1] = None if size > 25 else half[-1]
            ends["unencoded"] += len(queues.store(half))
        else:
            written = queues.writable(now)
            kept = [step == "write" or one.workload != workload for one in written]
            queues.settle(written, kept, now)
            for one, k in zip(written, kept, strict=True):
                ends["written"] += k
                seqs[one.workload] += [one.seq] if k else []
    assert ends["put"] == ends["dropped"] + ends["unencoded"] + ends["written"] + queues.fill[0]
    assert all(numbers == sorted(set(numbers)) for numbers in seqs.values())
    assert len(queues.drain()) == ends["put"] - ends["dropped"] - ends["unencoded"] - ends["written"]
    assert queues.fill == (0, 0)
