"""Differences between two JSON values."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config.comparison import ExtractionSection
from scorer.scoring.compare.structured.json_diff import match_trees, within

PLAIN = ExtractionSection()


def test_each_difference_names_its_place_and_values() -> None:
    left = {"id": 7, "items": [{"price": 10}, {"price": 20}], "note": "a", "paid": True}
    right = {"id": "7", "items": [{"price": 10}, {"price": 21}], "paid": True, "extra": 1}
    tree = match_trees(left, right, PLAIN)
    assert [str(d) for d in tree.differences] == [
        "id: 7 → '7'",
        "items[1].price: 20 → 21",
        "note: 'a' is missing",
        "extra: 1 is new",
    ]
    assert tree.share == pytest.approx(2 / 6)


def test_tolerances_are_absolute_or_relative_and_belong_to_a_key() -> None:
    settings_ = ExtractionSection(tolerance={"total": "1%", "items[].price": 0.01})
    assert match_trees({"total": 1000.0}, {"total": 1009.0}, settings_).share == 1.0
    assert match_trees({"total": 1000.0}, {"total": 1011.0}, settings_).share == 0.0
    assert match_trees({"items": [{"price": 1.0}]}, {"items": [{"price": 1.01}]}, settings_).share == 1.0
    assert match_trees({"other": 1.0}, {"other": 1.001}, settings_).share == 0.0


def test_order_counts_unless_a_list_is_declared_unordered() -> None:
    left, right = {"tags": ["a", "b", "c"]}, {"tags": ["c", "a", "b"]}
    assert match_trees(left, right, PLAIN).share == 0.0
    assert match_trees(left, right, ExtractionSection(unordered=("tags",))).share == 1.0
    nested = ExtractionSection(unordered=("rows", "rows[].tags"), tolerance={"rows[].n": 0.5})
    a = {"rows": [{"n": 1, "tags": ["x", "y"]}, {"n": 9, "tags": ["z"]}]}
    b = {"rows": [{"n": 9.4, "tags": ["z"]}, {"n": 1.2, "tags": ["y", "x"]}]}
    assert match_trees(a, b, nested).share == 1.0


def test_ignored_keys_are_not_compared() -> None:
    settings_ = ExtractionSection(ignore=("meta.*", "rows[].id"))
    a = {"meta": {"at": 1, "by": "x"}, "rows": [{"id": 1, "v": 2}]}
    b = {"meta": {"at": 2}, "rows": [{"id": 9, "v": 2}]}
    assert match_trees(a, b, settings_).share == 1.0


def test_composed_and_decomposed_accents_are_equal() -> None:
    unordered = ExtractionSection(unordered=("v",))
    for settings_ in (PLAIN, unordered):
        assert match_trees({"v": ["Z\u00fcrich"]}, {"v": ["Zu\u0308rich"]}, settings_).share == 1.0


def test_true_and_one_differ_in_type() -> None:
    assert match_trees(True, 1, PLAIN).differences[0].kind == "type"
    assert match_trees(1, 1.0, PLAIN).share == 1.0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(JSON, JSON)
def test_matching_is_bounded_and_symmetric(a: object, b: object) -> None:
    one, other = match_trees(a, b, PLAIN), match_trees(b, a, PLAIN)
    assert 0.0 <= one.share <= 1.0
    assert one.share == pytest.approx(other.share)
    assert match_trees(a, a, PLAIN).share == 1.0


def test_whole_numbers_are_compared_exactly_and_floats_within_rounding() -> None:
    ids = match_trees({"id": 9007199254740993}, {"id": 9007199254740992}, PLAIN)
    assert [d.kind for d in ids.differences] == ["value"]
    assert within(0.1 + 0.2, 0.3, 0.0)
    assert within(10**30, 10.0**30, 0.0)
    assert not within(10**30, 10**30 + 1, 0.0)
    assert within(10**30, 10**30 + 1, 1)
    assert not within(1e-14, 5e-14, 0.0)


NUMBERS = st.integers() | st.integers(10**300, 10**320) | st.floats(allow_nan=True, allow_infinity=True)


@given(NUMBERS, NUMBERS, st.sampled_from([0.0, 0.5, "1%", "100%", 1e300]))
def test_comparing_two_numbers_never_raises_and_is_symmetric(a: float, b: float, tolerance: float | str) -> None:
    assert within(a, b, tolerance) == within(b, a, tolerance)


def spent(left: object, right: object, settings_: ExtractionSection) -> tuple[float, float]:
    """Return (share, CPU seconds)."""
    begun = time.process_time()
    share = match_trees(left, right, settings_).share
    return share, time.process_time() - begun


NESTED = ExtractionSection(unordered=("items", "items[].tags"))


def rows(count: int, tags: int = 20) -> list[dict[str, object]]:
    return [{"name": f"item {i}", "price": i, "tags": [f"{i}-{t}" for t in range(tags)]} for i in range(count)]


def test_nested_unordered_lists_are_paired_at_a_bounded_cost() -> None:
    left = {"items": rows(400)}
    reversed_ = {"items": [{**row, "tags": row["tags"][::-1]} for row in reversed(rows(400))]}  # type: ignore[index]
    share, seconds = spent(left, reversed_, NESTED)
    assert share == 1.0
    assert seconds < 2
    changed = {"items": [{**row, "price": -1} for row in reversed_["items"]]}
    share, seconds = spent(left, changed, NESTED)
    assert share == pytest.approx(1 - 1 / 22)  # each item is paired with its former self, except for the price
    assert seconds < 4


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(JSON, max_size=6), st.randoms())
def test_the_order_of_an_unordered_list_never_matters(items: list[object], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert match_trees({"items": items}, {"items": shuffled}, ExtractionSection(unordered=("items",))).share == 1.0
