"""The quality core on texts: harmless rewrites agree, one harmful change does not, and the numbers behave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config.comparison import DEFAULT_WEIGHTS, ScoringSection
from scorer.scoring.compare.agreement import combine
from scorer.scoring.compare.noise_floor import NoiseFloor
from scorer.scoring.compare.result import Comparison, Signal
from scorer.scoring.compare.similarity.embedding_similarity import Similarity, chunk_similarity
from scorer.scoring.compare.tasks.free_text import compare_text, needs_embedding
from scorer.scoring.compare.text.document import Document

SETTINGS = ScoringSection()
CLOSE = Similarity(0.99, 0.98)  # what an embedding says of texts that differ in a word
TEXT = (
    "The bridge in Porto was opened in 1886 and is 385 meters long. It was designed by Théophile Seyrig, a "
    "partner of Gustave "
    "Eiffel. The upper deck carries the metro and should be used by pedestrians before noon. About 5 million "
    "people cross it "
    "every year, more than ever. Cars are not allowed on the upper deck."
)


def compared(left: str, right: str, said: Similarity = CLOSE) -> Comparison:
    return compare_text(Document(left), Document(right), SETTINGS, said)


@pytest.mark.parametrize(
    "rewritten",
    [
        "Sure! Here's the answer:\n\n" + TEXT,
        "Certainly! " + TEXT + "\n\nI hope this helps! Let me know if you have any questions.",
        TEXT.replace("385", "**385**").replace("Porto", "*Porto*"),
        "# Bridge\n\n".replace("# Bridge\n\n", "") + "\n".join("- " + s for s in TEXT.split(". ")),
        "\n".join(f"{i}. {s}" for i, s in enumerate(TEXT.split(". "), 1)),
        TEXT.replace(" ", "  ") + "\n\n",
        TEXT.replace("are not", "aren't"),
        TEXT.replace("5 million", "5,000,000"),
        TEXT.replace("5 million", "five million"),
        TEXT.lower(),
        TEXT.rstrip("."),
        "```\n" + TEXT + "\n```",
        "“" + TEXT + "”",
    ],
)
def test_a_harmless_rewrite_keeps_the_agreement(rewritten: str) -> None:
    result = compared(TEXT, rewritten)
    assert result.agreement > 0.97
    assert result.flags == ()


@pytest.mark.parametrize(
    ("flag", "changed"),
    [
        ("numbers", TEXT.replace("1886", "1896")),
        ("numbers", TEXT.replace("5 million", "5 billion")),
        ("numbers", TEXT.replace("meters", "miles")),
        ("numbers", TEXT.replace("1886", "1786").replace("385", "512").replace("5 million", "9 million")),
        ("negation", TEXT.replace("are not allowed", "are allowed")),
        ("negation", TEXT.replace("should be", "should never be")),
        ("negation", TEXT.replace("was opened", "wasn't opened")),
        ("swapped_words", TEXT.replace("before noon", "after noon")),
        ("swapped_words", TEXT.replace("more than", "less than")),
        ("names", TEXT.replace("Porto", "Lisbon")),
        ("names", TEXT.replace("Gustave Eiffel", "Santiago Calatrava")),
        ("repetition", TEXT + " Cars are not allowed on the upper deck." * 3),
        ("repetition", TEXT + " deck" * 12),
        ("leaked_tokens", TEXT + "<|im_end|>"),
        ("leaked_tokens", "[INST] " + TEXT),
        ("leaked_tokens", TEXT + "\n\nUser: and then?"),
        ("truncation", TEXT[:150]),
        ("truncation", TEXT[: TEXT.index(" About 5")]),
        ("refusal", "I'm sorry, but I can't help with that."),
        ("refusal", "As an AI language model, I cannot answer this."),
        ("empty", "   "),
        ("language", TEXT[:110] + " Das obere Deck trägt die Metro und soll vor Mittag von Fußgängern benutzt werden"),
        ("garbling", "Teh brigde in Porto wsa opneed zqx jkw vbx qpt fgh wrtz kkdf mnbv lkjh gfdsq bvcx xzqw."),
        ("garbling", TEXT.replace("e", "Ã©")),
        ("garbling", TEXT.replace("th", "ht").replace("er", "re").replace("ar", "ra")),
    ],
)  # fmt: skip
def test_one_harmful_change_is_named_and_lowers_the_agreement(flag: str, changed: str) -> None:
    result = compared(TEXT, changed)
    assert flag in result.flags
    assert result.agreement < 0.6
    assert result.details[flag]


def test_free_answers_of_two_good_models_are_not_flagged_for_their_own_names_and_numbers() -> None:
    left = (
        "For a weekend in Rome I would begin with the Colosseum at 9:00 and then walk to the Forum. Have lunch "
        "in Monti, "
        "see the Pantheon in the afternoon, and end the day in Trastevere. Bring good shoes and book the tickets early."
    )
    right = (
        "Rome deserves at least two days. On Saturday visit the Vatican Museums, which open at 8:30, and St. Peter's. "
        "On Sunday stroll through Villa Borghese and stop at the Trevi Fountain. Reserve online, since queues "
        "can take 90 minutes."
    )
    result = compared(left, right, Similarity(0.86, 0.86))
    assert result.flags == ()
    assert result.agreement == pytest.approx(0.86, abs=0.03)
    assert result.signals["numbers"] > 0.5
    assert result.signals["names"] > 0.5


def test_a_fault_of_the_baseline_is_named_as_such() -> None:
    result = compared("I'm sorry, but I can't help with that.", TEXT, Similarity(0.1, 0.1))
    assert "baseline_refusal" in result.flags
    assert "refusal" not in result.flags


def test_a_provider_that_says_length_marks_a_cut_answer() -> None:
    result = compare_text(Document(TEXT), Document(TEXT[:200], cut=True), SETTINGS, CLOSE)
    assert "truncation" in result.flags


def test_a_candidate_that_adds_a_sentence_does_not_make_the_baseline_cut() -> None:
    result = compared(TEXT, TEXT + " In the evening the light is best.")
    assert result.flags == ()
    assert result.agreement > 0.9


@pytest.mark.parametrize(
    ("long", "short"),
    [("35 degrees Celsius", "35 °C"), ("35 degrees Celsius.", "35 °C."), ("20 minutes", "20 min"), ("5 litres", "5 l")],
)
def test_a_unit_written_short_at_the_end_is_not_cut_off(long: str, short: str) -> None:
    said = "The process speeds up when the temperature rises, and it takes up to about "
    for left, right in ((said + long, said + short), (said + short, said + long)):
        assert compared(left, right).signals["truncation"] < 0.5


def test_a_word_that_breaks_off_is_cut() -> None:
    said = "The process speeds up when the temperature rises, and it ends with the evaporation of all the water"
    cut = compared(said + ".", said[:-8])
    assert "truncation" in cut.flags
    half = compared(said, said[:-2])
    assert half.details["truncation"] == "the last word is cut"


@pytest.mark.parametrize(
    "closing",
    [
        "Do you have any other questions?", "Have a great day ahead!", "Best of luck with your trip!",
        "Ich hoffe, das hilft Ihnen weiter!", "J'espère que cela vous aide.", "希望对你有帮助！",
        "That was it! Have fun over there. 😊",
    ],
)  # fmt: skip
@pytest.mark.parametrize("between", [" ", "\n\n"])
def test_a_whole_answer_without_a_closing_line_is_not_cut(closing: str, between: str) -> None:
    result = compared(TEXT + between + closing, TEXT)
    assert result.signals["truncation"] == 0.0
    assert result.flags == ()
    assert 0.8 < result.agreement < 1.0


def test_a_long_last_sentence_left_out_is_an_omission() -> None:
    said = TEXT[: TEXT.index(" It was")]
    long = " Whoever wants to see it in full has to go down to the river early in the morning and look up from there."
    result = compared(said + long, said)
    assert ("omission" in result.flags, "truncation" in result.flags) == (True, False)


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        (TEXT, TEXT[:-25]),
        (TEXT + "\n\n```\nls\n```\nHave a great day!", TEXT + "\n\n```\nls"),
        (TEXT + "\n\n1. Take the metro.\n2. Walk back over the bridge.", TEXT + "\n\n1. Take the metro."),
        (TEXT + " Buy a ticket (the day one. It is cheap).", TEXT + " Buy a ticket (the"),
    ],
)
def test_an_answer_that_ends_in_the_middle_stays_cut(whole: str, part: str) -> None:
    assert "truncation" in compared(whole, part).flags


def test_a_closing_line_that_the_length_limit_took_is_cut() -> None:
    cut = compare_text(Document(TEXT + " Have a great day!"), Document(TEXT, cut=True), SETTINGS, CLOSE)
    assert "truncation" in cut.flags


def test_a_list_with_a_closing_word_of_its_own_is_not_cut() -> None:
    planets = "These are the planets:\n\n" + "\n".join(f"{i}. {p}" for i, p in enumerate(("Venus", "Mars", "Pluto"), 1))
    left = planets + "\n\nFeel free to let me know which planet you would like to know more about!"
    right = planets + "\n\nChoose any of these planets and then I can provide a lot more information about it!"
    assert compared(left, right).signals["truncation"] == 0.0


def test_broken_code_is_a_flag() -> None:
    code = "Use this:\n\n```python\ndef add(a, b):\n    return a + b\n```\nIt adds two numbers."
    assert "code" in compared(code, code.replace("(a, b):", "(a, b:")).flags


def test_confidence_is_a_signal_where_both_sides_have_logprobs() -> None:
    sure, unsure = Document(TEXT, logprobs=(-0.05, -0.1)), Document(TEXT, logprobs=(-2.0, -2.2))
    result = compare_text(sure, unsure, SETTINGS, CLOSE)
    assert result.signals["confidence"] == 1.0
    assert result.agreement == pytest.approx(0.9)


def test_the_worst_matched_chunk_lowers_the_agreement() -> None:
    base = np.eye(4, dtype=np.float32)
    same = chunk_similarity(base[:2], base[:2])
    off = chunk_similarity(base[:2], base[[0, 3]])
    assert same.score == pytest.approx(1.0)
    assert off.worst == 0.0
    assert off.score < off.mean


def test_a_noise_floor_that_trips_a_signal_discounts_it_and_a_quiet_one_sharpens_it() -> None:
    changed = TEXT.replace("1886", "1896")
    loud = sum((NoiseFloor().fold({"numbers": 1.0}, 0.8) for _ in range(40)), NoiseFloor())
    left, right = Document(TEXT), Document(changed)
    plain = compare_text(left, right, SETTINGS, CLOSE)
    discounted = compare_text(left, right, SETTINGS, CLOSE, loud)
    assert "numbers" not in discounted.flags
    assert discounted.agreement > plain.agreement

    quiet = sum((NoiseFloor().fold({"numbers": 0.0}, 1.0) for _ in range(40)), NoiseFloor())
    half = (
        TEXT[: len(TEXT) // 2]
        + " The rest of the answer is told in very different words by each of the two models here, at length."
    )
    other = (
        TEXT[: len(TEXT) // 2].replace("1886", "1896")
        + " Whatever follows has been phrased anew and goes on about wholly other matters."
    )
    unknown = compare_text(Document(half), Document(other), SETTINGS, CLOSE)
    known = compare_text(Document(half), Document(other), SETTINGS, CLOSE, quiet)
    assert known.agreement <= unknown.agreement


WORDS = st.lists(
    st.sampled_from(
        [
            "the",
            "a",
            "not",
            "never",
            "5",
            "12",
            "million",
            "Paris",
            "Rome",
            "more",
            "less",
            "**bold**",
            "-",
            "1.",
            "<|im_end|>",
            "I",
            "cannot",
            "help",
            ".",
            "!",
            "```\n",
            "über",
            "你好",
        ]
    ),
    max_size=30,
).map(" ".join)
TEXTS = st.one_of(WORDS, st.text(max_size=200))


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS)
def test_agreement_is_bounded_and_every_signal_too(left: str, right: str) -> None:
    result = compared(left, right)
    assert 0.0 <= result.agreement <= 1.0
    assert all(-1.0 <= value <= 1.0 for value in result.signals.values())


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_a_text_agrees_with_itself(text: str) -> None:
    assert compared(text, text).agreement == 1.0
    assert compared(text, text).flags == ()
    assert not needs_embedding(Document(text), Document(text))


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0, 1),
    st.dictionaries(st.sampled_from(sorted(DEFAULT_WEIGHTS)), st.floats(0, 1), min_size=1),
    st.data(),
)
def test_agreement_never_rises_when_a_signal_does(
    likeness: float, divergences: dict[str, float], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(divergences)))
    more = data.draw(st.floats(divergences[name], 1))
    before = combine(likeness, [Signal(n, d) for n, d in divergences.items()], SETTINGS)
    after = combine(likeness, [Signal(n, more if n == name else d) for n, d in divergences.items()], SETTINGS)
    assert after.agreement <= before.agreement + 1e-12
    assert set(before.flags) <= set(after.flags)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_agreement_never_falls_when_the_meaning_comes_closer(low: float, step: float, worst: float) -> None:
    left, right = Document("One way to say it is this."), Document("Completely other words are used over there now.")
    high = low + (1 - low) * step
    a = compare_text(left, right, SETTINGS, Similarity(low, low * worst))
    b = compare_text(left, right, SETTINGS, Similarity(high, low * worst))
    assert b.agreement >= a.agreement - 1e-12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_meaning_is_symmetric(a: list[float], b: list[float]) -> None:
    def unit(values: list[float]) -> np.ndarray:
        row = np.array([[*values, 1.0]], dtype=np.float32)
        return row / np.linalg.norm(row)

    there, back = chunk_similarity(unit(a), unit(b)), chunk_similarity(unit(b), unit(a))
    assert (there.mean, there.worst) == (back.mean, back.worst)


def test_a_weight_of_zero_silences_a_signal_in_the_agreement() -> None:
    silent = ScoringSection(weights={"numbers": 0.0, "wording": 0.0})
    result = compare_text(Document(TEXT), Document(TEXT.replace("1886", "1896")), silent, CLOSE)
    assert result.agreement > 0.97
