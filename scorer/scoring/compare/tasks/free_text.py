"""Free text against free text: the quality core. See docs/reference/scoring.md for how the parts make one agreement."""

from __future__ import annotations

from dataclasses import replace

from rapidfuzz.distance import Levenshtein

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.agreement import against_floor, combine
from scorer.scoring.compare.code.code_blocks import broken_code
from scorer.scoring.compare.code.code_diff import Difference, compare_code
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor
from scorer.scoring.compare.result import Comparison, Signal, ramp
from scorer.scoring.compare.text import content, shape
from scorer.scoring.compare.text.defects import Fault, garbling, refusal, repeats
from scorer.scoring.compare.text.document import Reading
from scorer.scoring.compare.text.embedding_similarity import SAME, Meaning
from scorer.scoring.compare.text.language import language
from scorer.scoring.compare.text.leaked_tokens import leaks
from scorer.scoring.compare.text.unordered_lists import in_order_of, steps_moved
from scorer.scoring.compare.text.word_diff import Aligned, align

FACTS = (content.numbers, content.negation, content.swaps, content.names, content.omission, content.wording)
_REFUSING = 0.95  # two refusals in other words say the same


def needs_embedding(left: Reading, right: Reading) -> bool:
    """Not when both say the same, word for word, or one says nothing."""
    if left.text == right.text:
        return False  # without working out how either would be compared
    return bool(left.canonical and right.canonical and left.canonical != right.canonical)


def compare_text(
    left: Reading, right: Reading, settings: ScoringSection, said: Meaning | None = None, floor: NoiseFloor = UNKNOWN
) -> Comparison:
    """Compare two texts. ``said`` is needed where ``needs_embedding``. Symmetric but for the names of flags."""
    if left == right:
        return combine(1.0, (), settings, {"cosine": 1.0, "cosine_worst": 1.0, "likeness": 1.0})
    if said is None:
        said = SAME if left.canonical == right.canonical else Meaning(0.0, 0.0)
    left, right, listed = _prepared(left, right)
    refusals = refusal(left), refusal(right)
    if min(r.degree for r in refusals) >= 1:
        return _both_refuse(said, settings)
    code = compare_code(left.text, right.text)
    aligned = align(left.tokens, right.tokens)
    if listed:
        aligned = replace(aligned, reordered=("the lines of a list", *aligned.reordered))
    if code.renamed:  # its words are another way to write the same program
        aligned = replace(
            aligned, edits=tuple(e for e in aligned.edits if not all(t.code for t in (*e.left, *e.right)))
        )
    signals = [_fact(fact(left, right, aligned), aligned, settings, floor) for fact in FACTS]
    end = shape.closing(left, right, aligned)
    if end is not None:
        signals = [end if s.name == end.name and s.effect < end.effect else s for s in signals]
    moved = steps_moved(left.text, right.text)
    if moved:
        signals = [Signal("swaps", 1.0, why=moved) if s.name == "swaps" else s for s in signals]
    signals += [*_forms(left, right, aligned, refusals, code), shape.drift(said, aligned)]
    measures = {
        "cosine": round(said.mean, 4),
        "cosine_worst": round(said.worst, 4),
        "likeness": round(aligned.likeness, 4),
    }
    return _marked(combine(likeness(said, aligned), signals, settings, measures), left, right)


def _prepared(left: Reading, right: Reading) -> tuple[Reading, Reading, bool]:
    """The readings as they are compared: bulleted lists in one order, closing offers in where they differ a little.

    The third part: whether a list was put in order.
    """
    ordered = in_order_of(right.text, left.text)
    if ordered is not None:
        right = replace(right, text=ordered)
    offers = left.form.offers, right.form.offers
    if all(offers) and offers[0] != offers[1] and Levenshtein.normalized_similarity(*offers) >= 0.6:
        left, right = replace(left, whole=True), replace(right, whole=True)
    return left, right, ordered is not None


def _both_refuse(said: Meaning, settings: ScoringSection) -> Comparison:
    measures = {"cosine": round(said.mean, 4), "cosine_worst": round(said.worst, 4)}
    signals = [Signal("refusal", 0.0)]
    return combine(max(said.likeness, _REFUSING), signals, settings, measures)


def _marked(result: Comparison, left: Reading, right: Reading) -> Comparison:
    """Says so where only the beginning of the answers was compared."""
    share = min(left.compared, right.compared)
    if share >= 1:
        return result
    why = f"only the first {share:.0%} of the longer answer's words were compared"
    return replace(
        result,
        signals={**result.signals, "compared": round(share, 4)},
        details={**result.details, "compared": why},
    )


def likeness(said: Meaning, aligned: Aligned) -> float:
    """Likeness of meaning; texts that are the same word for word are alike even where an embedding wavers."""
    return said.likeness + (1 - said.likeness) * ramp(aligned.likeness, 0.7, 0.95)


def _fact(signal: Signal, aligned: Aligned, settings: ScoringSection, floor: NoiseFloor) -> Signal:
    return against_floor(signal, floor, ramp(aligned.likeness, 0.3, 0.6), settings.floor_rate)


def _forms(
    left: Reading, right: Reading, aligned: Aligned, refusals: tuple[Fault, Fault], code: Difference
) -> list[Signal]:
    found = [
        shape.one_sided("refusal", *refusals),
        shape.empty(left, right),
        shape.length(left, right),
        shape.truncation(left, right, aligned),
        shape.repetition(repeats(left), repeats(right), aligned),
        language(left.text, right.text),
        shape.garbling(*garbling(left, right), aligned),
        shape.one_sided("leaks", leaks(left), leaks(right)),
        _code(left, right, code),
    ]
    confidence = shape.confidence(left, right)
    return [*found, confidence] if confidence else found


def _code(left: Reading, right: Reading, difference: Difference) -> Signal:
    """Code that parses on one side only, or says something else."""
    broken = shape.one_sided("code", broken_code(left.text), broken_code(right.text))
    if broken.effect >= difference.degree * difference.bearing:
        return broken
    return Signal("code", difference.degree, difference.bearing, difference.why)
