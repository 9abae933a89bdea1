"""Off-topic passages: a passage from another text is found, and an answer in other words is not off-topic."""

from __future__ import annotations

import pytest

from glidepath.config.processes import EmbedderSection
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import Similarity, chunk_similarity
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.embed import embed_texts, load_embedder
from tests.support.comparison_cases import compare_texts

TEXT = (
    "The ferry from Lerwick takes twelve hours and sails at seven in the evening. Cabins have two or four beds, and "
    "the restaurant serves until ten. Cars must be on the quay an hour before."
)
PLAIN = (
    "A tent for a windy coast should have strong poles and a low shape. Look at how many pegs come with it, "
    "whether the inner part can be pitched first, and what it weighs. Shops near the harbour lend some out for a "
    "night."
)
OTHER = (
    "Camping by the sea is mostly a matter of wind. Choose a place behind a hedge or a wall, turn the small side "
    "of the tent to the weather, and use long pegs, as sand holds badly. A warm sleeping bag matters more than a "
    "thick mat."
)


@pytest.mark.parametrize(
    ("similarity", "flags"),
    [
        (Similarity(0.7, 0.1, part=4, parts=4), ("off_topic",)),
        (Similarity(0.7, 0.1, part=2, parts=3, in_left=True), ("baseline_off_topic",)),
        (Similarity(0.7, 0.3, part=4, parts=4), ()),
        (Similarity(0.7, 0.6, part=1, parts=4), ()),
    ],
)
def test_a_passage_that_resembles_nothing_in_the_other_answer_is_off_topic(
    similarity: Similarity, flags: tuple[str, ...]
) -> None:
    result = compare_texts(PLAIN, OTHER, similarity)
    assert result.flags == flags
    if flags:
        assert (
            result.details["off_topic"]
            == f"part {similarity.part} of {similarity.parts} resembles nothing in the other answer"
        )
        assert result.agreement < compare_texts(PLAIN, OTHER, Similarity(0.7, 0.3, 4, 4)).agreement - 0.1


def test_an_answer_of_a_single_passage_is_never_off_topic() -> None:
    assert "off_topic" not in compare_texts(PLAIN, OTHER, Similarity(0.3, 0.1)).flags


def test_equal_words_are_not_off_topic_whatever_the_embedding_says() -> None:
    assert compare_texts(TEXT, TEXT + " It is well known.", Similarity(0.9, 0.1, part=1, parts=2)).flags == ()


OFF_TOPIC = (
    "\n\nThe lessee shall keep the premises in good repair and shall not assign this agreement without the written "
    "consent of the lessor. Any notice under clause 14 is deemed to be served on the third working day after "
    "posting. The deposit is held by a scheme that the parties agree upon, less any deductions for arrears, and "
    "interest accrues to the party entitled to the principal. Where a dispute arises, either party may refer it "
    "to arbitration in accordance with the rules in force at the date of the reference, and the award is final. "
    "Costs follow the event unless the arbitrator directs otherwise. Nothing in this clause prevents an "
    "application to the court for an injunction."
)


@pytest.mark.slow
def test_the_default_engine_finds_an_answer_that_continues_with_another_text() -> None:
    embedder = load_embedder(EmbedderSection())
    long, other = " ".join([PLAIN, TEXT, OTHER]), " ".join([OTHER, TEXT, PLAIN])

    def scored(right: str) -> Comparison:
        a, b = Document(long), Document(right)
        return compare_texts(a, b, chunk_similarity(*embed_texts(embedder, [a.canonical, b.canonical])))

    assert "off_topic" in scored(other + OFF_TOPIC * 2).flags
    assert "off_topic" not in scored(other + " " + TEXT.replace("ferry", "boat")).flags
