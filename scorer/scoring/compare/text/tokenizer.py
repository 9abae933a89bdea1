"""Split a text into tokens for comparison: words, quantities and signs. Cost: 0.1 ms for 100 words.

Each token has a key, the normal form that is compared. Different spellings of a word have the same key, and so do equal
quantities (5 km and 5000 m). The text must be in canonical form (text/canonical_text.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from scorer.scoring.compare.quantities.measurement_units import CURRENCIES, MONTHS
from scorer.scoring.compare.quantities.number_parser import (
    FRACTION_WORDS,
    Quantity,
    exact,
    han_number,
    has_minus,
    is_one_number,
    month_at,
    read_amount,
    read_number,
    with_unit,
)
from scorer.scoring.compare.text.token_pattern import CURRENCY_MARKS, HAN_NUMERAL, sign_key, token_pattern
from scorer.scoring.compare.text.tokens import Token, ends_sentence, list_markers, with_code, with_nouns
from scorer.scoring.compare.text.word_forms import ChunkWord, chunk_word, word_forms, words_of_chunks
from scorer.scoring.compare.vocabulary.lexicon import Lexicon

MAX_TOKENS = 6000  # limited because the alignment's memory grows with the square; the embedding reads the rest too

_UNITS_AFTER = re.compile(r"[- ](one|two|three|four|five|six|seven|eight|nine)\b", re.IGNORECASE)
_FRACTION_AFTER = re.compile(r"[- ]((?:third|quarter|fifth|sixth|eighth|tenth)s?)(?![\w-])", re.IGNORECASE)
_SCALE_AFTER = re.compile(r" (?:hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)
_NUMBER_OF = re.compile(r"(?:(?<=\w )|(?<=\())No\.(?= ?\d)")
_IN_DIGITS = re.compile(r" \((\d{1,3})\)")
_FIGURE_AFTER = re.compile(r" (?=[$€£¥₹]?\d)")
_CENTS = re.compile(r"[\d.]+,\d{2}")
_EURO = re.compile(r" ?(?:€|[Ee]uros?\b|EUR)")
_BARE = str.maketrans("", "", "{( ")
_BETWEEN_NUMBERS = frozenset({"to", "and", "bis"})


_plain = tuple.__new__  # half as expensive as Token(…), and called for every word


def tokenize(
    text: str,
    lexicon: Lexicon,
    code: tuple[tuple[int, int], ...] = (),
    starts: frozenset[int] = frozenset(),
) -> tuple[Token, ...]:
    """Return the tokens of a text in canonical form, at most MAX_TOKENS. ``lexicon`` has the words of its language.

    ``code`` has the (start, end) positions of the code blocks, and ``starts`` has the start positions of the
    paragraphs.
    """
    found = _Scanner(text, lexicon, starts).scan()[:MAX_TOKENS]
    if lexicon.capital_nouns:
        found = with_nouns(found, lexicon)
    return tuple(with_code(found, code) if code else found)


def _begins(text: str, start: int, phrases: tuple[str, ...]) -> bool:
    """Return whether one of the phrases begins at ``start``. The longest phrase comes first."""
    return text[start : start + len(phrases[0])].casefold().startswith(phrases)


class _Scanner:
    """The state of the tokenizer during one pass over a text.

    - ``starts``, ``markers``: the positions of the paragraphs and of the numbers of list items.
    - ``lexicon``: the words of the text's language.
    - ``end``: the position after the last token.
    - ``searched``: the position after the last chunk that was searched for tokens.
    - ``quantity``: the last quantity if it may be the beginning of a range, else None.
    - ``currency``: the currency before the next number, or "".
    - ``minus``: True if there is a minus sign before the next number.
    - ``begin``: the position of the currency or minus sign, or -1 if there is none.
    """

    def __init__(self, text: str, lexicon: Lexicon, starts: frozenset[int]) -> None:
        self.text = text
        self.starts = starts
        self.lexicon = lexicon
        self.forms = word_forms(lexicon)
        self.found: list[Token] = []
        self.end = 0
        self.searched = 0
        self.quantity: Quantity | None = None
        self.currency = ""
        self.minus = False
        self.begin = -1
        self.markers = list_markers(text, starts)

    def scan(self) -> list[Token]:
        text, starts, found, chunks = self.text, self.starts, self.found, words_of_chunks(self.lexicon)
        end = after = 0
        ready = opens = False  # whether a plain word changes nothing but ``found``; whether the last token is a marker
        for chunk in text.split(" "):
            place, after = after, after + len(chunk) + 1
            if place < self.searched:
                continue
            words = chunks[chunk]
            for at, surface, key, not_name, phrases in self._search(place, after - 1) if words is None else words:
                start = place + at
                if start < end:
                    continue
                plain = key is not None and not (phrases and _begins(text, start, phrases))
                if plain and ready and start not in starts:  # most words
                    comma = False
                    if at or start != end + 1:
                        gap = text[end:start]
                        opens, comma = opens or ends_sentence(gap), "," in gap
                    found.append(
                        _plain(Token, (key, surface, start, False, False, opens, False, comma, not_name, False))
                    )
                    end, opens = start + len(surface), False
                else:
                    self.end = end
                    self._read(surface, start)
                    end, opens = self.end, bool(found) and found[-1].marker
                    ready = bool(found) and self.quantity is None
            if len(found) >= MAX_TOKENS:
                break
        return found

    def _search(self, place: int, end: int) -> Iterator[ChunkWord]:
        """Yield the tokens that begin in the chunk from ``place`` to ``end``.

        If a token ends in a later chunk (1 500 000), that chunk is searched, too. If the next token begins only in a
        later chunk, the chunks before it are not searched again, because each search would find this token.
        """
        for match in token_pattern(self.lexicon.unspaced).finditer(self.text, place):
            start = match.start(1)
            if start >= end or len(self.found) >= MAX_TOKENS:
                self.searched = max(end, self.text.rfind(" ", 0, match.start()) + 1)
                return
            if match.end() > end:
                end = self.text.find(" ", match.end())
                end = len(self.text) if end < 0 else end
            yield chunk_word(self.lexicon, match[1], start - place)
        self.searched = len(self.text) + 1

    def _read(self, surface: str, start: int) -> None:
        if surface[0].isalpha():
            self._word(surface, start)
        elif surface[0].isdecimal():
            self._number(surface, start)
        else:
            self._symbol(surface, start)

    def _add(
        self, key: str, surface: str, start: int, number: bool = False, marker: bool = False, symbol: bool = False
    ) -> None:
        gap = self.text[self.end : start]
        found = self.found
        noun = surface[0].isupper() and key in self.lexicon.not_names
        if gap == " " and found and start not in self.starts:
            opens = found[-1].marker
        else:
            opens = not found or found[-1].marker or start in self.starts or ends_sentence(gap)
        found.append(_plain(Token, (key, surface, start, number, marker, opens, symbol, "," in gap, noun, False)))
        self.end = start + len(surface)

    def _word(self, surface: str, start: int) -> None:
        form = self.forms[surface]
        keys = form.keys
        if form.special and self._read_longer(surface, start):
            return
        if self.quantity is not None and keys[0] not in _BETWEEN_NUMBERS:
            self.quantity = None
        self._add(keys[0], surface, start)
        for key in keys[1:]:
            self.found.append(Token(key, surface, start))

    def _read_longer(self, surface: str, start: int) -> bool:
        """Read the number, date, amount, address or phrase that begins with the word ``surface`` at ``start``.

        Return True if there is one, else False.
        """
        word, text, end = surface.casefold(), self.text, start + len(surface)
        if word[0].isnumeric():
            return self._read_han_numeral(surface, start, end)
        if word in self.lexicon.numbers:
            return self._read_number_word(word, start, end)
        if word in MONTHS and (surface[0].isupper() or word not in ("may", "march", "mar", "mars")):
            date = month_at(word, text, end)
            if date is not None:
                self._add_quantity(Quantity(*date), start)
                return True
        if "://" in word or word.startswith("www."):
            self.end = end  # addresses are compared separately
            return True
        if surface in CURRENCY_MARKS:
            return self._read_currency(surface, start)
        if word == "minus":
            self.minus = _FIGURE_AFTER.match(text, end) is not None
            self.begin = start if self.minus else -1
            return self.minus
        return self._read_phrase(word, start, end)

    def _read_phrase(self, word: str, start: int, end: int) -> bool:
        """Read the long form of an abbreviation, or the "No." of "No. 5". Return whether there is one."""
        text, phrases = self.text, self.lexicon.abbreviations.get(word, ())
        if word == "no" and self.lexicon.is_english and _NUMBER_OF.match(text, start):
            phrases = (("no.", "number"),)
        for phrase, key in phrases:
            stop = start + len(phrase)
            if text[start:stop].casefold() == phrase and not text[stop : stop + 1].isalnum():
                self.quantity = None
                self._add(key, text[start:stop], start, number=key[0].isdecimal())
                return True
        return False

    def _read_number_word(self, word: str, start: int, end: int) -> bool:
        value = Decimal(self.lexicon.numbers[word])
        if self.lexicon.is_english and value >= 20 and (behind := _UNITS_AFTER.match(self.text, end)):
            value, end = value + self.lexicon.numbers[behind[1].lower()], behind.end()
        part = _FRACTION_AFTER.match(self.text, end)
        if part and (value == 1) != part[1].endswith("s"):
            share = exact(Fraction(int(value), FRACTION_WORDS[part[1].lower().rstrip("s")]))
            self._add_quantity(read_amount(share, self.text, part.end()), start)
            return True
        if (again := _IN_DIGITS.match(self.text, end)) and int(again[1]) == value:
            end = again.end()  # thirty (30)
        quantity = read_amount(value, self.text, end)
        if word == "one" and not quantity.base and not _SCALE_AFTER.match(self.text, end):
            return False
        self._add_quantity(quantity, start)
        return True

    def _read_han_numeral(self, surface: str, start: int, end: int) -> bool:
        known = self.lexicon.unspaced
        numeral = HAN_NUMERAL.match(self.text, start) if known and surface not in known else None
        if numeral is None or numeral.end() != end:
            return False
        self._add_quantity(read_amount(han_number(surface), self.text, end), start)
        return True

    def _read_currency(self, surface: str, start: int) -> bool:
        after = start + len(surface)
        if not self.text[after : after + 3].lstrip(" -")[:1].isdecimal():
            return False
        self.currency = CURRENCY_MARKS[surface]
        self.begin = self.begin if self.minus else start
        self.minus = self.minus or has_minus(self.text, start)
        return True

    def _number(self, surface: str, start: int) -> None:
        text, end = self.text, start + len(surface)
        comma = self.lexicon.decimal_comma or (
            "," in surface and _CENTS.fullmatch(surface) is not None and bool(self.currency or _EURO.match(text, end))
        )
        if "," in surface and not is_one_number(surface, comma):
            for part in surface.split(","):  # (3,4) is (3, 4)
                self._number(part, start)
                start += len(part) + 1
            return
        currency, self.currency = self.currency, ""
        version = "." in surface and surface[-1] == "0" and self._names_a_version(start)
        quantity = read_number(text, start, end, currency, version, comma)
        minus, self.minus = self.minus, False
        begin, self.begin = (self.begin if self.begin >= 0 else start), -1
        minus = minus or (text[start - 1] == "-" if currency and start else has_minus(text, start))
        if minus:
            quantity = Quantity("-" + quantity.key, quantity.end, quantity.plain, quantity.base, quantity.factor)
        self._add_quantity(quantity, begin, marker=start in self.markers and quantity.end == end)

    def _names_a_version(self, start: int) -> bool:
        last = self.found[-1] if self.found else None
        if last is None or last.number or self.text[self.end : start] not in (" ", ""):
            return False
        return last.key in self.lexicon.version_words or (last.capital and not last.opens and len(last.key) > 2)

    def _add_quantity(self, quantity: Quantity, start: int, marker: bool = False) -> None:
        before = self.quantity
        if before is not None and not marker:
            quantity = self._in_range(before, quantity, start)
        self._add(quantity.key, self.text[start : quantity.end], start, number=not quantity.word, marker=marker)
        self.quantity = None if marker or quantity.word else quantity

    def _in_range(self, before: Quantity, quantity: Quantity, start: int) -> Quantity:
        """Give "5-10 minutes", "5 to 10 minutes" and "between 5 and 10 minutes" the same tokens.

        ``before`` is the quantity before ``quantity``. Tokens that are already in ``found`` are changed if necessary.
        Return the quantity to add next: ``quantity``, with the currency of ``before`` if it applies to both.
        """
        found = self.found
        at = len(found) - 1
        if found[at].number:
            gap = self.text[self.end : start]
            if gap not in ("-", "--") or quantity.key.startswith("-"):
                return quantity
            self._add("to", "-", self.end)
        else:
            if found[at].key == "and":
                if at < 2 or found[at - 2].key != "between":
                    return quantity
                del found[at - 2]
                at -= 1
            found[at] = found[at]._replace(key="to")
            at -= 1
        if before.plain and quantity.base and quantity.base not in CURRENCIES:
            found[at] = found[at]._replace(key=with_unit(found[at].key, quantity.base, quantity.factor))
        elif before.base in CURRENCIES and quantity.plain:
            return Quantity(f"{quantity.key} {before.base}", quantity.end, base=before.base)
        return quantity

    def _symbol(self, surface: str, start: int) -> None:
        if surface in CURRENCY_MARKS and self._read_currency(surface, start):
            return
        self.quantity = None
        if surface[0] in "★☆⭐":
            self._add(f"{len(surface) - surface.count('☆')}★", surface, start, number=True)
        elif surface[0] in "^√" and len(surface) > 1:
            self._add(surface.lower().translate(_BARE), surface, start, number=True)
        else:
            key = sign_key(self.text, start, surface)
            self._add(key, surface, start, symbol=not key[0].isalpha())
