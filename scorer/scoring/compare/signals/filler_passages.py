"""Recognise a sentence that only one text has and that says nothing: "Sure!", "I hope this helps."

The embedding of a short answer changes much when such a sentence is added, although the answer is the same.
"""

from __future__ import annotations

from scorer.scoring.compare.alignment.word_alignment import Edit
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.vocabulary.word_lists import words

_LONGEST = 16  # words
_FILLER = words(
    "sure certainly course absolutely great good excellent question hello hi hey thanks thank hope helps help know "
    "happy glad assist assistance let feel free ask need want like anything else further more questions welcome please "
    "here answer got"
)


def is_filler(edit: Edit, pair: DocumentPair) -> bool:
    """Return whether an edit only adds or removes whole sentences without content, at the start or end of a text."""
    tokens = edit.left or edit.right
    document, at, end = (
        (pair.left, edit.left_at, edit.left_end) if edit.left else (pair.right, edit.right_at, edit.right_end)
    )
    whole = tokens[0].opens and (end == len(document.tokens) or document.tokens[end].opens)
    at_edge = at == 0 or end == len(document.tokens)
    if (edit.left and edit.right) or len(tokens) > _LONGEST or not (whole and at_edge):
        return False
    without = pair.lexicon.stop_words
    return all(t.key in _FILLER or (t.key in without and not pair.lexicon.negates(t.key)) for t in tokens)
