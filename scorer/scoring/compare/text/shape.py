"""Divergences in form: length, ending, loops, one-sided faults, confidence. Cost: see faults; else below 5 µs."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from scorer.scoring.compare.result import Signal, clamp, excerpt, ramp
from scorer.scoring.compare.text.defects import Fault, Repeats, unfinished
from scorer.scoring.compare.text.document import Reading
from scorer.scoring.compare.text.embedding_similarity import Meaning
from scorer.scoring.compare.text.garbled_words import spelt_otherwise
from scorer.scoring.compare.text.lexicon import misspelled
from scorer.scoring.compare.text.tokens import Token
from scorer.scoring.compare.text.word_diff import Aligned

_MANY_TYPOS = 3
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।")
_CLOSING_MARKS = " \n\t\"'”’»」』)*_`"
_ROW = re.compile(r"[ \t]*(?:[-*+•|]|\d{1,3}[.)])[ \t|]*\S")  # of a list or a table


def one_sided(name: str, left: Fault, right: Fault) -> Signal:
    """The difference of two faults: what both sides show is not a divergence."""
    worse = right if right.degree >= left.degree else left
    degree = abs(right.degree - left.degree)
    return Signal(name, degree, why=worse.where if degree else "", baseline_at_fault=left.degree > right.degree)


def length(left: Reading, right: Reading) -> Signal:
    """0 up to a factor of 1.5, 1 from a factor of 8 on; counted in words."""
    a, b = len(left.tokens) + 3, len(right.tokens) + 3
    factor = abs(math.log(b / a))
    divergence = ramp(factor, math.log(1.5), math.log(8))
    return Signal("length", divergence, why=f"{a - 3} → {b - 3} words" if divergence else "")


def truncation(left: Reading, right: Reading, aligned: Aligned) -> Signal:
    """One side was cut: its provider says so, its form shows it, or it is the beginning of the other side's text."""
    cut = one_sided("truncation", _cut(left), _cut(right))
    tail = _missing_tail(left, right, aligned)
    if tail is None:
        # Word for word the same to the end: then a missing full stop is typography. What the provider says still
        # counts.
        whole = 0.0 if left.cut != right.cut else aligned_bearing(aligned) * aligned.closeness
        return replace(cut, bearing=1 - whole)
    degree, words, baseline = tail
    if degree * aligned_bearing(aligned) > cut.effect:
        bearing = aligned_bearing(aligned)
        why = f"the last {words} words are missing" if words > 0 else "the last word is cut"
        return Signal("truncation", degree, bearing, why, baseline_at_fault=baseline)
    return cut


def aligned_bearing(aligned: Aligned) -> float:
    """How much of the shorter text stands in the longer one, word for word."""
    shorter = min(len(aligned.left), len(aligned.right))
    return ramp(aligned.matched / shorter, 0.75, 0.92) if shorter else 0.0


def _cut(reading: Reading) -> Fault:
    if reading.cut:
        return Fault(1.0, "finish_reason: length")
    return unfinished(reading)


def _missing_tail(left: Reading, right: Reading, aligned: Aligned) -> tuple[float, int, bool] | None:
    """(degree, words missing, whether on the baseline's side) when one text ends where the other goes on."""
    if not aligned.edits:
        return None
    last = aligned.edits[-1]
    at_end = last.left_end == len(aligned.left) and last.right_end == len(aligned.right)
    more, less = sorted((last.left, last.right), key=len, reverse=True)
    shorter = left if less is last.left else right
    half_word = len(less) == 1 and any(_begins(less[0], t, more) for t in more[:2]) and _breaks_off(shorter, less[0])
    if not at_end or (less and not half_word):
        return None
    longer = max(len(aligned.left), len(aligned.right))
    share = (len(more) - len(less)) / max(longer, 1)
    if len(more) - len(less) < 3 and not half_word:
        return None
    baseline = len(last.left) < len(last.right)
    if half_word or not (more[0].opens or shorter.text.rstrip().endswith(_SENTENCE_ENDS)):
        return 1.0, len(more) - len(less), baseline
    # Cut between sentences. A candidate that says one sentence more has added something; the baseline was not cut.
    added = baseline or _closing_words(more, shorter, right if shorter is left else left, share)
    return 0.0 if added else 0.6 + 0.4 * ramp(share, 0.02, 0.1), len(more) - len(less), baseline


def closing(left: Reading, right: Reading, aligned: Aligned) -> Signal | None:
    """A last sentence that the candidate leaves out and yet ends whole: an omission of its share of the text."""
    last = aligned.edits[-1] if aligned.edits else None
    if last is None or last.right or not last.left or last.left_end != len(aligned.left):
        return None
    share = len(last.left) / len(aligned.left)
    if not _closing_words(last.left, right, left, share):
        return None
    why = f"{last} (at the end)"
    return Signal("omission", ramp(share, 0.05, 0.35), aligned_bearing(aligned), why)


def _closing_words(missing: Sequence[Token], shorter: Reading, longer: Reading, share: float) -> bool:
    """Whether a whole text merely lacks the last sentence of the other, or two short ones: an offer, a good wish.

    A list or a table that lacks its last row is not whole.
    """
    sentences = sum(t.opens for t in missing)
    if not missing[0].opens or sentences > 2 or (sentences > 1 and share > _SHORT):
        return False
    if shorter.cut or unfinished(shorter).degree or not _ends_whole(shorter.text):
        return False
    return _ROW.match(longer.text.rstrip().rsplit("\n", 1)[-1]) is None


_SHORT = 0.25  # of the words of a text


def _ends_whole(text: str) -> bool:
    """With the end of a sentence, behind which quotation marks, brackets and emoji may stand."""
    end = text[-40:]
    while end and (end[-1] in _CLOSING_MARKS or unicodedata.category(end[-1]) in ("So", "Sk", "Cf", "Mn")):
        end = end[:-1]
    return end.endswith(_SENTENCE_ENDS)


def _begins(part: Token, whole: Token, missing: Sequence[Token]) -> bool:
    """One letter is a beginning only where more words are missing."""
    return (len(part.key) > 1 or len(missing) > 1) and whole.key.startswith(part.key) and whole.key != part.key


def _breaks_off(reading: Reading, last: Token) -> bool:
    """Whether the text ends in this very word, without a mark behind it, and it is no unit behind a number."""
    before = reading.canonical[max(0, last.start - 3) : last.start].rstrip(" °")
    return reading.canonical.endswith(last.surface) and not before[-1:].isdigit()


def repetition(left: Repeats, right: Repeats, aligned: Aligned) -> Signal:
    """One side says again what it has said. Where the texts are otherwise the same, eight words again are a loop."""
    worse, better = (right, left) if right.count >= left.count else (left, right)
    extra = worse.count - better.count
    by_share = ramp(worse.share - better.share, 0.08, 0.3) if extra >= 8 else 0.0
    by_run = ramp(worse.run - better.run, 2, 6)
    by_copy = ramp(extra, 3, 8) * max(aligned.closeness, aligned_bearing(aligned))
    degree = clamp(max(by_share, by_run, by_copy))
    why = f"again: “{worse.where}” ({extra} words)" if degree else ""
    return Signal("repetition", degree, why=why, baseline_at_fault=worse is left)


def drift(said: Meaning, aligned: Aligned) -> Signal:
    """A passage that is like nothing on the other side: an answer that wanders off into another text.

    In an answer of one passage that is what the likeness of meaning says already.
    """
    degree = ramp(-said.worst, -0.32, -0.18) if said.parts > 1 else 0.0
    why = f"part {said.part} of {said.parts} is like nothing on the other side" if degree else ""
    bearing = 1 - ramp(aligned.likeness, 0.7, 0.95)
    return Signal("drift", degree, bearing, why=why, baseline_at_fault=said.in_left)


def garbling(left: Fault, right: Fault, aligned: Aligned) -> Signal:
    """Characters that are broken on one side only, or the same words with wrong letters."""
    alone = one_sided("garbling", left, right)
    typos = _misspelled(aligned)
    words = max(1, min(len(aligned.left), len(aligned.right)))
    degree = ramp(len(typos) / words, 0.02, 0.1) if len(typos) >= _MANY_TYPOS else 0.0
    if degree <= alone.divergence:
        return alone
    return Signal("garbling", degree, why=f"{len(typos)} words with wrong letters, such as “{typos[0]}”")


def _misspelled(aligned: Aligned) -> list[str]:
    """Words of the right text that are words of the left one with wrong letters; spellings and endings are not that."""
    pairs = [p for e in aligned.edits if len(e.left) == len(e.right) for p in zip(e.left, e.right, strict=True)]
    return [
        b.surface for a, b in pairs if not a.number and misspelled(a.key, b.key) and not spelt_otherwise(a.key, b.key)
    ]


def empty(left: Reading, right: Reading) -> Signal:
    """One side says nothing."""
    nothing = (not left.canonical, not right.canonical)
    if nothing[0] == nothing[1]:
        return Signal("empty", 0.0)
    said = right if nothing[0] else left
    return Signal("empty", 1.0, why=f"nothing, against “{excerpt(said.text)}”", baseline_at_fault=nothing[0])


def confidence(left: Reading, right: Reading) -> Signal | None:
    """The difference of the mean log-probabilities (nats a token), where both sides have them."""
    if not left.logprobs or not right.logprobs:
        return None
    means = fmean(left.logprobs), fmean(right.logprobs)
    degree = ramp(abs(means[0] - means[1]), 0.2, 1.5)
    why = f"{math.exp(means[0]):.0%} → {math.exp(means[1]):.0%} a token" if degree else ""
    return Signal("confidence", degree, why=why, baseline_at_fault=means[0] < means[1])
