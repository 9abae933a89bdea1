"""The query parameters of a search for pairs."""

from __future__ import annotations

import pytest

from glidepath.errors import InputError
from glidepath.pair_labels import Judgement
from glidepath.sides import Side
from glidepath_ops.console.pair_query import PairQuery, query_of
from glidepath_ops.pairs.select_pairs import PairFilter


def ask(**parameters: str) -> PairQuery:
    return query_of(parameters, lambda value: f"digest of {value}", 1_000_000_000)


def test_without_parameters_the_worst_pairs_of_both_sides_are_searched() -> None:
    assert ask() == PairQuery(PairFilter(), True, {})


def test_each_parameter_is_read() -> None:
    found = ask(sort="newest", flag="numbers", fault="refusal", side="candidate", status="5xx", since="2h", label="not")
    wanted = found.filter
    assert (found.worst, wanted.flags, wanted.faults) == (False, {"numbers"}, {"refusal"})
    assert (wanted.side, wanted.status, wanted.label) == (Side.CANDIDATE, "5xx", Judgement.NOT)
    assert wanted.since_ms == 1_000_000_000 - 7_200_000


def test_a_sticky_key_is_searched_by_value_and_by_digest() -> None:
    assert ask(sticky="ana").filter.sticky == {"ana", "digest of ana"}


def test_labelled_pairs_and_pairs_without_a_label() -> None:
    assert ask(label="any").filter.labelled is True
    assert ask(label="none").filter.labelled is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flag", "<script>"),
        ("fault", "x"),
        ("side", "left"),
        ("status", "99"),
        ("since", "yesterday"),
        ("until", "9999-99-99"),
        ("label", "good"),
        ("sort", "best"),
        ("kind", "x"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        ask(**{name: value})


def test_a_link_keeps_the_search() -> None:
    assert ask(flag="numbers", sort="newest").link(id="a b&c") == "sort=newest&flag=numbers&id=a+b%26c"
