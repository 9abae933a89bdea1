"""Repetition: loops are found, lists of similar items are not."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from tests.support.comparison_cases import compare_texts

PLAIN = (
    "A tent for a windy coast should have strong poles and a low shape. Look at how many pegs come with it, "
    "whether the inner part can be pitched first, and what it weighs. Shops near the harbour lend some out for a "
    "night."
)
CATALOGUE = "Here are some tents that do well in wind:\n\n" + "\n".join(
    f"{i}. **{name}**: rated {rating} of 5 in our shop, {price} euros\n   - A {kind} tent with {poles} poles, taped "
    "seams and a carrying bag"
    for i, (name, rating, price, kind, poles) in enumerate(
        [
            ("Fjordlight 2", "4.5", 210, "low", "three"),
            ("Dune Runner", "4.2", 180, "light", "two"),
            ("Harbour Master", "4.8", 340, "heavy", "four"),
            ("Gull", "3.9", 95, "small", "two"),
            ("Northeaster", "4.6", 410, "large", "five"),
            ("Skerry Lite", "4.1", 160, "simple", "three"),
        ],
        1,
    )
)
TWO_RECIPES = "\n\n".join(
    f"**Pickled {name}**\n\n* 1 kilogram of {name}\n* 200 ml of cider vinegar\n* 2 spoons of sugar\n* mustard seeds\n\n"
    f"1. Wash the {name} and cut them into {shape}. Salt them, and wait for {wait} minutes.\n"
    f"2. Boil the vinegar with sugar and mustard seeds, then let it cool.\n3. Fill the {name} into jars with {herb}, "
    f"and pour the vinegar over. They keep for {weeks} weeks."
    for name, shape, wait, herb, weeks in (
        ("cucumbers", "thick rounds", 40, "fresh dill", 6),
        ("beets", "thin slices", 10, "a bay leaf", 12),
    )
)


@pytest.mark.parametrize("similar_items", [CATALOGUE, TWO_RECIPES], ids=["products", "recipes"])
def test_a_list_of_similar_items_is_not_a_loop(similar_items: str) -> None:
    result = compare_texts(PLAIN, similar_items, Similarity(0.75, 0.7))
    assert "repetition" not in result.flags
    assert result.signals["repetition"] < 0.3


@pytest.mark.parametrize(
    "looping",
    [
        CATALOGUE
        + "\n\nWhich one is right for you depends on how often you are out. A heavy one stands longer in any gale." * 4,
        TWO_RECIPES + "\n\n" + TWO_RECIPES,
        "Good poles matter most. "
        + "the wind comes from the sea and the wind goes back to the sea and then again " * 9,
    ],
    ids=["sentences", "the whole answer", "without an end"],
)
def test_repeated_sentences_are_a_loop_even_in_free_text(looping: str) -> None:
    assert "repetition" in compare_texts(PLAIN, looping, Similarity(0.75, 0.7)).flags
