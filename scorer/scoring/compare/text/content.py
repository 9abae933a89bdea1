"""Numbers, negation, exchanged words, names: what one changed word can turn, and what cosine does not see.

Each takes the alignment of two texts. ``divergence`` is 1 as soon as one aligned passage differs in this respect,
else how
different the two sets are; ``bearing`` is how close the texts are otherwise. Cost: 5 to 20 µs each for 100 words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import product

from scorer.scoring.compare.result import Signal, excerpt, ramp
from scorer.scoring.compare.text.document import Reading
from scorer.scoring.compare.text.lexicon import (
    AVOIDANCE,
    CONNECTIVES,
    HEDGES,
    NEGATIONS,
    NOT_NAMES,
    RESTRICTIONS,
    STOPWORDS,
    excludes,
    flipped_by_prefix,
    quantity,
    same_word,
    synonyms,
)
from scorer.scoring.compare.text.opposites import turned
from scorer.scoring.compare.text.tokens import Token, is_name
from scorer.scoring.compare.text.word_diff import Aligned, Edit, joined

_TELLING = 0.3  # below this likeness an alignment is chance, and its edits are not read
_FEW = 4  # a longer edit is a rewritten passage, not an exchanged word


def numbers(left: Reading, right: Reading, aligned: Aligned) -> Signal:
    """Numbers, dates, units and orders of magnitude."""
    return _signal("numbers", aligned, _number_changed, _distance(left.numbers, right.numbers))


def negation(left: Reading, right: Reading, aligned: Aligned) -> Signal:
    """A statement on one side that is denied on the other."""
    counts = [Counter(t.key for t in side.tokens if t.key in NEGATIONS) for side in (left, right)]
    return _signal("negation", aligned, _negated, _distance(*counts))


def swaps(left: Reading, right: Reading, aligned: Aligned) -> Signal:
    """A word exchanged for its opposite, or for another of its kind: more/less, all/some, first/second."""
    del left, right
    if aligned.disordered:
        return Signal("swaps", 1.0, aligned.closeness, f"another order: {aligned.disordered[0]}")
    return _signal("swaps", aligned, _swapped, 0.0)


def names(left: Reading, right: Reading, aligned: Aligned) -> Signal:
    """Names of people, places, products (capitalised words that only one side has), and addresses."""
    found = _signal("names", aligned, _renamed, _distance(Counter(left.names), Counter(right.names)))
    gone, come = left.addresses - right.addresses, right.addresses - left.addresses
    if gone and come and found.divergence < 1:
        return Signal("names", 1.0, aligned.closeness, f"{excerpt(min(gone))} → {excerpt(min(come))}")
    return found


def wording(left: Reading, right: Reading, aligned: Aligned) -> Signal:
    """Some other content word exchanged in an otherwise equal passage: perhaps a synonym, perhaps not."""
    del left, right
    found = _signal("wording", aligned, _reworded, 0.0)
    if aligned.reordered and found.divergence < _ORDER:
        return Signal("wording", _ORDER, aligned.closeness, f"another order: {aligned.reordered[0]}")
    return found


def omission(left: Reading, right: Reading, aligned: Aligned) -> Signal:
    """A sentence, a clause or a row that one side leaves out, in texts that are otherwise the same.

    Not at the end, which is truncation. What the candidate says in addition weighs less than what it leaves out.
    """
    edits = aligned.edits if aligned.likeness >= _TELLING and aligned.closeness else ()
    worst = Signal("omission", 0.0, aligned.closeness)
    for edit in edits:
        if bool(edit.left) == bool(edit.right) or joined(edit.left or edit.right) in aligned.moved:
            continue
        side, at, end = (left, edit.left_at, edit.left_end) if edit.left else (right, edit.right_at, edit.right_end)
        degree = _left_out(edit.left or edit.right, side, at, end, added=not edit.left)
        if degree > worst.divergence:
            worst = Signal(
                "omission", degree, aligned.closeness, f"{edit} (word {at + 1})", baseline_at_fault=not edit.left
            )
    return worst


_ORDER = 0.3
_ADDED = 0.25


def _left_out(tokens: Sequence[Token], side: Reading, at: int, end: int, added: bool) -> float:
    content = sum(t.key not in STOPWORDS and not t.marker for t in tokens)
    narrowed = content > 0 and any(t.key in RESTRICTIONS for t in tokens)
    if end == len(side.tokens):
        return 0.0
    if at == 0 and (added or side.canonical[: side.tokens[end].start].rstrip().endswith(":")):
        return 0.0  # a greeting, a heading, a line that leads over to the answer
    if narrowed:
        return 0.6 if added else 1.0
    facts = sum(t.number or is_name(t) for t in tokens if not t.marker)  # a row of a table
    return ramp(content + facts, 1.5, 4.5) * (_ADDED if added else 1.0)


def _signal(name: str, aligned: Aligned, changed: Callable[[Edit, Aligned], float], elsewhere: float) -> Signal:
    edits = aligned.edits if aligned.likeness >= _TELLING else ()
    if name != "wording" and aligned.moved:
        edits = tuple(e for e in edits if joined(e.left or e.right) not in aligned.moved)
    hits = [(changed(edit, aligned), edit) for edit in edits]
    worst, where = max(hits, key=lambda hit: hit[0], default=(0.0, None))
    why = f"{where} (word {where.left_at + 1})" if where is not None and worst > 0 else ""
    divergence = max(worst, elsewhere * (1 - aligned.closeness))  # where texts align, the alignment knows better
    if not why and divergence > 0:
        why = f"{divergence:.0%} of them differ"
    return Signal(name, divergence, aligned.closeness, why)


def _distance(a: Counter[str], b: Counter[str]) -> float:
    """1 − Dice of two multisets; two empty ones are alike."""
    total = a.total() + b.total()
    return 1 - 2 * (a & b).total() / total if total else 0.0


def _at_edge(edit: Edit, aligned: Aligned) -> bool:
    ends = edit.left_end == len(aligned.left) and edit.right_end == len(aligned.right)
    return ends or (edit.left_at == 0 and edit.right_at == 0)


def _number_changed(edit: Edit, aligned: Aligned) -> float:
    left = Counter(t.key for t in edit.left if t.number)
    right = Counter(t.key for t in edit.right if t.number)
    if left and right and left != right:
        return 1.0
    if any(quantity(a.key, b.key) for a, b in _exchanged(edit)):
        return 1.0
    if left != right:  # only added, or only left out
        return 0.25 if _at_edge(edit, aligned) else 0.45
    return 0.0


def _negated(edit: Edit, aligned: Aligned) -> float:
    if _cues(edit.left) != _cues(edit.right):
        return 0.4 if _at_edge(edit, aligned) and not (edit.left and edit.right) and _sentence_long(edit) else 1.0
    return 1.0 if any(flipped_by_prefix(a.key, b.key) for a, b in _exchanged(edit)) else 0.0


def _long(edit: Edit) -> bool:
    return max(len(edit.left), len(edit.right)) > _FEW


def _sentence_long(edit: Edit) -> bool:
    return max(len(edit.left), len(edit.right)) > 3 * _FEW


def _cues(tokens: Iterable[Token]) -> int:
    return sum(t.key in NEGATIONS or t.key in AVOIDANCE for t in tokens) % 2


def _swapped(edit: Edit, aligned: Aligned) -> float:
    if any(excludes(a.key, b.key) and not quantity(a.key, b.key) for a, b in _exchanged(edit)):
        return 1.0
    return _turned(edit, aligned) if aligned.closeness >= 1 else 0.0


def _turned(edit: Edit, aligned: Aligned) -> float:
    """A small word alone exchanged, or put in, that turns a direction, a party, how often."""
    before = aligned.left[edit.left_at - 1].key if edit.left_at else ""
    said = [" ".join(t.key for t in side) for side in (edit.left, edit.right)]
    if sorted(said) == ["", "other"]:
        return 1.0 if before == "every" else 0.0
    return turned(*said) if before != "different" else 0.0


def _exchanged(edit: Edit) -> Iterable[tuple[Token, Token]]:
    """Which word may stand for which: by place in edits of one length, each with each in short ones."""
    if len(edit.left) == len(edit.right):
        return zip(edit.left, edit.right, strict=True)
    if max(len(edit.left), len(edit.right)) <= _FEW:
        return product(edit.left, edit.right)
    return ()


def _renamed(edit: Edit, aligned: Aligned) -> float:
    left = {t.key for t in edit.left if _named(t, aligned.left, aligned.names)}
    right = {t.key for t in edit.right if _named(t, aligned.right, aligned.names)}
    others_left, others_right = {t.key for t in edit.left}, {t.key for t in edit.right}
    gone, come = left - others_right, right - others_left
    if not gone and not come:
        return 0.7 if _subject_changed(edit) else 0.0
    if any(same_word(a, b) or synonyms(a, b) for a, b in product(gone, come)):
        return 0.0
    if gone and come:
        return 1.0
    if edit.left and edit.right and not _long(edit):
        return 0.8
    return 0.1 if _at_edge(edit, aligned) else 0.3


def _subject_changed(edit: Edit) -> bool:
    """One word exchanged for another at the beginning of a sentence: perhaps a name."""
    if len(edit.left) != 1 or len(edit.right) != 1:
        return False
    both = edit.left[0], edit.right[0]
    if not all(t.capital and t.opens and t.key not in STOPWORDS | CONNECTIVES and len(t.key) > 2 for t in both):
        return False
    return not any(t.key.endswith(("ly", "ing", "ed")) for t in both) and not same_word(both[0].key, both[1].key)


def _named(token: Token, whole: tuple[Token, ...], known: frozenset[str]) -> bool:
    if is_name(token):
        return True
    # The first word of a sentence is a name if it is one elsewhere in the texts, or if the next one is (Albert
    # Einstein).
    if not token.capital or token.noun or token.key in STOPWORDS or token.key in NOT_NAMES:
        return False
    if token.key in known:
        return True
    after = bisect_right(whole, token.start, key=lambda t: t.start)
    return after < len(whole) and is_name(whole[after])


def _reworded(edit: Edit, aligned: Aligned) -> float:
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
    if joined(edit.left or edit.right) in aligned.moved:
        return _ORDER
    if _at_edge(edit, aligned):
        return 0.2
    return 0.45 if not _long(edit) else 0.7


def _alike(a: Token, b: Token) -> bool:
    return a.key == b.key or same_word(a.key, b.key) or (synonyms(a.key, b.key) and not excludes(a.key, b.key))


def _hedged(tokens: Sequence[Token]) -> bool:
    return any(t.key in HEDGES for t in tokens)


def _connects(tokens: Sequence[Token]) -> bool:
    return bool(tokens) and tokens[0].opens and all(t.key in CONNECTIVES for t in tokens)
