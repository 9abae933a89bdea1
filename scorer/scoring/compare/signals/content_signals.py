"""Signals about the content: numbers, negation, swapped words, names, omissions and wording (ADR 0122).

Differences in content hardly change the cosine of two texts. Therefore these functions use the word alignment of the
texts. Each function returns a signal whose divergence is the greatest change in an aligned passage, and whose relevance
is the closeness of the wording. For numbers, negations and names, all such words in the left text are also compared
with all such words in the right text: the distance of the two multisets, times 1 − closeness, is a lower bound of the
divergence. Cost: 5 to 20 µs for each function and 100 words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import product

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit, joined
from scorer.scoring.compare.result import Signal, excerpt, ramp
from scorer.scoring.compare.text.multiset_distance import multiset_distance
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.text.tokenizer import Token, is_name
from scorer.scoring.compare.vocabulary.opposites_and_synonyms import (
    differs_by_negating_prefix,
    function_word_change,
    synonyms,
)
from scorer.scoring.compare.vocabulary.word_lists import (
    AVOIDANCE,
    CONNECTIVES,
    HEDGES,
    NEGATIONS,
    NOT_NAMES,
    RESTRICTIONS,
    STOPWORDS,
)
from scorer.scoring.compare.vocabulary.word_relations import (
    any_same_word_or_synonym,
    both_quantities,
    excludes,
    same_word,
)

_ALIGNED = 0.3  # below this word overlap, an alignment is random and its edits are ignored
_FEW = 4  # words; a longer edit is a rewritten passage
_ORDER = 0.3  # divergence of a reordered list
_ADDED = 0.25  # weight of an addition, relative to an omission


def numbers(left: Document, right: Document, alignment: Alignment) -> Signal:
    """Return a signal that measures whether the numbers, dates, units and orders of magnitude of two texts differ."""
    return _signal("numbers", alignment, _number_changed, multiset_distance(left.numbers, right.numbers))


def negation(left: Document, right: Document, alignment: Alignment) -> Signal:
    """Return a signal that measures whether one text affirms a statement that the other text denies."""
    counts = [Counter(t.key for t in side.tokens if t.key in NEGATIONS) for side in (left, right)]
    return _signal("negation", alignment, _negated, multiset_distance(*counts))


def swapped_words(left: Document, right: Document, alignment: Alignment) -> Signal:
    """Return a signal that measures whether a word became its opposite (more/less) or a word that excludes it.

    Words of one class exclude each other (first/second, red/blue). A reordered list whose order matters counts as
    swapped words, too.
    """
    del left, right
    if alignment.misordered_lists:
        return Signal("swapped_words", 1.0, alignment.closeness, f"another order: {alignment.misordered_lists[0]}")
    return _signal("swapped_words", alignment, _swapped, 0.0)


def names(left: Document, right: Document, alignment: Alignment) -> Signal:
    """Return a signal that measures whether the names and the web and e-mail addresses of two texts differ.

    Capitalised words count as names.
    """
    found = _signal("names", alignment, _name_changed, multiset_distance(Counter(left.names), Counter(right.names)))
    removed, added = left.addresses - right.addresses, right.addresses - left.addresses
    if removed and added and found.divergence < 1:
        return Signal("names", 1.0, alignment.closeness, f"{excerpt(min(removed))} → {excerpt(min(added))}")
    return found


def wording(left: Document, right: Document, alignment: Alignment) -> Signal:
    """Return a signal that measures whether a content word differs in an otherwise equal passage.

    A synonym counts only a little. A reordered list whose order does not matter is a small difference in wording, too.
    """
    del left, right
    found = _signal("wording", alignment, _reworded, 0.0)
    if alignment.reordered_lists and found.divergence < _ORDER:
        return Signal("wording", _ORDER, alignment.closeness, f"another order: {alignment.reordered_lists[0]}")
    return found


def omission(left: Document, right: Document, alignment: Alignment) -> Signal:
    """Return a signal that measures whether one of two similar texts leaves out a sentence, a clause or a table row.

    A missing end of a text counts as truncation instead. A passage that only the candidate has counts less than a
    passage that the candidate leaves out.
    """
    edits = alignment.edits if alignment.word_overlap >= _ALIGNED and alignment.closeness else ()
    worst = Signal("omission", 0.0, alignment.closeness)
    for edit in edits:
        if bool(edit.left) == bool(edit.right) or joined(edit.left or edit.right) in alignment.moved_passages:
            continue
        side, at, end = (left, edit.left_at, edit.left_end) if edit.left else (right, edit.right_at, edit.right_end)
        degree = _left_out(edit.left or edit.right, side, at, end, added=not edit.left)
        if degree > worst.divergence:
            worst = Signal(
                "omission", degree, alignment.closeness, f"{edit} (word {at + 1})", baseline_at_fault=not edit.left
            )
    return worst


def _left_out(tokens: Sequence[Token], side: Document, at: int, end: int, added: bool) -> float:
    """Return the divergence, in [0, 1], that is due to a passage of the document ``side`` which the other one lacks.

    ``tokens`` are the tokens of the passage, which begins at token ``at`` of ``side`` and ends before token ``end``.
    ``added`` is True if ``side`` is the candidate's document.
    """
    content = sum(t.key not in STOPWORDS and not t.marker for t in tokens)
    restriction = content > 0 and any(t.key in RESTRICTIONS for t in tokens)
    if end == len(side.tokens):
        return 0.0
    if at == 0 and (added or side.canonical[: side.tokens[end].start].rstrip().endswith(":")):
        return 0.0  # a greeting, a heading, or an introductory line
    if restriction:
        return 0.6 if added else 1.0
    facts = sum(t.number or is_name(t) for t in tokens if not t.marker)  # a row of a table
    return ramp(content + facts, 1.5, 4.5) * (_ADDED if added else 1.0)


def _signal(name: str, alignment: Alignment, changed: Callable[[Edit, Alignment], float], elsewhere: float) -> Signal:
    edits = alignment.edits if alignment.word_overlap >= _ALIGNED else ()
    if name != "wording" and alignment.moved_passages:
        edits = tuple(e for e in edits if joined(e.left or e.right) not in alignment.moved_passages)
    hits = [(changed(edit, alignment), edit) for edit in edits]
    worst, where = max(hits, key=lambda hit: hit[0], default=(0.0, None))
    reason = f"{where} (word {where.left_at + 1})" if where is not None and worst > 0 else ""
    # The closer the texts are, the more reliable the aligned passages, and the less the distance ``elsewhere`` counts.
    divergence = max(worst, elsewhere * (1 - alignment.closeness))
    if not reason and divergence > 0:
        reason = f"{divergence:.0%} of them differ"
    return Signal(name, divergence, alignment.closeness, reason)


def _at_edge(edit: Edit, alignment: Alignment) -> bool:
    """Return whether the edit is at the beginning or at the end of both texts."""
    ends = edit.left_end == len(alignment.left) and edit.right_end == len(alignment.right)
    return ends or (edit.left_at == 0 and edit.right_at == 0)


def _number_changed(edit: Edit, alignment: Alignment) -> float:
    left = Counter(t.key for t in edit.left if t.number)
    right = Counter(t.key for t in edit.right if t.number)
    if left and right and left != right:
        return 1.0
    if any(both_quantities(a.key, b.key) for a, b in _exchanged(edit)):
        return 1.0
    if left != right:  # numbers were only added or only removed
        return 0.25 if _at_edge(edit, alignment) else 0.45
    return 0.0


def _negated(edit: Edit, alignment: Alignment) -> float:
    if _odd_negations(edit.left) != _odd_negations(edit.right):
        return 0.4 if _at_edge(edit, alignment) and not (edit.left and edit.right) and _sentence_long(edit) else 1.0
    return 1.0 if any(differs_by_negating_prefix(a.key, b.key) for a, b in _exchanged(edit)) else 0.0


def _long(edit: Edit) -> bool:
    return max(len(edit.left), len(edit.right)) > _FEW


def _sentence_long(edit: Edit) -> bool:
    return max(len(edit.left), len(edit.right)) > 3 * _FEW


def _odd_negations(tokens: Iterable[Token]) -> int:
    """Return 1 if the tokens contain an odd number of negations, else 0, because two negations cancel each other."""
    return sum(t.key in NEGATIONS or t.key in AVOIDANCE for t in tokens) % 2


def _swapped(edit: Edit, alignment: Alignment) -> float:
    if any(excludes(a.key, b.key) and not both_quantities(a.key, b.key) for a, b in _exchanged(edit)):
        return 1.0
    return _function_word_changed(edit, alignment) if alignment.closeness >= 1 else 0.0


def _function_word_changed(edit: Edit, alignment: Alignment) -> float:
    """Return how much an added or replaced function word changes the meaning, in [0, 1].

    Such a word may change a direction (to/from), an owner (our/your), a deadline (by/since), a tense (is/was) or a
    frequency (every day/every other day).
    """
    before = alignment.left[edit.left_at - 1].key if edit.left_at else ""
    texts = [" ".join(t.key for t in side) for side in (edit.left, edit.right)]
    if sorted(texts) == ["", "other"]:
        return 1.0 if before == "every" else 0.0
    return function_word_change(*texts) if before != "different" else 0.0


def _exchanged(edit: Edit) -> Iterable[tuple[Token, Token]]:
    """Return the (left word, right word) pairs of an edit in which the right word may replace the left word.

    If both sides of the edit have the same number of words, words at the same place form a pair. Otherwise, a short
    edit has all combinations of a left and a right word, and a long edit has no pairs.
    """
    if len(edit.left) == len(edit.right):
        return zip(edit.left, edit.right, strict=True)
    if max(len(edit.left), len(edit.right)) <= _FEW:
        return product(edit.left, edit.right)
    return ()


def _name_changed(edit: Edit, alignment: Alignment) -> float:
    left = {t.key for t in edit.left if _is_named(t, alignment.left, alignment.names)}
    right = {t.key for t in edit.right if _is_named(t, alignment.right, alignment.names)}
    others_left, others_right = {t.key for t in edit.left}, {t.key for t in edit.right}
    removed, added = left - others_right, right - others_left
    if not removed and not added:
        return 0.7 if _subject_changed(edit) else 0.0
    if any_same_word_or_synonym(removed, added):
        return 0.0
    if removed and added:
        return 1.0
    if edit.left and edit.right and not _long(edit):
        return 0.8
    return 0.1 if _at_edge(edit, alignment) else 0.3


def _subject_changed(edit: Edit) -> bool:
    """Return whether the edit only replaces the first word of a sentence with another word, and both may be names."""
    if len(edit.left) != 1 or len(edit.right) != 1:
        return False
    both = edit.left[0], edit.right[0]
    if not all(t.capital and t.opens and t.key not in STOPWORDS | CONNECTIVES and len(t.key) > 2 for t in both):
        return False
    return not any(t.key.endswith(("ly", "ing", "ed")) for t in both) and not same_word(both[0].key, both[1].key)


def _is_named(token: Token, whole: tuple[Token, ...], known: frozenset[str]) -> bool:
    if is_name(token):
        return True
    # The first word of a sentence is a name if it is a name elsewhere, or if the next word is a name (Albert Einstein).
    if not token.capital or token.noun or token.key in STOPWORDS or token.key in NOT_NAMES:
        return False
    if token.key in known:
        return True
    after = bisect_right(whole, token.start, key=lambda t: t.start)
    return after < len(whole) and is_name(whole[after])


def _reworded(edit: Edit, alignment: Alignment) -> float:
    left = [t for t in edit.left if t.key not in STOPWORDS and not t.marker]
    right = [t for t in edit.right if t.key not in STOPWORDS and not t.marker]
    if not _long(edit) and _hedged(edit.left) != _hedged(edit.right):
        return 0.6
    if _connects(edit.left) and _connects(edit.right):
        return 0.1
    if not left and not right:
        return 0.3 if edit.left and edit.right else 0.1
    if left and right:
        pairs = zip(left, right, strict=False)
        return 0.1 if len(left) == len(right) and all(_alike(a, b) for a, b in pairs) else 1.0
    if joined(edit.left or edit.right) in alignment.moved_passages:
        return _ORDER
    if _at_edge(edit, alignment):
        return 0.2
    return 0.45 if not _long(edit) else 0.7


def _alike(a: Token, b: Token) -> bool:
    return a.key == b.key or same_word(a.key, b.key) or (synonyms(a.key, b.key) and not excludes(a.key, b.key))


def _hedged(tokens: Sequence[Token]) -> bool:
    return any(t.key in HEDGES for t in tokens)


def _connects(tokens: Sequence[Token]) -> bool:
    return bool(tokens) and tokens[0].opens and all(t.key in CONNECTIVES for t in tokens)
