"""Find the final answer that a text declares (a number, an option, yes or no, a formula), and compare two of them.

These forms are read: ``#### 42`` on the last line (GSM8K), ``\\boxed{42}`` (MATH), "The answer is 42", "Answer: B", a
whole text that is such an answer ("B) Paris", "42."), and "Yes" or "No" at the beginning. The last declaration counts.
An uncertain form, such as a range, does not count as a final answer. Cost: 10 to 30 µs for each text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from scorer.scoring.compare.quantities.number_parser import read_number
from scorer.scoring.compare.result import Signal, Span, excerpt
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.text.canonical_text import QUOTES
from scorer.scoring.compare.vocabulary.lexicon import by_entry, one_of, word_data

_REACH = 20_000  # characters at the end of a text in which a declaration is searched
_SHORT = 200  # maximum characters of a text that as a whole may be a final answer
_LONGEST_FORMULA = 300
_MOST = 20  # the number of declarations that are read, from the end of the text

_HASHES = re.compile(r"^####[ \t]+(?=\S)", re.MULTILINE)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{")
_WORDS = word_data("notation")["final_answers"]
_DECLARED = re.compile("|".join(_WORDS["declared"]), re.IGNORECASE)
_DECLARING = [re.compile(word) for word in _WORDS["declaring"].split()]
_DECORATION = re.compile(
    r"(?:[\s*_`\"'“”‘’:：]|\$(?!\d)|\\[(\[,;! ]|\\text(?:bf)?\{|≈|~|(?:approximately|about|simply|option)\b)*"
)
_OPTION = re.compile(r"(\()?([A-J])(?![\w'’+#°%^/-])(?:([).\]:])|(?=[\s*_,;}$\\\"'”’]|\Z))")
_REASON_FOLLOWS = re.compile(r"[ \t]+(?:because|since|as|for|and|which|[–—(-])")
_LOWER_CASE_WORD = re.compile(r"[ \t]+[a-z]")
_NUMBER = re.compile(
    r"([-−–+])?\s?(US\$|[$€£¥₹])?\s?([-−–])?(\d+(?:,\d{2,3})*(?:\.\d+)?|\.\d+)(?:/(\d{1,6})(?![\d/]))?"
)
_FRACTION = re.compile(r"([-−–])?\\[dt]?frac\{(-?\d{1,9})\}\{(\d{1,9})\}")
_GOES_ON = re.compile(  # a range, a date, a time, a version, a ratio or a term
    r"[\w:/^²³]|\.\d|,\d|\s?(?:-|–|—|to|or|and|through|bis|à)\s?\$?\d|\s?[*×·+x÷^/]\s?\d|\s?[ap]\.?m\b",
    re.IGNORECASE,
)
# The terms before the last equals sign: The answer is 5 * 8 = 40.
_TERMS = re.compile(r"(?:(?:[\d\s$€£*×·+÷^/(),%−–-]|\.\d|\b[A-Za-z]\b|\\times|\\cdot){0,80}={1,2}){1,10}")
_MORE_NUMBERS = re.compile(r"[^\n.!?]{0,200}?\d")  # in the rest of the sentence
_TRUTHS = by_entry({"yes": _WORDS["yes"], "no": _WORDS["no"]})
_TRUTH = re.compile(rf"({one_of(_TRUTHS)})(?=[.,;:!*_\n—–。，！]|\s+[—–-]\s|\s*\Z)", re.IGNORECASE)
_TAKEN_BACK = re.compile(r"[,.]?\s+(?:and no|wait|no|yes)\b", re.IGNORECASE)  # "Yes and no", "No, wait"
_CURRENCY = {"US$": "$", "£": "pound"}


class AnswerKind(StrEnum):
    NUMBER = "number"
    OPTION = "option"
    TRUTH = "truth"
    FORMULA = "formula"


@dataclass(frozen=True, slots=True)
class FinalAnswer:
    """A final answer in a text, in characters ``start`` to ``end`` (exclusive) of the text.

    - ``value``: the normal form of the answer. For a number, it is the value in the unit of the text.
    - ``unit``: for a number with a unit, the base unit; else "". ``factor`` converts the value to the base unit.
    - ``partial``: True for one of several declared answers, for one of several numbers in a sentence, and for a "Yes"
      or "No" that only begins the text. Two texts with equal partial answers may still differ in the rest.
    - ``words``: the words of the option in lower case: "paris" for "B) Paris"; "" if the text has only its letter.
    """

    kind: AnswerKind
    value: str
    start: int
    end: int
    unit: str = ""
    factor: Decimal = Decimal(1)
    partial: bool = False
    words: str = ""


def final_answer(text: str) -> FinalAnswer | None:
    """Return the final answer that a text declares, or None if the text declares none."""
    at = max(0, len(text) - _REACH)
    places = [*_boxed_places(text, at), *_hash_places(text, at), *_declared_places(text, at)]
    declared = [found for place in sorted(places)[-_MOST:] if (found := _answer_at(text, place))]
    if not declared:
        return _whole(text) or _opening(text)
    last = declared[-1]
    return replace(last, partial=last.partial or any(not _equal(one, last) for one in declared))


def final_answers(pair: DocumentPair) -> Signal | None:
    """Return a signal whose divergence is 1 if two texts declare different final answers, and 0 if they are equal.

    Return None if a text declares none, or if the two cannot be compared, such as an option and a number. Also return
    None if the answers are equal but the texts may still differ in the rest (``partial``).
    """
    ours, theirs = final_answer(pair.left.text), final_answer(pair.right.text)
    if ours is None or theirs is None or ours.kind is not theirs.kind:
        return None
    if _equal(ours, theirs):
        other_words = ours.words and theirs.words and ours.words != theirs.words
        return None if ours.partial or theirs.partial or other_words else Signal("final_answer", 0.0)
    shown = [excerpt(side.text[one.start : one.end]) for side, one in ((pair.left, ours), (pair.right, theirs))]
    spans = Span(True, ours.start, ours.end), Span(False, theirs.start, theirs.end)
    return Signal("final_answer", 1.0, reason=f"“{shown[0]}” → “{shown[1]}”", spans=spans)


def _equal(one: FinalAnswer, other: FinalAnswer) -> bool:
    if one.kind is not other.kind or one.kind is not AnswerKind.NUMBER:
        return (one.kind, one.value) == (other.kind, other.value)
    a, b = Decimal(one.value), Decimal(other.value)
    if one.unit and other.unit:
        return one.unit == other.unit and _equal_numbers(a * one.factor, b * other.factor)
    return _equal_numbers(a, b)


def _equal_numbers(a: Decimal, b: Decimal) -> bool:
    """Return whether two numbers are equal, or whether one is the other rounded to fewer decimal places."""
    if a == b:
        return True
    coarse, fine = sorted((a, b), key=_places)
    places = _places(coarse)
    return 0 < places < _places(fine) and abs(fine - coarse) * 2 <= Decimal(1).scaleb(-places)


def _places(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _boxed_places(text: str, at: int) -> Iterator[int]:
    if "\\" in text:
        yield from (m.end() for m in _BOXED.finditer(text, at))


def _declared_places(text: str, at: int) -> Iterator[int]:
    """Yield the place after each declaration.

    Every declaration begins with one of a few words. Finding these words first is far cheaper than matching the
    pattern.
    """
    folded = text[at:].lower()
    if len(folded) != len(text) - at:  # a letter such as İ is longer in lower case
        yield from (m.end() for m in _DECLARED.finditer(text, at))
        return
    end = at
    for start in sorted(at + found.start() for word in _DECLARING for found in word.finditer(folded)):
        match = _DECLARED.match(text, start) if start >= end else None
        if match:
            end = match.end()
            yield end


def _hash_places(text: str, at: int) -> Iterator[int]:
    """Yield the place after ``####`` on the last line. On other lines, ``####`` is a heading."""
    for match in _HASHES.finditer(text, at) if "####" in text else ():
        if "\n" not in text[match.end() :].rstrip():
            yield match.end()


def _answer_at(text: str, place: int) -> FinalAnswer | None:
    if text[place - 1] == "{":
        return _boxed_answer(text, place)
    decoration = _DECORATION.match(text, place)
    at = decoration.end() if decoration else place
    if boxed := _BOXED.match(text, at):
        return _boxed_answer(text, boxed.end())
    return _option(text, at) or _number(text, at) or _truth(text, at)


def _boxed_answer(text: str, start: int) -> FinalAnswer | None:
    """Return the answer inside ``\\boxed{…}``, whose content begins at ``start``.

    Return None if the content is empty, too long or not closed.
    """
    depth, end = 1, start
    while end < len(text) and end - start < _LONGEST_FORMULA:
        depth += (text[end] == "{") - (text[end] == "}")
        if not depth:
            break
        end += 1
    if depth or not text[start:end].strip():
        return None
    content = text[:end]
    decoration = _DECORATION.match(content, start)
    at = decoration.end() if decoration else start
    for read in (_option, _number, _truth):
        found = read(content, at)
        if found is not None and not content[found.end :].strip(" .})*$\\,;!"):
            return found
    return FinalAnswer(AnswerKind.FORMULA, _normal_formula(text[start:end]), start, end)


def _normal_formula(formula: str) -> str:
    formula = re.sub(r"\\(?:left|right|displaystyle|,|;|!|:|quad|qquad)(?![a-z])|\\ |[\s$]|\\(?=%)", "", formula)
    formula = re.sub(r"\\(?:text|textbf|mathrm|mathbf|mbox|operatorname)\{([^{}]*)\}", r"\1", formula)
    formula = re.sub(r"\\[dt]frac", r"\\frac", formula).translate(QUOTES).rstrip(".")
    return re.sub(r"^[A-Za-z](?:\([A-Za-z]\))?=(?=[^=]+$)", "", formula)  # x = 5


def _option(text: str, at: int) -> FinalAnswer | None:
    match = _OPTION.match(text, at)
    if match is None or (match[1] and match[3] != ")"):
        return None
    article = match[2] in "AI" and not match[3] and _LOWER_CASE_WORD.match(text, match.end())
    if article and not _REASON_FOLLOWS.match(text, match.end()):
        return None  # "The answer is A dog"
    return FinalAnswer(AnswerKind.OPTION, match[2], match.start(), match.end())


def _number(text: str, at: int) -> FinalAnswer | None:
    if terms := _TERMS.match(text, at):
        decoration = _DECORATION.match(text, terms.end())
        at = decoration.end() if decoration else terms.end()
    if part := _FRACTION.match(text, at):
        return _fraction(int(part[2]) * (-1 if part[1] else 1), int(part[3]), part.start(), part.end())
    match = _NUMBER.match(text, at)
    if match is None:
        return None
    negative = (match[1] or match[3] or "+") in "-−–"
    if match[5]:
        above = int(match[4]) if match[4].isdecimal() else 0
        return _fraction(-above if negative else above, int(match[5]), match.start(), match.end()) if above else None
    formula = match[2] == "$" and text[match.end() : match.end() + 1] == "$"
    currency = "" if formula else _CURRENCY.get(match[2] or "", match[2] or "")
    quantity = read_number(text, match.start(4), match.end(4), currency)
    if quantity.word or _GOES_ON.match(text, quantity.end):
        return None
    try:
        value = Decimal(quantity.key.removesuffix(f" {quantity.base}"))
    except InvalidOperation:
        return None  # a date, a time or a version
    value = value if quantity.factor == 1 else value / quantity.factor
    value = value.copy_negate() if negative else value
    partial = _MORE_NUMBERS.match(text, quantity.end) is not None  # 5 ducks and 3 geese
    return FinalAnswer(
        AnswerKind.NUMBER, str(value), match.start(), quantity.end, quantity.base, quantity.factor, partial
    )


def _fraction(numerator: int, denominator: int, start: int, end: int) -> FinalAnswer | None:
    if not denominator:
        return None
    value = Decimal(numerator) / Decimal(denominator)
    return FinalAnswer(AnswerKind.NUMBER, str(value), start, end)


def _truth(text: str, at: int) -> FinalAnswer | None:
    match = _TRUTH.match(text, at)
    if match is None:
        return None
    return FinalAnswer(AnswerKind.TRUTH, _TRUTHS[match[1].casefold()], match.start(), match.end())


def _whole(text: str) -> FinalAnswer | None:
    """Return the answer if a short text has nothing else, or None.

    The answer is an option (perhaps with its words), a number, yes or no.
    """
    body = text.strip()
    if not body or len(body) > _SHORT or "\n" in body:
        return None
    decoration = _DECORATION.match(text)
    at = decoration.end() if decoration else 0
    option = _option(text, at)
    if option is not None:
        words = text[option.end :].strip(" .*_`\"'”’:\n")
        if text[option.end - 1] in ").:]" or not words:
            return replace(option, words=words.casefold())
    for read in (_number, _truth):
        found = read(text, at)
        if found is not None and not text[found.end :].strip(" .!*_`\"'”’。！$\n"):
            return found
    return None


def _opening(text: str) -> FinalAnswer | None:
    decoration = _DECORATION.match(text)
    found = _truth(text, decoration.end() if decoration else 0)
    if found is None or _TAKEN_BACK.match(text, found.end):
        return None
    return replace(found, partial=True)
