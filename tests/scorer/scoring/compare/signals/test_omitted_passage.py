"""Omissions; the pairs in cases/pairs/ test the other signals about content."""

from __future__ import annotations

from tests.support.comparison_cases import compare_texts

FULL = (
    "The plan was made in the spring and nobody has touched it. "
    "The landlord may enter the flat only with permission, and never at night."
    " More about that is written in the second report of the office."
)


def test_a_missing_restriction_sentence_or_table_row_is_an_omission() -> None:
    assert "omission" in compare_texts(FULL, FULL.replace(" only with permission", "")).flags
    longer = "Ducks swim across the harbour in front of a burning ferry. " + FULL
    assert "omission" in compare_texts(longer, FULL).flags
    table = "| City | Rooms |\n|---|---|\n| Oslo | 12 |\n| Bergen | 30 |\n| Voss | 9 |\n\nAll of them are open in May."
    assert "omission" in compare_texts(table, table.replace("| Bergen | 30 |\n", "")).flags


def test_an_addition_or_a_missing_introduction_is_not_an_omission() -> None:
    longer = "Ducks swim across the harbour in front of a burning ferry. " + FULL
    assert compare_texts(FULL, longer).flags == ()
    introduction = "Here is a simple recipe for pancakes and waffles:\n\n" + FULL
    assert "omission" not in compare_texts(introduction, FULL).flags
