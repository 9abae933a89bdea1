"""The index selects the same pairs as the filter, in the same order, and stays within its limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.pair_labels import Judgement, PairLabel
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.protobuf_codec import encode_scored
from glidepath.sides import Origin, Side
from glidepath_ops.console.pair_index import PAGE, PairIndex
from glidepath_ops.pairs.select_pairs import PairFilter, badness
from tests.support.console_data import pair, scored

ONE = scored(pair("x", "a", "b"))
FACTS = st.builds(
    AnswerFacts,
    st.just(Origin.LIVE),
    st.sampled_from(["cloud", "onprem"]),
    st.sampled_from([200, 404, 500, 503]),
    faults=st.sampled_from([(), ("refusal",), ("loop", "cut")]),
)
RESULTS = st.builds(
    ScoredPair,
    st.sampled_from([f"p{n}" for n in range(30)] + ["p1~noise"]),
    st.just("chat"),
    st.sampled_from(PairKind),
    st.integers(0, 50),
    st.just(0),
    st.booleans(),
    unscored_reason=st.sampled_from(["candidate_status", "request_cut"]),
    agreement=st.floats(0, 1),
    flags=st.sampled_from([(), ("numbers",), ("numbers", "names")]),
    baseline=FACTS,
    candidate=FACTS,
    sticky=st.sampled_from(["", "ana"]),
)
FILTERS = st.builds(
    PairFilter,
    flags=st.sampled_from([frozenset(), frozenset({"numbers"})]),
    faults=st.sampled_from([frozenset(), frozenset({"loop"})]),
    reasons=st.sampled_from([frozenset(), frozenset({"request_cut"})]),
    side=st.none() | st.sampled_from(Side),
    status=st.sampled_from(["", "5xx", "404", "2xx"]),
    since_ms=st.none() | st.integers(0, 50),
    until_ms=st.none() | st.integers(0, 50),
    request_id=st.sampled_from(["", "p1"]),
    sticky=st.sampled_from([frozenset(), frozenset({"ana"})]),
    label=st.none() | st.just(Judgement.NOT),
    labelled=st.none() | st.booleans(),
    kind=st.none() | st.sampled_from(PairKind),
)
LABELS = {name: PairLabel(name, Judgement.NOT, "ana", 1) for name in ("p1", "p2", "p3")}


def entries(results: list[ScoredPair]) -> list[tuple[bytes, dict[bytes, bytes]]]:
    return [(b"%d-0" % number, {b"r": encode_scored(one), b"e": b"1-0"}) for number, one in enumerate(results, 1)]


@pytest.mark.slow
@given(st.lists(RESULTS, max_size=25), FILTERS)
def test_the_index_selects_what_the_filter_selects(results: list[ScoredPair], wanted: PairFilter) -> None:
    index = PairIndex("chat", 1000)
    index.add_newer(entries(results))
    expected = [place for place, one in enumerate(results) if wanted.selects(one, LABELS)]
    assert index.select(wanted, LABELS, worst=False, most=99) == expected[::-1]
    worst = index.select(wanted, LABELS, worst=True, most=99)
    assert sorted(worst) == expected
    assert index.matching(wanted, LABELS) == expected
    assert index.select(wanted, LABELS, worst=True, most=2) == worst[:2]
    assert index.select(wanted, LABELS, worst=False, most=2) == expected[::-1][:2]
    assert [badness(results[place]) for place in worst] == sorted((badness(results[p]) for p in expected), reverse=True)


def test_older_pages_come_before_and_old_results_leave() -> None:
    results = [replace(ONE, pair_id=f"p{number}", flags=("numbers",)) for number in range(3 * PAGE)]
    stored = entries(results)
    index = PairIndex("chat", PAGE)
    index.add_newer(stored[PAGE : 2 * PAGE])
    index.add_older(stored[:PAGE][::-1])
    assert [one.pair_id for one in index.results[:2]] == ["p0", "p1"]
    index.add_newer(stored[2 * PAGE :])
    assert len(index) == len(index.ids) == len(index.bad) == len(index.captured) == PAGE
    assert index.results[-1].pair_id == f"p{3 * PAGE - 1}"
    assert index.flags["numbers"] == PAGE
    assert index.place_of("p0") is None
    assert index.place_of(f"p{3 * PAGE - 1}") == PAGE - 1


def test_a_damaged_result_is_left_out() -> None:
    index = PairIndex("chat", PAGE)
    index.add_newer([(b"1-0", {b"r": b"\xff\xff"}), (b"2-0", {}), *entries([ONE])])
    assert [one.pair_id for one in index.results] == ["x"]
