"""Find refusals of the request in the first sentences of an answer, in twelve languages. Cost: 50 µs for 100 words.

A refusal in a letter or in a quotation is not a refusal of the request.
"""

from __future__ import annotations

import re
from itertools import chain

from scorer.scoring.compare.defects.defect import NO_DEFECT, Defect
from scorer.scoring.compare.defects.english_refusals import ANSWER_FOLLOWS, ENGLISH
from scorer.scoring.compare.defects.refusals_in_other_languages import OTHER_LANGUAGES
from scorer.scoring.compare.result import excerpt
from scorer.scoring.compare.text.canonical_text import plain
from scorer.scoring.compare.text.parsed_document import Document

_ENGLISH_CHARS, _OTHER_CHARS = 400, 160  # the parts of a text that are searched
_SORRY = re.compile(
    r"^(?:i'm |i am )?(?:sorry|so sorry|my apologies|apologies|i apologi[sz]e|unfortunately)\b", re.IGNORECASE
)
# A salutation that ends a line, or the subject of an e-mail.
_LETTER = re.compile(
    r"(?:subject|betreff|objet|asunto|assunto|oggetto):"
    r"|(?:dear|hi|hello|hey|liebe|lieber|hallo|sehr geehrte[r]?|cher|chère|bonjour|estimad[oa]|querid[oa]|hola|car[oa]"
    r"|beste|geachte|drog[ia]|уважаем\w{2}|дорог\w{2}|尊敬的|亲爱的)(?! (?:user|customer|there))[^\n.!?]{0,60}\n",
    re.IGNORECASE,
)
# The sentence is the speech of another person, without quotation marks.
_REPORTED = re.compile(
    r"[^.!?]{0,60}, (?:\w{1,15} ){0,2}(?:said|says|thought|told|wrote|writes|whispered|replied|joked|shouted)\b",
    re.IGNORECASE,
)


def refusal(document: Document) -> Defect:
    """Return a defect if the text begins with a refusal, or if the provider reports a refusal; else NO_DEFECT.

    The severity is 1.0, but lower if the refusal in the text comes late, if the text is long and does not begin with an
    apology, or if an answer follows the refusal.
    """
    if document.refused:
        return Defect(1.0, "the provider marks it as a refusal")
    head = plain(document.text[:900].strip())
    match = None if _LETTER.match(head) else _own_refusal(head := head.replace("\n", " "))
    if match is None:
        return NO_DEFECT
    if ANSWER_FOLLOWS.match(head, match.end()):
        return Defect(0.2, excerpt(head[match.start() : match.end() + 40]))
    early = match.start() < 120
    short = len(document.tokens) < 90
    if early and (short or _SORRY.match(head)):
        return Defect(1.0, excerpt(head[match.start() : match.end() + 40]))
    return Defect(0.7 if early else 0.35, excerpt(head[match.start() : match.end() + 40]))


def _own_refusal(head: str) -> re.Match[str] | None:
    """Return the first refusal that is not in quotation marks or attributed to a person ("he said"), or None.

    Quotation marks around the whole text do not count.
    """
    whole = head.startswith('"') and head.find('"', 1) in (-1, len(head) - 1)
    for match in chain(ENGLISH.finditer(head[:_ENGLISH_CHARS]), OTHER_LANGUAGES.finditer(head[:_OTHER_CHARS])):
        quoted = not whole and head.count('"', 0, match.end()) % 2 == 1
        if not quoted and not _REPORTED.match(head, match.end()):
            return match
    return None
