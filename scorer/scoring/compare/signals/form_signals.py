"""Signals about the form of two texts, and about passages that leave the topic.

The signals about form concern refusals, length, languages, repetition, garbling and broken code.
"""

from __future__ import annotations

import math
from statistics import fmean

from scorer.scoring.compare.code.broken_code import broken_code
from scorer.scoring.compare.defects.defect import one_sided
from scorer.scoring.compare.defects.garbled_text import garbled_text
from scorer.scoring.compare.defects.leaked_tokens import leaked_tokens
from scorer.scoring.compare.defects.repeated_passages import repeated_passages
from scorer.scoring.compare.result import Signal, clamp, excerpt, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair


def one_sided_refusal(pair: DocumentPair) -> Signal:
    return one_sided("refusal", *pair.refusals)


def one_sided_leak(pair: DocumentPair) -> Signal:
    return one_sided("leaked_tokens", leaked_tokens(pair.left), leaked_tokens(pair.right))


def one_sided_emptiness(pair: DocumentPair) -> Signal:
    """Return a signal whose divergence is 1 if exactly one of two texts is empty, else 0."""
    nothing = (not pair.left.canonical, not pair.right.canonical)
    if nothing[0] == nothing[1]:
        return Signal("empty", 0.0)
    other = pair.right if nothing[0] else pair.left
    return Signal("empty", 1.0, reason=f"empty, against “{excerpt(other.text)}”", baseline_at_fault=nothing[0])


def length(pair: DocumentPair) -> Signal:
    """Return a signal that measures how much the lengths of two texts, in words, differ.

    Three words are added to both lengths, which lowers the ratio of short texts. The divergence is 0 up to a ratio of
    1.5, and 1 from a ratio of 8.
    """
    a, b = len(pair.left.tokens) + 3, len(pair.right.tokens) + 3
    divergence = ramp(abs(math.log(b / a)), math.log(1.5), math.log(8))
    return Signal("length", divergence, reason=f"{a - 3} → {b - 3} words" if divergence else "")


def confidence(pair: DocumentPair) -> Signal | None:
    """Return a signal that measures how much the mean log-probabilities of the tokens in two answers differ.

    Return None if an answer has no log-probabilities.
    """
    if not pair.left.logprobs or not pair.right.logprobs:
        return None
    means = fmean(pair.left.logprobs), fmean(pair.right.logprobs)
    degree = ramp(abs(means[0] - means[1]), 0.2, 1.5)
    reason = f"{math.exp(means[0]):.0%} → {math.exp(means[1]):.0%} a token" if degree else ""
    return Signal("confidence", degree, reason=reason, baseline_at_fault=means[0] < means[1])


def language(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether two texts, or their ends, have different languages or scripts."""
    languages = pair.left.languages, pair.right.languages
    if all(languages) and set(languages[0]) != set(languages[1]):
        return Signal("language", 1.0, reason=f"{'+'.join(languages[0])} → {'+'.join(languages[1])}")
    ours, theirs = pair.left.scripts, pair.right.scripts
    apart = 1 - sum(min(share, theirs.get(name, 0.0)) for name, share in ours.items()) if ours and theirs else 0.0
    degree = ramp(apart, 0.15, 0.5)
    return Signal("language", degree, reason=f"{_main_script(ours)} → {_main_script(theirs)}" if degree else "")


def _main_script(shares: dict[str, float]) -> str:
    return max(shares, key=shares.__getitem__, default="none")


def repetition(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one text repeats itself more than the other text.

    If the texts are otherwise equal, the divergence reaches 1 at eight additional repeated words.
    """
    left, right, alignment = repeated_passages(pair.left), repeated_passages(pair.right), pair.alignment
    worse, better = (right, left) if right.count >= left.count else (left, right)
    extra = worse.count - better.count
    by_share = ramp(worse.share - better.share, 0.08, 0.3) if extra >= 8 else 0.0
    by_run = ramp(worse.run - better.run, 2, 6)
    by_copy = ramp(extra, 3, 8) * max(alignment.closeness, alignment.contained_share)
    degree = clamp(max(by_share, by_run, by_copy))
    reason = f"repeated: “{worse.where}” ({extra} words)" if degree else ""
    return Signal("repetition", degree, reason=reason, baseline_at_fault=worse is left)


def garbling(pair: DocumentPair) -> Signal:
    return one_sided("garbling", *garbled_text(pair.left, pair.right))


def off_topic(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether a passage of one text resembles no passage of the other text.

    If the text with this passage has no other passage, the divergence is 0, because the low similarity of the two whole
    texts already shows the difference.
    """
    similarity = pair.similarity
    degree = ramp(-similarity.worst, -0.32, -0.18) if similarity.parts > 1 else 0.0
    reason = f"part {similarity.part} of {similarity.parts} resembles nothing in the other answer" if degree else ""
    relevance = 1 - ramp(pair.alignment.word_overlap, 0.7, 0.95)
    return Signal("off_topic", degree, relevance, reason=reason, baseline_at_fault=similarity.in_left)


def changed_code(pair: DocumentPair) -> Signal:
    """Return the stronger of two signals: one for code that does not parse, and one for a difference in the code."""
    difference = pair.code
    broken = one_sided("code", broken_code(pair.left), broken_code(pair.right))
    if broken.effect >= difference.divergence * difference.relevance:
        return broken
    return Signal("code", difference.divergence, difference.relevance, difference.reason)
