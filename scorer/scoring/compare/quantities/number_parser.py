"""Parse numbers, dates, times and amounts with units into a canonical form, so that equal quantities are recognised.

For example, these spellings get the same form: 5,500,000 and 5.5 million; March 5, 2024 and 2024-03-05; 3 pm and 15:00;
1 km and 1000 m. Parsing starts at the beginning of a number and includes the scale (million), unit or month after the
number (ADR 0121). Cost: 2 to 6 µs for each number.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

from scorer.scoring.compare.quantities.measurement_units import MONTHS, unit_at
from scorer.scoring.compare.vocabulary.lexicon import by_entry, one_of, word_data

_DAY_WORD = re.compile(  # the word after the number; it may be a month
    r"(?:st|nd|rd|th|\.|º)?[ -](?:of |de |d')?([^\W\d]+)\.?(?:,?(?: de)?[ -](\d{4})(?!\w))?", re.IGNORECASE
)
_MONTH_DAY = re.compile(
    r"\.? (\d{1,2})(?:st|nd|rd|th)?(?![\d:.%/-]*\d)(?:,? (\d{4})(?!\w))?(?! ?[ap]\.?m\b)"
    r"|\.?,? (?:of |de )?(\d{4})(?!\w)",
    re.IGNORECASE,
)
_HALF = re.compile(r" ?([ap])\.?m\b\.?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_ISO = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")
_DOTTED = re.compile(r"(\d{1,2})([./])(\d{1,2})\2(\d{4})")
_DAY_AND_MONTH = re.compile(r"(0[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|\d{1,3}(?:'\d{3})+(?:\.\d+)?|\d{1,3}(?: \d{3})+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?:\.\d+)?(?:[eE][+-]?\d+)?")
_GROUPED_BY_DOTS = re.compile(r"\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:\.\d{3})+,\d+")
_THREE_AFTER_A_DOT = re.compile(r"\d{1,3}\.\d{3}")
_DECIMALS_AFTER_A_GAP = re.compile(r"\d{1,3} \d{3},\d{1,2}")
_COMMA_DECIMAL = re.compile(r"\d+,\d+")
_PART = re.compile(r"(\d{1,3})/(\d{1,3})")
_AND_PART = re.compile(r" (\d{1,2})/(\d{1,2})(?![\d/])")
_POWER = re.compile(r"(\d{1,4})\^\(?(-?\d{1,2})\)?")
_NOTATION = word_data("notation")
_LETTERS, _WORDS, _CHARACTERS = (by_entry(_NOTATION[f"scale_{kind}"]) for kind in ("letters", "words", "characters"))
_SCALES = _LETTERS | _WORDS | _CHARACTERS
_SCALE = re.compile(rf"({one_of(_LETTERS)})(?![\w/^])|[ -]?((?i:{one_of(_WORDS)}))(?!\w)| ?([{''.join(_CHARACTERS)}])")
_VERSIONED = re.compile(
    r"\+(?!\d)|x\b| (?:or|and) (?:newer|later|higher|above|up|older|earlier)\b|[-.]?(?:alpha|beta|rc)"
)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?!\w)")
FRACTION_WORDS = {"third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_HAN_DIGITS = by_entry(_NOTATION["han_digits"]) | by_entry(_NOTATION["formal_digits"])
_HAN_POWERS = by_entry(_NOTATION["han_powers"]) | by_entry(_NOTATION["formal_powers"])
_BEFORE_A_MINUS = " \t([{=<>,:;|\"'~/^"
_DIGITS = 40
_NO_FACTOR = Decimal(1)
_EXACT = Context(prec=3 * _DIGITS)  # the default context rounds to 28 digits


class Quantity(NamedTuple):
    """A quantity in a text: a number with its unit, a date or a time.

    - ``key``: the canonical form of the quantity.
    - ``end``: the position in the text directly after the quantity.
    - ``plain``: True for a number without a unit. At the beginning of a range, this number gets the unit of the range.
    - ``base``: the base unit in which the key is given.
    - ``factor``: the factor that converts the unit in the text to the base unit.
    - ``word``: True if ``key`` is a word instead of a number: an ordinal up to "tenth".
    """

    key: str
    end: int
    plain: bool = False
    base: str = ""
    factor: Decimal = _NO_FACTOR
    word: bool = False


def spell(value: Decimal) -> str:
    """Return a number as text. Numbers between 10⁻⁴⁰ and 10⁴⁰ are written without an exponent."""
    value = value.normalize(_EXACT)
    return format(value, "f") if abs(value.adjusted()) <= _DIGITS else str(value)


def with_unit(key: str, base: str, factor: Decimal) -> str:
    """Return the canonical form of a number at the beginning of a range, with the unit of the range.

    For example, the 5 in "5 to 10 minutes" has the unit minutes. ``key`` is the number as text, ``base`` is the base
    unit, and ``factor`` converts the unit in the text to the base unit.
    """
    try:
        return f"{spell(Decimal(key) * factor)} {base}"
    except InvalidOperation:
        return f"{key} {base}"


def month_at(month: str, text: str, end: int) -> tuple[str, int] | None:
    """Parse a date that begins with the name of a month, such as June 28, 1919 or June 1919.

    ``month`` is the name in lower case, and ``end`` is the position after the name. Return the canonical form of the
    date and the position after the date, or None if there is no date.
    """
    match = _MONTH_DAY.match(text, end)
    if match is None:
        return None
    number = MONTHS[month]
    if match[3]:
        return f"{match[3]}-{number:02d}", match.end()
    return (_date(match[2] or "", number, int(match[1])), match.end()) if 1 <= int(match[1]) <= 31 else None


def _date(year: str, month: int, day: int) -> str:
    return f"{year}-{month:02d}-{day:02d}"


def date_in_digits(surface: str) -> str | None:
    """Return the canonical form of a date in digits, such as 2024-03-05, or None if ``surface`` is not such a date.

    If it is unclear which number is the day, the result contains both orders: 05/03/2024 becomes 2024-05/03.
    """
    if match := _ISO.fullmatch(surface):
        return _date(match[1], int(match[2]), int(match[3]))
    match = _DOTTED.fullmatch(surface)
    if match is None:
        return None
    first, second = int(match[1]), int(match[3])
    if match[2] == "/" and first <= 12 and second <= 12 and first != second:
        return f"{match[4]}-{first:02d}/{second:02d}"
    day, month = (first, second) if second <= 12 else (second, first)
    return _date(match[4], month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None


def read_number(
    text: str, start: int, end: int, currency: str = "", version: bool = False, comma: bool = False
) -> Quantity:
    """Parse the quantity that begins with the digits ``text[start:end]``.

    ``currency`` is the currency sign before the digits. ``version`` is True if the word before the digits shows that
    the digits are a version number; the version 3.10 is not 3.1. ``comma`` is True if the text's language has a decimal
    comma.
    """
    surface = text[start:end]
    if text[end : end + 1] in _CLOSING and not currency and (bare := _bare_number(surface, text, end)):
        return bare
    if date := date_in_digits(surface):
        return Quantity(date, end)
    if comma and text[end : end + 1] == "." and (day := _DAY_AND_MONTH.fullmatch(surface)):
        return Quantity(_date("", int(day[2]), int(day[1])), end + 1)
    if clock := _clock(surface, text, end):
        return clock
    if surface.isdigit() and len(surface) <= 2 and 1 <= int(surface) <= 31:
        day = _month_after(text, end)
        if day and (day[1] != "may" or day[2]):
            return Quantity(_date(day[2] or "", MONTHS[day[1].lower()], int(surface)), day.end())
    value = _value(surface, version or ("." in surface and _VERSIONED.match(text, end) is not None), comma)
    if value is None:
        return Quantity(surface.lower(), end)
    part = _AND_PART.match(text, end) if value == int(value) else None
    if part and 0 < int(part[1]) < int(part[2]):
        value, end = exact(Fraction(int(value)) + Fraction(int(part[1]), int(part[2]))), part.end()
    return read_amount(value, text, end, currency)


_CLOSING = frozenset(("", *'.,;:!?)]"'))


def _bare_number(surface: str, text: str, end: int) -> Quantity | None:
    """Return the number ``surface`` as a plain quantity, as in "1. Open the door".

    Return None if ``surface`` is not only digits, or if a full stop and a month follow.
    """
    if not surface.isdecimal() or len(surface) > _DIGITS or (surface[0] == "0" and len(surface) > 2):
        return None
    if text[end : end + 1] == "." and _month_after(text, end):
        return None
    return Quantity(str(int(surface)), end, plain=True)


def _month_after(text: str, end: int) -> re.Match[str] | None:
    """Return the match of the month and the year after a number that ends at ``end``, or None if no month follows."""
    match = _DAY_WORD.match(text, end)
    return match if match and match[1].lower() in MONTHS else None


def han_number(numeral: str) -> Decimal:
    """Return the value of a numeral of Chinese characters: 三百五十 is 350, 二〇二四 is 2024, 三万 is 30,000."""
    if not any(char in _HAN_POWERS for char in numeral):
        return Decimal("".join(_HAN_DIGITS[char] for char in numeral))
    total = section = digit = 0
    for char in numeral:
        power = int(_HAN_POWERS.get(char, 0))
        if not power:
            digit = int(_HAN_DIGITS[char])
        elif power < 4:
            section, digit = section + (digit or 1) * 10**power, 0
        else:
            total, section, digit = total + (section + digit or 1) * 10**power, 0, 0
    return Decimal(total + section + digit)


def _clock(surface: str, text: str, end: int) -> Quantity | None:
    match = _CLOCK.fullmatch(surface)
    if match is None and not (surface.isdigit() and len(surface) <= 2):
        return None
    half = _HALF.match(text, end)
    hour = int(match[1] if match else surface)
    if (match is None and half is None) or hour > 24 or (match and int(match[2]) > 59) or (half and hour > 12):
        return None
    if half:
        hour = hour % 12 + (12 if half[1] in "pP" else 0)
    minutes, seconds = (match[2], match[3]) if match else ("00", None)
    return Quantity(f"{hour:02d}:{minutes}" + (f":{seconds}" if seconds else ""), half.end() if half else end)


def exact(value: Fraction) -> Decimal | Fraction:
    """Return a fraction as a Decimal if it has few decimal places (such as 3/8), otherwise unchanged."""
    few = value.denominator in (1, 2, 4, 5, 8, 10, 16)
    return Decimal(value.numerator) / Decimal(value.denominator) if few else value


def _value(surface: str, version: bool, comma: bool) -> Decimal | Fraction | None:
    """Return the value of the digits ``surface``, or None if they are a version, a ratio, an address or a code."""
    if surface.isdecimal():
        if len(surface) > _DIGITS or (surface[0] == "0" and len(surface) > 2):
            return None
        return Decimal(surface)
    if power := _POWER.fullmatch(surface):
        base, exponent = int(power[1]), int(power[2])
        if 0 <= exponent <= 24:
            return Decimal(base**exponent)
        return Decimal(10) ** exponent if base == 10 else None
    if part := _PART.fullmatch(surface):
        above, below = int(part[1]), int(part[2])
        return exact(Fraction(above, below)) if 0 < above < below <= 16 else None
    if _DECIMALS_AFTER_A_GAP.fullmatch(surface):
        surface = surface.replace(" ", "").replace(",", ".")
    if (version and "." in surface) or len(surface) > _DIGITS:
        return None
    if _GROUPED_BY_DOTS.fullmatch(surface) or (comma and _THREE_AFTER_A_DOT.fullmatch(surface)):
        surface = surface.replace(".", "").replace(",", ".")
    elif comma and _COMMA_DECIMAL.fullmatch(surface):
        surface = surface.replace(",", ".")
    elif _GROUPED.fullmatch(surface):
        surface = surface.replace(",", "").replace("'", "").replace(" ", "")
    try:
        found = Decimal(surface)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def read_amount(value: Decimal | Fraction, text: str, end: int, currency: str = "") -> Quantity:
    """Parse the quantity that begins with a number: five million, two thirds, sixty days, 1st.

    ``value`` is the number, ``end`` the position after it, and ``currency`` the currency sign before it, or "".
    """
    if isinstance(value, Fraction):
        return _with_unit(value, text, end, currency)
    ending = text[end : end + 1]
    if ending in _ORDINAL_OR_DECADE_LETTERS:
        if not currency and _ORDINAL.match(text, end):
            if 1 <= value <= 10 and value == int(value):
                return Quantity(ORDINALS[int(value) - 1], end + 2, word=True)
            return Quantity(f"{spell(value)}th", end + 2)
        if ending == "s" and not text[end + 1 : end + 2].isalnum() and (decade := _decade(value, text, end)):
            return decade
    scaled = _SCALE.match(text, end)
    if scaled and (scaled[1] != "m" or currency):
        name = scaled[1] or (scaled[2] or scaled[3]).lower()
        value, end = value * Decimal(10) ** int(_SCALES[name]), scaled.end()
    return _with_unit(value, text, end, currency)


_ORDINAL_OR_DECADE_LETTERS = frozenset("snrt")


def _decade(value: Decimal, text: str, end: int) -> Quantity | None:
    """Parse a decade, such as 1990s or '90s. Return None if the number is not a decade."""
    short = value < 100 and text[max(0, end - 3)] == "'"
    if value % 10 or not (short or value >= 1000):
        return None
    return Quantity(f"{spell(value + 1900 if short else value)}s", end + 1)


def _with_unit(value: Decimal | Fraction, text: str, end: int, currency: str) -> Quantity:
    number = spell(value) if isinstance(value, Decimal) else str(value)
    if currency:
        return Quantity(f"{number} {currency}", end, base=currency)
    unit = unit_at(text, end)
    if unit is None:
        return Quantity(number, end, plain=isinstance(value, Decimal))
    base, factor, after = unit
    amount = spell(value * factor) if isinstance(value, Decimal) else f"{number}*{factor}"
    return Quantity(f"{amount} {base}", after, base=base, factor=factor)


def has_minus(text: str, start: int) -> bool:
    """Return whether a minus sign precedes the number at ``text[start]``.

    The hyphen of COVID-19 or of a range is not a minus sign.
    """
    if start == 0 or text[start - 1] != "-":
        return False
    return start == 1 or text[start - 2] in _BEFORE_A_MINUS


def is_one_number(surface: str, comma: bool) -> bool:
    """Return whether digits with commas are a single number, such as 1,234.

    If ``comma`` is True, the language has a decimal comma, and 3,5 is a single number, too.
    """
    if _THOUSANDS.fullmatch(surface) or _DECIMALS_AFTER_A_GAP.fullmatch(surface):
        return True
    return surface.count(",") == 1 and (comma or "." in surface) and ":" not in surface and "/" not in surface
