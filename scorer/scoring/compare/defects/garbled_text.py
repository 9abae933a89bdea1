"""Find garbled text: wrongly decoded characters (mojibake), replacement characters, and implausible words.

Cost: 60 µs for 100 words.
"""

from __future__ import annotations

import re

from scorer.scoring.compare.defects.defect import NO_DEFECT, Defect
from scorer.scoring.compare.defects.implausible_words import implausible_share, words_of
from scorer.scoring.compare.defects.mojibake import badness
from scorer.scoring.compare.result import ramp
from scorer.scoring.compare.text.parsed_document import Document

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # except white space
_READ = 8000  # characters that are examined
_IMPLAUSIBLE = 0.06  # the share of implausible words above which a text counts as garbled


def garbled_text(left: Document, right: Document) -> tuple[Defect, Defect]:
    """Return two defects: the garbling of the left text, and the garbling of the right text.

    The library ftfy counts wrongly decoded characters. A word that both texts contain counts as plausible. Implausible
    words are a defect of the text that has the greater share of implausible words. The severity of this defect depends
    on the difference between the shares of the two texts.
    """
    texts = left.prose[:_READ], right.prose[:_READ]

    folded = [text.lower() for text in texts]

    def in_both(word: str) -> bool:
        return all(word in text for text in folded) and all(word in words_of(text) for text in texts)

    implausible = [implausible_share(text, in_both) for text in texts]
    if max(share for share, _ in implausible) > _IMPLAUSIBLE and not (
        left.lexicon.is_english or right.lexicon.is_english
    ):
        implausible = [implausible_share(text, in_both, european=True) for text in texts]
    (a, example_a), (b, example_b) = implausible
    return _garbled(left, a - b, example_a), _garbled(right, b - a, example_b)


def _garbled(document: Document, implausible: float, example: str) -> Defect:
    text = document.text[:_READ]
    if not text:
        return NO_DEFECT
    broken = text.count("\ufffd") + len(_CONTROL.findall(text))
    marks = broken if text.isascii() else broken + badness(text)
    degree = max(ramp(marks / max(len(document.tokens), 1), 0.01, 0.1), ramp(implausible, _IMPLAUSIBLE, 0.2))
    return Defect(degree, example if implausible > _IMPLAUSIBLE else "broken characters") if degree else NO_DEFECT
