"""Signals about the form of two texts: length, repetition, off-topic passages, language, garbling and confidence.

Cost: below 5 µs, plus the cost of finding the defects and the languages.
"""

from __future__ import annotations

import math
from statistics import fmean

from scorer.scoring.compare.alignment.word_alignment import Alignment
from scorer.scoring.compare.defects.defect import Defect
from scorer.scoring.compare.defects.repeated_passages import Repetition
from scorer.scoring.compare.result import Signal, clamp, excerpt, ramp
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.text.language_detection import languages_of, script_shares
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.vocabulary.word_relations import misspelled, spelling_variants

_MANY_TYPOS = 3


def one_sided(name: str, left: Defect, right: Defect) -> Signal:
    """Return the signal ``name``, whose divergence is the difference in severity between the texts' defects.

    If one text has no defect, its severity is 0.
    """
    worse = right if right.severity >= left.severity else left
    degree = abs(right.severity - left.severity)
    return Signal(name, degree, reason=worse.where if degree else "", baseline_at_fault=left.severity > right.severity)


def contained_share(alignment: Alignment) -> float:
    """Return how completely the longer text contains the words of the shorter text, in [0, 1].

    The result is 0 if at most 75 % of these words are matched in the longer text, and 1 if at least 92 % are.
    """
    shorter = min(len(alignment.left), len(alignment.right))
    return ramp(alignment.matched / shorter, 0.75, 0.92) if shorter else 0.0


def length(left: Document, right: Document) -> Signal:
    """Return a signal that measures how much the lengths of two texts in words differ.

    Three words are added to both lengths, which lowers the ratio of short texts. The divergence is 0 up to a ratio of
    1.5, and 1 from a ratio of 8.
    """
    a, b = len(left.tokens) + 3, len(right.tokens) + 3
    factor = abs(math.log(b / a))
    divergence = ramp(factor, math.log(1.5), math.log(8))
    return Signal("length", divergence, reason=f"{a - 3} → {b - 3} words" if divergence else "")


def repetition(left: Repetition, right: Repetition, alignment: Alignment) -> Signal:
    """Return a signal that measures whether one text repeats itself more than the other text.

    If the texts are otherwise equal, the divergence reaches 1 at eight additional repeated words.
    """
    worse, better = (right, left) if right.count >= left.count else (left, right)
    extra = worse.count - better.count
    by_share = ramp(worse.share - better.share, 0.08, 0.3) if extra >= 8 else 0.0
    by_run = ramp(worse.run - better.run, 2, 6)
    by_copy = ramp(extra, 3, 8) * max(alignment.closeness, contained_share(alignment))
    degree = clamp(max(by_share, by_run, by_copy))
    reason = f"repeated: “{worse.where}” ({extra} words)" if degree else ""
    return Signal("repetition", degree, reason=reason, baseline_at_fault=worse is left)


def off_topic(similarity: Similarity, alignment: Alignment) -> Signal:
    """Return a signal that measures whether a passage of one text resembles no passage of the other text (ADR 0103).

    If the text with this passage has no other passage, the divergence is 0, because the low similarity of the two whole
    texts already shows the difference.
    """
    degree = ramp(-similarity.worst, -0.32, -0.18) if similarity.parts > 1 else 0.0
    reason = f"part {similarity.part} of {similarity.parts} resembles nothing in the other answer" if degree else ""
    relevance = 1 - ramp(alignment.word_overlap, 0.7, 0.95)
    return Signal("off_topic", degree, relevance, reason=reason, baseline_at_fault=similarity.in_left)


def language(left: str, right: str) -> Signal:
    """Return a signal that measures whether two texts, or their ends, have different languages or scripts."""
    scripts = script_shares(left), script_shares(right)
    apart = (
        1 - sum(min(share, scripts[1].get(name, 0.0)) for name, share in scripts[0].items()) if all(scripts) else 0.0
    )
    degree = ramp(apart, 0.15, 0.5)
    languages = languages_of(left), languages_of(right)
    if all(languages) and set(languages[0]) != set(languages[1]):
        return Signal("language", 1.0, reason=f"{'+'.join(languages[0])} → {'+'.join(languages[1])}")
    reason = f"{_main_script(scripts[0])} → {_main_script(scripts[1])}" if degree else ""
    return Signal("language", degree, reason=reason)


def _main_script(shares: dict[str, float]) -> str:
    return max(shares, key=shares.__getitem__, default="none")


def garbling(left: Defect, right: Defect, alignment: Alignment) -> Signal:
    """Return a signal that measures whether a text is garbled, or misspells many words of the other text."""
    by_defect = one_sided("garbling", left, right)
    typos = _misspelled_words(alignment)
    words = max(1, min(len(alignment.left), len(alignment.right)))
    degree = ramp(len(typos) / words, 0.02, 0.1) if len(typos) >= _MANY_TYPOS else 0.0
    if degree <= by_defect.divergence:
        return by_defect
    return Signal("garbling", degree, reason=f"{len(typos)} misspelled words, such as “{typos[0]}”")


def _misspelled_words(alignment: Alignment) -> list[str]:
    """Return the words of the right text that misspell a word of the left text. Spelling variants do not count."""
    pairs = [p for e in alignment.edits if len(e.left) == len(e.right) for p in zip(e.left, e.right, strict=True)]
    return [
        b.surface for a, b in pairs if not a.number and misspelled(a.key, b.key) and not spelling_variants(a.key, b.key)
    ]


def empty(left: Document, right: Document) -> Signal:
    """Return a signal whose divergence is 1 if exactly one of two texts is empty, else 0."""
    nothing = (not left.canonical, not right.canonical)
    if nothing[0] == nothing[1]:
        return Signal("empty", 0.0)
    other = right if nothing[0] else left
    return Signal("empty", 1.0, reason=f"empty, against “{excerpt(other.text)}”", baseline_at_fault=nothing[0])


def confidence(left: Document, right: Document) -> Signal | None:
    """Return a signal that measures how much the mean log-probabilities of the tokens in two answers differ.

    Return None if an answer has no log-probabilities.
    """
    if not left.logprobs or not right.logprobs:
        return None
    means = fmean(left.logprobs), fmean(right.logprobs)
    degree = ramp(abs(means[0] - means[1]), 0.2, 1.5)
    reason = f"{math.exp(means[0]):.0%} → {math.exp(means[1]):.0%} a token" if degree else ""
    return Signal("confidence", degree, reason=reason, baseline_at_fault=means[0] < means[1])
