"""Words as they are compared: contractions in one form, figures as they are meant. 0.1 to 0.2 ms for 100 words."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from scorer.scoring.compare.text.formula_signs import sign_key
from scorer.scoring.compare.text.lexicon import NOT_NAMES
from scorer.scoring.compare.text.measurement_units import CURRENCIES
from scorer.scoring.compare.text.quantities import (
    MONTHS,
    PARTS,
    Figure,
    month_at,
    negated,
    one_number,
    read_number,
    read_part,
    read_word,
    total,
    with_unit,
)
from scorer.scoring.compare.text.spellings import (
    COMMA_LANGUAGES,
    CURRENCY_MARKS,
    GERMAN,
    PHRASES,
    SPELLED_NUMBERS,
    SYMBOLS,
    TENS,
    TITLES,
    VERSION_WORDS,
)
from scorer.scoring.compare.text.token_pattern import TOKEN
from scorer.scoring.compare.text.word_forms import TIMES, keys_of, short_form

MAX_TOKENS = 6000  # beyond it the alignment's memory would grow with the square; the embedding reads the rest

_MARKER = re.compile(r"(?:(?<=\s)|^)\d{1,3}[.)](?=\s)")
_STOP = re.compile(r"[.!?:\n\"]")
_UNITS_BEHIND = re.compile(r"[- ](one|two|three|four|five|six|seven|eight|nine)\b", re.IGNORECASE)
_PARTS_BEHIND = re.compile(r"[- ]((?:third|quarter|fifth|sixth|eighth|tenth)s?)(?![\w-])", re.IGNORECASE)
_SCALE_BEHIND = re.compile(r" (?:hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)
_ARTICLE = re.compile(r" (?:of )?an?(?= [a-z])")
_SOME = re.compile(r" (few|dozen)\b", re.IGNORECASE)
_IN_DIGITS = re.compile(r" \((\d{1,3})\)")
_FIGURE_BEHIND = re.compile(r" (?=[$€£¥₹]?\d)")
_CENTS = re.compile(r"[\d.]+,\d{2}")
_EURO = re.compile(r" ?(?:€|Euro|EUR)")
_BARE = str.maketrans("", "", "{( ")
_BETWEEN_NUMBERS = frozenset({"to", "and", "bis"})


class Token(NamedTuple):
    """``key`` is compared; ``surface`` is what stood there; ``start`` its place in the canonical text.

    ``marker``: the number of a list item, which a change of bullet style may drop. ``opens``: first of its sentence.
    ``symbol``: a sign with a meaning (≤, ✓, →, +). ``comma``: a comma stands before it. ``noun``: capitalised as nouns
    are in German, so no name. ``code``: it stands in a code block.
    """

    key: str
    surface: str
    start: int
    number: bool = False
    marker: bool = False
    opens: bool = False
    symbol: bool = False
    comma: bool = False
    noun: bool = False
    code: bool = False

    @property
    def capital(self) -> bool:
        return self.surface[:1].isupper()


def tokenize(
    text: str, code: tuple[tuple[int, int], ...] = (), starts: frozenset[int] = frozenset()
) -> tuple[Token, ...]:
    """Tokens of a canonical text, at most MAX_TOKENS.

    ``code``: spans of it that stood in code blocks. ``starts``: where its paragraphs begin.
    """
    words = text[:1500].lower().split()
    found = _Scanner(text, _share(words, COMMA_LANGUAGES), starts).scan()[:MAX_TOKENS]
    if _share(words, GERMAN):
        found = _with_nouns(found)
    return tuple(_with_code(found, code) if code else found)


def _share(words: list[str], language: frozenset[str]) -> bool:
    return sum(word in language for word in words) > 0.08 * len(words)


class _Scanner:
    """One pass over a text. ``end``: where the last token ended. ``figure``: the last number, while a range may go on.

    ``currency``, ``minus``: what stood before the next number, from ``begin`` on.
    """

    def __init__(self, text: str, comma: bool, starts: frozenset[int]) -> None:
        self.text = text
        self.starts = starts
        self.comma = comma
        self.found: list[Token] = []
        self.end = 0
        self.figure: Figure | None = None
        self.currency = ""
        self.minus = False
        self.begin = -1
        self.markers = {m.start() for m in _MARKER.finditer(text)}

    def scan(self) -> list[Token]:
        for match in TOKEN.finditer(self.text):
            start = match.start()
            if start < self.end:
                continue
            surface = match[0]
            if surface[0].isalpha():
                self._word(surface, start)
            elif surface[0].isdecimal():
                self._number(surface, start)
            else:
                self._symbol(surface, start)
            if len(self.found) >= MAX_TOKENS:
                break
        return self.found

    def _add(
        self, key: str, surface: str, start: int, number: bool = False, marker: bool = False, symbol: bool = False
    ) -> None:
        gap = self.text[self.end : start]
        found = self.found
        if gap == " " and found and start not in self.starts:
            found.append(Token(key, surface, start, number, marker, found[-1].marker, symbol))
        else:
            opens = not found or found[-1].marker or start in self.starts or _ends_sentence(gap)
            found.append(Token(key, surface, start, number, marker, opens, symbol, "," in gap))
        self.end = start + len(surface)

    def _word(self, surface: str, start: int) -> None:
        keys, special = keys_of(surface)
        if special and self._special(surface, start):
            return
        if self.figure is not None and keys[0] not in _BETWEEN_NUMBERS:
            self.figure = None
        self._add(keys[0], surface, start)
        for key in keys[1:]:
            self.found.append(Token(key, surface, start))

    def _special(self, surface: str, start: int) -> bool:
        """Words that may begin something longer: a number, a date, an amount, an address, a phrase."""
        word, text, end = surface.casefold(), self.text, start + len(surface)
        if word in SPELLED_NUMBERS or word in TIMES:
            return self._spelled(word, start, end)
        if word in MONTHS and (surface[0].isupper() or word not in ("may", "march", "mar", "mars")):
            date = month_at(word, text, end)
            if date is not None:
                self._put(Figure(*date), start)
                return True
        if "://" in word or word.startswith("www."):
            self.end = end  # addresses are compared by themselves
            return True
        if surface in CURRENCY_MARKS:
            return self._amount(surface, start)
        if word == "minus":
            self.minus = _FIGURE_BEHIND.match(text, end) is not None
            self.begin = start if self.minus else -1
            return self.minus
        if word[0] == "v" and word[1:2].isdecimal():
            self._put(Figure(word[1:], end), start)
            return True
        return self._several(word, start, end)

    def _several(self, word: str, start: int, end: int) -> bool:
        """A few, half a cup, and what an abbreviation stands for."""
        text = self.text
        if word == "a":
            some = _SOME.match(text, end)
            if some is not None and some[1].lower() == "dozen":
                self._put(read_word(Decimal(12), text, some.end()), start)
                return True
            return some is not None and self._phrase("a " + some[1].lower(), start, some.end())
        if short := short_form(word, text, start):
            return self._phrase(short, start, end + (2 if short == "without" else 1))
        if word == "half":
            article = _ARTICLE.match(text, end)
            figure = read_word(Decimal("0.5"), text, article.end()) if article else None
            if figure is not None and figure.key != "0.5":
                self._put(figure, start)
                return True
        for phrase, key in PHRASES.get(word, ()):
            stop = start + len(phrase)
            if text[start:stop].casefold() == phrase and not text[stop : stop + 1].isalnum():
                return self._phrase(key, start, stop)
        return False

    def _phrase(self, key: str, start: int, stop: int) -> bool:
        self.figure = None
        self._add(key, self.text[start:stop], start)
        return True

    def _spelled(self, word: str, start: int, end: int) -> bool:
        if word in TIMES:
            self._put(Figure(TIMES[word], end), start)
            return True
        value = Decimal(SPELLED_NUMBERS[word])
        if word in TENS and (behind := _UNITS_BEHIND.match(self.text, end)):
            value, end = value + Decimal(SPELLED_NUMBERS[behind[1].lower()]), behind.end()
        part = _PARTS_BEHIND.match(self.text, end)
        if part and (value == 1) != part[1].endswith("s"):
            self._put(read_part(int(value), PARTS[part[1].lower().rstrip("s")], self.text, part.end()), start)
            return True
        if (again := _IN_DIGITS.match(self.text, end)) and int(again[1]) == value:
            end = again.end()  # thirty (30)
        figure = read_word(value, self.text, end)
        if word == "one" and not figure.base and not _SCALE_BEHIND.match(self.text, end):
            return False
        self._put(figure, start)
        return True

    def _amount(self, surface: str, start: int) -> bool:
        after = start + len(surface)
        if not self.text[after : after + 3].lstrip(" -")[:1].isdecimal():
            return False
        self.currency = CURRENCY_MARKS[surface]
        self.begin = self.begin if self.minus else start
        self.minus = self.minus or negated(self.text, start)
        return True

    def _number(self, surface: str, start: int) -> None:
        text, end = self.text, start + len(surface)
        comma = self.comma or (_CENTS.fullmatch(surface) is not None and bool(self.currency or _EURO.match(text, end)))
        if "," in surface and not one_number(surface, comma):
            for part in surface.split(","):  # (3,4) is (3, 4)
                self._number(part, start)
                start += len(part) + 1
            return
        currency, self.currency = self.currency, ""
        version = "." in surface and surface[-1] == "0" and self._names_a_version(start)
        figure = read_number(text, start, end, currency, version, comma)
        minus, self.minus = self.minus, False
        begin, self.begin = (self.begin if self.begin >= 0 else start), -1
        minus = minus or (text[start - 1] == "-" if currency and start else negated(text, start))
        if not minus and start and text[start - 1] == "(" and text[figure.end : figure.end + 2] == ")%":
            minus, figure = True, Figure(f"{figure.key} %", figure.end + 2, base="%")  # as balance sheets write it
        if minus:
            figure = Figure("-" + figure.key, figure.end, figure.plain, figure.base, figure.factor)
        self._put(figure, begin, marker=start in self.markers and figure.end == end)

    def _names_a_version(self, start: int) -> bool:
        last = self.found[-1] if self.found else None
        if last is None or last.number or self.text[self.end : start] not in (" ", ""):
            return False
        return last.key in VERSION_WORDS or (last.capital and not last.opens and len(last.key) > 2)

    def _put(self, figure: Figure, start: int, marker: bool = False) -> None:
        before = self.figure
        if before is not None and not marker:
            figure = self._in_range(before, figure, start)
        self._add(figure.key, self.text[start : figure.end], start, number=not figure.word, marker=marker)
        self.figure = None if marker or figure.word else figure

    def _in_range(self, before: Figure, figure: Figure, start: int) -> Figure:
        """5-10 minutes, 5 to 10 minutes, between 5 and 10 minutes: one form for all."""
        found = self.found
        at = len(found) - 1
        if found[at].number:
            gap = self.text[self.end : start]
            if gap == " " and (both := total(before, figure)):
                found.pop()  # 1 h 30 min
                return both
            if gap not in ("-", "--") or figure.key.startswith("-"):
                return figure
            self._add("to", "-", self.end)
        else:
            if found[at].key == "and":
                if at < 2 or found[at - 2].key != "between":
                    return figure
                del found[at - 2]
                at -= 1
            found[at] = found[at]._replace(key="to")
            at -= 1
        if before.plain and figure.base and figure.base not in CURRENCIES:
            found[at] = found[at]._replace(key=with_unit(found[at].key, figure.base, figure.factor))
        elif before.base in CURRENCIES and figure.plain:
            return Figure(f"{figure.key} {before.base}", figure.end, base=before.base)
        return figure

    def _symbol(self, surface: str, start: int) -> None:
        if surface in CURRENCY_MARKS and self._amount(surface, start):
            return
        self.figure = None
        if surface[0] in "★☆⭐":
            self._add(f"{len(surface) - surface.count('☆')}★", surface, start, number=True)
        elif surface[0] in "^√" and len(surface) > 1:
            self._add(surface.lower().translate(_BARE), surface, start, number=True)
        else:
            key = sign_key(self.text, start, surface) if surface in ("+", "-") else SYMBOLS.get(surface, surface)
            self._add(key, surface, start, symbol=not key[0].isalpha())


def _ends_sentence(gap: str) -> bool:
    return _STOP.search(gap) is not None or ("-" in gap and " " in gap)


def _with_code(tokens: list[Token], spans: tuple[tuple[int, int], ...]) -> list[Token]:
    """Marks what stands in code blocks."""
    marked: list[Token] = []
    edges = iter([*(edge for span in spans for edge in span), tokens[-1].start + 1 if tokens else 0])
    edge, inside = next(edges), False
    for token in tokens:
        while token.start >= edge:
            edge, inside = next(edges), not inside
        marked.append(token._replace(code=True) if inside else token)
    return marked


def _with_nouns(tokens: list[Token]) -> list[Token]:
    """German writes every noun with a capital: a name is what stands behind a title or another capitalised word."""
    marked: list[Token] = []
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else None
        named = before is not None and (before.key in TITLES or (before.capital and not before.opens))
        marked.append(token._replace(noun=True) if token.capital and not named else token)
    return marked


def is_name(token: Token) -> bool:
    return token.capital and not token.opens and not token.noun and token.key not in NOT_NAMES and len(token.key) > 1
