"""Free text against free text: the quality core. See docs/scoring.md for how the parts make one agreement."""

from __future__ import annotations

from glidepath.config.scoring import ScoringSection
from scorer.compare import facts, form
from scorer.compare.agreement import against_floor, combine
from scorer.compare.code import broken_code
from scorer.compare.edits import Aligned, align
from scorer.compare.faults import garbling, refusal, repeats
from scorer.compare.language import language
from scorer.compare.leaks import leaks
from scorer.compare.meaning import SAME, Meaning
from scorer.compare.noise import UNKNOWN, NoiseFloor
from scorer.compare.reading import Reading
from scorer.compare.result import Comparison, Signal, ramp

FACTS = (facts.numbers, facts.negation, facts.swaps, facts.names, facts.wording)


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
    aligned = align(left.tokens, right.tokens)
    if said is None:
        said = SAME if left.canonical == right.canonical else Meaning(0.0, 0.0)
    signals = [_fact(fact(left, right, aligned), aligned, settings, floor) for fact in FACTS]
    signals += [*_forms(left, right, aligned), form.drift(said, aligned)]
    measures = {
        "cosine": round(said.mean, 4),
        "cosine_worst": round(said.worst, 4),
        "likeness": round(aligned.likeness, 4),
    }
    return combine(likeness(said, aligned), signals, settings, measures)


def likeness(said: Meaning, aligned: Aligned) -> float:
    """Likeness of meaning; texts that are the same word for word are alike even where an embedding wavers."""
    return said.likeness + (1 - said.likeness) * ramp(aligned.likeness, 0.7, 0.95)


def _fact(signal: Signal, aligned: Aligned, settings: ScoringSection, floor: NoiseFloor) -> Signal:
    return against_floor(signal, floor, ramp(aligned.likeness, 0.3, 0.6), settings.floor_rate)


def _forms(left: Reading, right: Reading, aligned: Aligned) -> list[Signal]:
    found = [
        form.one_sided("refusal", refusal(left), refusal(right)),
        form.empty(left, right),
        form.length(left, right),
        form.truncation(left, right, aligned),
        form.repetition(repeats(left), repeats(right), aligned),
        language(left.text, right.text),
        form.garbling(*garbling(left, right), aligned),
        form.one_sided("leaks", leaks(left), leaks(right)),
        form.one_sided("code", broken_code(left.text), broken_code(right.text)),
    ]
    confidence = form.confidence(left, right)
    return [*found, confidence] if confidence else found
