"""Answers that lose their way: loops against lists of alike items, passages of another text."""

from __future__ import annotations

import numpy as np
import pytest

from glidepath.config.comparison import ScoringSection
from glidepath.config.processes import EmbedderSection
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import Similarity, chunk_similarity
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.document import Document
from scorer.scoring.embed import embed_texts, load_embedder

SETTINGS = ScoringSection()
TEXT = (
    "The ferry from Lerwick takes twelve hours and sails at seven in the evening. Cabins have two or four beds, and "
    "the restaurant serves until ten. Cars must be on the quay an hour before."
)


def compared(left: str, right: str, said: Similarity) -> Comparison:
    return compare_text(Document(left), Document(right), SETTINGS, said)


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


@pytest.mark.parametrize("alike", [CATALOGUE, TWO_RECIPES], ids=["products", "recipes"])
def test_items_of_the_same_make_are_no_loop(alike: str) -> None:
    result = compared(PLAIN, alike, Similarity(0.75, 0.7))
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
def test_sentences_that_are_said_again_are_a_loop_even_in_free_text(looping: str) -> None:
    assert "repetition" in compared(PLAIN, looping, Similarity(0.75, 0.7)).flags


OTHER = (
    "Camping by the sea is mostly a matter of wind. Choose a place behind a hedge or a wall, turn the small side "
    "of the tent to the weather, and use long pegs, as sand holds badly. A warm sleeping bag matters more than a "
    "thick mat."
)


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        (Similarity(0.7, 0.1, part=4, parts=4), ("off_topic",)),
        (Similarity(0.7, 0.1, part=2, parts=3, in_left=True), ("baseline_off_topic",)),
        (Similarity(0.7, 0.3, part=4, parts=4), ()),
        (Similarity(0.7, 0.6, part=1, parts=4), ()),
    ],
)
def test_a_passage_that_is_like_nothing_on_the_other_side_is_a_drift(said: Similarity, flags: tuple[str, ...]) -> None:
    result = compared(PLAIN, OTHER, said)
    assert result.flags == flags
    if flags:
        assert result.details["off_topic"] == f"part {said.part} of {said.parts} resembles nothing in the other answer"
        assert result.agreement < compared(PLAIN, OTHER, Similarity(0.7, 0.3, 4, 4)).agreement - 0.1


def test_an_answer_of_one_passage_is_judged_by_its_meaning_alone() -> None:
    assert "off_topic" not in compared(PLAIN, OTHER, Similarity(0.3, 0.1)).flags


def test_texts_that_are_word_for_word_the_same_do_not_drift_whatever_an_embedding_says() -> None:
    assert compared(TEXT, TEXT + " It is well known.", Similarity(0.9, 0.1, part=1, parts=2)).flags == ()


def test_where_a_passage_fits_least_is_known() -> None:
    rows = np.eye(3, dtype=np.float32)
    assert chunk_similarity(rows[:1], rows[[0, 1]]) == Similarity(pytest.approx(2 / 3), 0.0, part=2, parts=2)
    assert chunk_similarity(rows[[2, 0, 1]], rows[[0, 1]]) == Similarity(
        pytest.approx(0.8), 0.0, part=1, parts=3, in_left=True
    )


WANDERS = (
    "\n\nThe lessee shall keep the premises in good repair and shall not assign this agreement without the written "
    "consent of the lessor. Any notice under clause 14 is deemed to be served on the third working day after "
    "posting. The deposit is held by a scheme that the parties agree upon, less any deductions for arrears, and "
    "interest accrues to the party entitled to the principal. Where a dispute arises, either party may refer it "
    "to arbitration in accordance with the rules in force at the date of the reference, and the award is final. "
    "Costs follow the event unless the arbitrator directs otherwise. Nothing in this clause prevents an "
    "application to the court for an injunction."
)


def test_an_answer_that_wanders_off_into_another_text_is_seen_by_the_default_engine() -> None:
    embedder = load_embedder(EmbedderSection())
    long, other = " ".join([PLAIN, TEXT, OTHER]), " ".join([OTHER, TEXT, PLAIN])

    def scored(right: str) -> Comparison:
        a, b = Document(long), Document(right)
        return compare_text(a, b, SETTINGS, chunk_similarity(*embed_texts(embedder, [a.canonical, b.canonical])))

    assert "off_topic" in scored(other + WANDERS * 2).flags
    assert "off_topic" not in scored(other + " " + CATALOGUE).flags
