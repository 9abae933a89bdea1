"""The count of access log entries that reached no extproc is a lower bound, and exact after a pause."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.leader.count_unseen_log_entries import LAG_S, Increase, UnseenCount, produced_entries

# For each second: entries that an Envoy produces, and how many of these are lost.
SECONDS = st.lists(
    st.integers(0, 50).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=40
)


@given(SECONDS, st.integers(0, int(LAG_S) - 1), st.integers(0, 500), st.integers(0, 500))
def test_the_count_never_exceeds_the_loss_and_equals_it_after_a_pause(
    seconds: list[tuple[int, int]], delay: int, produced: int, arrived: int
) -> None:
    """``delay``: the seconds that an entry takes from Envoy to extproc. Both counters begin at any value."""
    count = UnseenCount().after({"envoy": produced}, {"worker": arrived}, 0.0)
    coming = [0] * delay
    lost = 0
    for now, (made, missing) in enumerate([*seconds, *[(0, 0)] * 12], start=1):
        produced, lost = produced + made, lost + missing
        coming.append(made - missing)
        arrived += coming.pop(0)
        count = count.after({"envoy": produced}, {"worker": arrived}, float(now))
        assert count.unseen <= lost
    assert count.unseen == lost
    assert len(count.history) <= LAG_S + 3


def test_a_counter_that_begins_again_and_a_new_process_count_from_0() -> None:
    sum_of = Increase().after({"a": 100}, count_new=True)
    for values, total in (({"a": 130}, 30), ({"a": 7}, 37), ({"a": 9, "b": 5}, 44), ({"b": 6}, 45), ({"a": 9}, 45)):
        sum_of = sum_of.after(values, count_new=True)
        assert sum_of.total == total


def test_an_envoy_that_is_found_later_counts_from_its_first_reading() -> None:
    sum_of = Increase().after({}, count_new=False).after({"late": 5000}, count_new=False)
    assert sum_of.total == 0
    assert sum_of.after({"late": 5003}, count_new=False).total == 3


def test_written_and_dropped_entries_are_produced() -> None:
    names = {"access_logs.grpc_access_log.logs_written": 3, "access_logs.grpc_access_log.logs_dropped": 4, "other": 9}
    stats = {"stats": [{"name": name, "value": value} for name, value in names.items()] + [{"histograms": {}}]}
    assert produced_entries(json.dumps(stats).encode()) == 7


@pytest.mark.parametrize("body", [b"", b"[]", b'{"stats": [{"name": "x.logs_written"}]}', b'{"stats": 3}'])
def test_another_answer_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not an answer"):
        produced_entries(body)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"stats": [{"name": "x.logs_written", "value": 1e999}]}', b'{"stats": 5}', b"\xff"]
)
def test_what_is_no_answer_of_envoy_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="not an answer"):
        produced_entries(body)
