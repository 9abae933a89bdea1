"""Find an answer that is in a different language from its request. An uncertain case is not a fault."""

from __future__ import annotations

from scorer.scoring.compare.text.language_detection import detect_language, languages_of, script_shares
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.judge.requested_faults import Requested

_PASSAGE = 300  # the number of characters from which a language is detected
_SHORT_WORDS, _SHORT_SURE = 4, 0.8  # for a request too short for Document.languages: least words, least confidence
_ONE_SCRIPT, _OTHER_SCRIPT = 0.95, 0.7
_RELATED = tuple(  # languages that the detector confuses with each other
    frozenset(group.split())
    for group in ("hr sr bs sh sl", "no nn da sv", "id ms", "es gl ca pt an", "cs sk", "ru uk be bg", "zh yue wuu",
                  "de als nds lb", "hi mr ne")
)  # fmt: skip


def other_language(text: str, requested: Requested) -> str:
    """Return the languages or the scripts of the request and of the answer if they differ, or ""."""
    prompt, text = requested.prompt[:_PASSAGE], text[:_PASSAGE]
    asked = _language(prompt)
    return (_differing(asked, text, requested) or _other_script(prompt, text, requested)) if asked else ""


def _language(prompt: str) -> str:
    """Return the language of a request, or "" if it is uncertain or if there are several."""
    found = Document(prompt).languages
    if found or len(prompt.split()) < _SHORT_WORDS:
        return found[0] if len(found) == 1 else ""
    name, confidence = detect_language(" ".join(prompt.split()))
    return name if confidence >= _SHORT_SURE else ""


def _differing(asked: str, text: str, requested: Requested) -> str:
    answered = languages_of(text)
    if len(answered) != 1 or answered[0] == asked or answered[0] in Document(requested.instructions).languages:
        return ""
    related = any({asked, answered[0]} <= group for group in _RELATED)
    return "" if related else f"{asked} → {answered[0]}"


def _other_script(prompt: str, text: str, requested: Requested) -> str:
    """Return the main scripts of the request and of the answer if they clearly differ; otherwise "".

    A text that is too short for the language detector may still show its language by its script.
    """
    own, other = script_shares(prompt), script_shares(text)
    if not own or not other:
        return ""
    first, second = (max(shares, key=shares.__getitem__) for shares in (own, other))
    foreign = 1 - other.get(first, 0.0)  # Japanese has two scripts
    mixed = own[first] < _ONE_SCRIPT or foreign < _OTHER_SCRIPT or second in script_shares(requested.instructions)
    return "" if first == second or second == "latin" or mixed else f"{first} → {second} letters"
