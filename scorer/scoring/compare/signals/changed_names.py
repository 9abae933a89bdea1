"""The signal ``names``: a name or an address differs. Capitalised words count as names."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from functools import partial

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit
from scorer.scoring.compare.result import Signal, excerpt
from scorer.scoring.compare.signals.document_pair import DocumentPair, greatest_change
from scorer.scoring.compare.similarity.character_similarity import multiset_distance
from scorer.scoring.compare.text.addresses import exchanged_addresses
from scorer.scoring.compare.text.tokens import Token, is_name
from scorer.scoring.compare.vocabulary.lexicon import Lexicon
from scorer.scoring.compare.vocabulary.word_relations import same_word


def names(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether the names and the web and e-mail addresses of two texts differ."""
    left, right = pair.left, pair.right
    found = greatest_change(
        "names",
        pair,
        partial(_name_changed, left.names | right.names),
        multiset_distance(Counter(left.names), Counter(right.names)),
    )
    exchanged = exchanged_addresses(left.addresses, right.addresses)
    if exchanged and found.divergence < 1:
        reason = " → ".join(map(excerpt, exchanged))
        return Signal("names", 1.0, pair.alignment.closeness, reason)
    return found


def _name_changed(known: frozenset[str], edit: Edit, alignment: Alignment) -> float:
    left = {t.key for t in edit.left if _is_named(t, alignment.left, known, alignment.lexicon)}
    right = {t.key for t in edit.right if _is_named(t, alignment.right, known, alignment.lexicon)}
    others_left, others_right = {t.key for t in edit.left}, {t.key for t in edit.right}
    removed, added = left - others_right, right - others_left
    if not removed and not added:
        return 0.7 if _subject_changed(edit, alignment.lexicon) else 0.0
    if removed and added:
        return 0.0 if any(same_word(a.key, b.key) for a, b in edit.exchanged()) else 1.0
    if edit.left and edit.right and not edit.is_long():
        return 0.8
    return 0.1 if alignment.at_edge(edit) else 0.3


def _subject_changed(edit: Edit, lexicon: Lexicon) -> bool:
    """Return whether the edit only replaces the first word of a sentence with another word, and both may be names."""
    if len(edit.left) != 1 or len(edit.right) != 1:
        return False
    both = edit.left[0], edit.right[0]
    if not all(t.capital and t.opens and t.key not in lexicon.sentence_openers and len(t.key) > 2 for t in both):
        return False
    adverbs = ("ly", "ing", "ed") if lexicon.is_english else ()
    return not any(t.key.endswith(adverbs) for t in both) and not same_word(both[0].key, both[1].key)


def _is_named(token: Token, whole: tuple[Token, ...], known: frozenset[str], lexicon: Lexicon) -> bool:
    if is_name(token):
        return True
    # The first word of a sentence is a name if it is a name elsewhere, or if the next word is a name (Albert Einstein).
    if not token.capital or token.noun or token.key in lexicon.stop_words:
        return False
    if token.key in known:
        return True
    after = bisect_right(whole, token.start, key=lambda t: t.start)
    return after < len(whole) and is_name(whole[after])
