"""Rewrites and changes of an answer for the regression benchmark. Most of them insert a sentence or a line of code.

The benchmark's answers contain few units, dates and operators. So a passage is inserted at the same place in two copies
of an answer: in a rewrite, the two passages have the same meaning; in a change, they have different meanings. The
random choices are seeded. The passages were written without looking at the scorer's word lists, with one exception: the
pairs of opposites in ``held_out_opposites.txt`` were drawn at random, by families of words, from the source of the
scorer's own opposites (``scorer/scoring/compare/vocabulary/languages/en.toml``). The scorer's file does not contain the
drawn pairs.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

Pair = tuple[str, str]
Planted = Callable[[str, random.Random], Pair | str | None]

HELD_OUT = [tuple(line.split("/")) for line in Path(__file__).with_name("held_out_opposites.txt").read_text().split()]


def _at(text: str, rng: random.Random) -> Callable[[str], str]:
    """Return a function that inserts a passage into ``text``, always between the same two paragraphs.

    The place is chosen at random, outside code blocks. Without such a place, it is the end of the text.
    """
    parts = text.split("\n\n")
    places = [i for i in range(1, len(parts)) if "\n\n".join(parts[:i]).count("```") % 2 == 0]
    place = rng.choice(places) if places else len(parts)
    return lambda passage: "\n\n".join([*parts[:place], passage, *parts[place:]])


def _planted(text: str, rng: random.Random, before: str, after: str) -> Pair:
    plant = _at(text, rng)
    return plant(before), plant(after)


_MEASURES = (
    "mg g kg|The sample weighed {} {}.", "ms s min|The whole step took {} {} in our test.",
    "cm m km|The path is {} {} long.",
    "ml l|They poured {} {} into the tank.", "KB MB GB TB|The archive needs {} {} of disk.",
    "kW MW GW|The plant delivers {} {}.",
    "°C °F|Keep the room at {} {} all year.", "mV V kV|The line carries {} {}.", "Hz kHz MHz|The signal has {} {}.",
    "hours days weeks|Delivery takes {} {} from here.", "miles kilometers|The next village is {} {} away.",
    "USD EUR GBP|A seat costs {} {} this year.", "μg mg|Each pill holds {} {} of it.", "m² m³|The hall has {} {}.",
    "kcal kJ|A bowl has {} {}.", "Mbit/s Gbit/s|The link does {} {}.",
)  # fmt: skip


def units(text: str, rng: random.Random) -> Pair:
    """Insert a sentence with a number, in two versions with different units."""
    names, _, sentence = rng.choice(_MEASURES).partition("|")
    one, other = rng.sample(names.split(), 2)
    number = rng.choice((2, 5, 12, 30, 75, 250, 400))
    return _planted(text, rng, sentence.format(number, one), sentence.format(number, other))


_SIGNED = (
    "At dawn it was {}{n} degrees outside.", "The balance stands at {}${n}.", "Growth came to {}{n}% in the end.",
    "Set the offset to {}{n} in the file.", "The factor is 10^{}{n} here.", "The account shows {}€{n} today.",
    "Its value is {n}e{}{m} in the model.", "The change was {}{n} points.",
)  # fmt: skip


def signs(text: str, rng: random.Random) -> Pair:
    """Insert a sentence in two versions: with and without a minus, or with a range (2-5) and with one number (25)."""
    low, more = rng.randint(2, 9), rng.randint(1, 9)
    if rng.random() < 0.25:
        sentence = rng.choice(("Take {} pills a day.", "Read chapters {} first.", "It lasts {} weeks."))
        return _planted(text, rng, sentence.format(f"{low}-{low + more}"), sentence.format(f"{low}{low + more}"))
    sentence = rng.choice(_SIGNED)
    return _planted(text, rng, sentence.format("-", n=low, m=more), sentence.format("", n=low, m=more))


_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905


def _date(rng: random.Random) -> tuple[int, int, int]:
    return rng.randint(1900, 2030), rng.randint(1, 12), rng.randint(1, 28)


def _written(date: tuple[int, int, int], how: int) -> str:
    year, month, day = date
    name = _MONTHS[month - 1]
    return (
        f"{name} {day}, {year}",
        f"{day} {name} {year}",
        f"{year}-{month:02d}-{day:02d}",
        f"{day}th of {name} {year}",
    )[how]


_DATED = ("The contract was signed on {}.", "The bridge opened on {} after long delays.", "Her term ends on {}.")


def dates(text: str, rng: random.Random) -> Pair:
    """Insert a sentence in two versions that differ in the day, the month, the year, or am and pm."""
    if rng.random() < 0.25:
        hour = rng.randint(1, 11)
        return _planted(text, rng, f"The gate closes at {hour} am.", f"The gate closes at {hour} pm.")
    year, month, day = _date(rng)
    other = rng.choice(((year + 10, month, day), (year, month % 12 + 1, day), (year, month, day % 28 + 1)))
    sentence, how = rng.choice(_DATED), rng.randrange(3)
    return _planted(
        text, rng, sentence.format(_written((year, month, day), how)), sentence.format(_written(other, how))
    )


_CODE = """
python|if a {} b:\\n    run(a, b)|< <= > >= == !=
python|total = price {} amount|+ - * / ** //
python|last = items[{}]|-1 1 0 :-1 ::-1
python|for x in rows:\\n    keep(x)\\n{}done()|    |
python|ready = {} failed|not|
js|if ({}user.active) { open(); }|!|
js|const ok = a {} b;|&& || & ^
bash|rm -rf {}build|./ / ~/
bash|{}reboot now|# |
c|mask = bits {} 2;|<< >> & |
sql|SELECT id FROM t WHERE n {} 5;|> >= < <> =
go|x {} y|:= = == +=
""".strip().splitlines()


def code_operators(text: str, rng: random.Random) -> Pair:
    """Insert a code block or code span in two versions: with a different operator, index, indentation or comment
    mark."""
    language, _, rest = rng.choice(_CODE).partition("|")
    template, _, options = rest.partition("|")
    choices = [options.rstrip("|"), ""] if options.endswith("|") and options != "|| & ^" else options.split()
    one, other = rng.sample(choices, 2)
    before, after = (template.replace("{}", o, 1).replace("\\n", "\n") for o in (one, other))
    if "\n" not in before and language in ("js", "c", "go") and rng.random() < 0.4:
        return _planted(text, rng, f"The line `{before}` matters.", f"The line `{after}` matters.")
    return _planted(
        text, rng, f"```{language}\nstart()\n{before}\nfinish()\n```", f"```{language}\nstart()\n{after}\nfinish()\n```"
    )


_SYMBOLS = (
    "✅ ❌|Offline mode: {} in this version.", "✓ ✗|Refunds {} and exchanges as listed.",
    "≤ ≥ < > =|It applies while n {} 40.",
    "↑ ↓|Visits since May: {} by far.", "👍 👎|The verdict of the jury: {} overall.", "→ ←|The data goes A {} B.",
    "★★★★★ ★★☆☆☆ ★☆☆☆☆|Guests rate it {} in most reviews.", "+ − ×|The result is 7 {} 4 here.",
    "± +|The length is 8 {} 1 mm.",
)  # fmt: skip


def symbols(text: str, rng: random.Random) -> Pair:
    """Insert a sentence in two versions with different symbols, such as check marks, arrows or comparison signs."""
    signs_, _, sentence = rng.choice(_SYMBOLS).partition("|")
    one, other = rng.sample(signs_.split(), 2)
    return _planted(text, rng, sentence.format(one), sentence.format(other))


_HOSTS = ("example.com", "example.org", "examp1e.com", "docs.example.com", "example.net", "evil.example")


def addresses(text: str, rng: random.Random) -> Pair:
    """Insert a URL, a link or an e-mail address in two versions, with different hosts or different paths."""
    one, other = rng.sample(_HOSTS, 2)
    sentence = rng.choice(
        (
            "Download it at https://{}/tool first.",
            "Get it [here](https://{}/tool) first.",
            "Write to help@{} for a refund.",
        )
    )
    if "@" not in sentence and rng.random() < 0.3:
        return _planted(text, rng, sentence.format(one), sentence.format(one).replace("/tool", "/other"))
    return _planted(text, rng, sentence.format(one), sentence.format(other))


_FRAMES = (
    "In the final report, the word for it is {}.", "Everyone in the room agreed that it was {} this time.",
    "The note calls the second case {} as well.", "What was meant by the last line is {}, they said.",
    "After the review they marked it as {}.",
)  # fmt: skip


def opposites_held_out(text: str, rng: random.Random) -> Pair:
    """Insert a sentence in two versions with opposite words. The pair of words is missing from the scorer's list."""
    one, other = rng.sample(rng.choice(HELD_OUT), 2)
    frame = rng.choice(_FRAMES)
    return _planted(text, rng, frame.format(one), frame.format(other))


_OMITTED = (
    "Visitors may enter the north wing only with a written permit from the office.",
    "Never mix this with chlorine bleach, since the fumes are dangerous.",
    "The grant covers travel, lodging and meals for two researchers.",
    "Water samples from the upper lake showed traces of lead in March.",
)


def omissions(text: str, rng: random.Random) -> Pair | None:
    """Return the text with an additional sentence, and without it. Return None if the text has no place for it."""
    if rng.random() < 0.3:
        return f"{rng.choice(_OMITTED)} {text}", text
    parts = text.split("\n\n")
    if len(parts) < 2 or "```" in parts[0]:
        return None
    return "\n\n".join([parts[0], rng.choice(_OMITTED), *parts[1:]]), text


HARMFUL: dict[str, Planted] = {
    f.__name__: f
    for f in (units, signs, dates, code_operators, symbols, addresses, omissions, opposites_held_out)
}  # fmt: skip

_FORMATS = (
    ("12,500 guests", "12500 guests"), ("$3.5 million", "$3.5M"), ("$3.5 million", "$3,500,000"),
    ("$2 billion", "2 billion dollars"),
    ("5-10 minutes", "5 to 10 minutes"), ("5–10 minutes", "between 5 and 10 minutes"), ("40 km", "40 kilometers"),
    ("35 °C", "35 degrees Celsius"), ("18%", "18 percent"), ("½ cup", "1/2 cup"), ("20,000 copies", "20k copies"),
    ("1.5 hours", "90 minutes"), ("2 km", "2,000 m"), ("€20", "20 euros"), ("seven rooms", "7 rooms"),
    ("400mg", "400 mg"),
    ("[1, 2, 3]", "[1,2,3]"), ('{"a": 1, "b": [2, 3]}', '{"a":1,"b":[2,3]}'), ("(3, 4)", "(3,4)"),
    ("3.50 dollars", "$3.5"),
    ("forty-two seats", "42 seats"), ("24 hours", "1 day"), ("1 GB", "1000 MB"), ("2.0 kg", "2 kg"),
)  # fmt: skip


def number_format(text: str, rng: random.Random) -> Pair:
    one, other = rng.choice(_FORMATS)
    sentence = rng.choice(("The plan names {} for this.", "They counted on {} at first.", "It says {} in the table."))
    return _planted(text, rng, sentence.format(one), sentence.format(other))


def date_format(text: str, rng: random.Random) -> Pair:
    if rng.random() < 0.3:
        hour = rng.randint(1, 11)
        forms = [f"{hour} pm", f"{hour}:00 PM", f"{hour} p.m.", f"{hour + 12}:00"]
        one, other = rng.sample(forms, 2)
        return _planted(text, rng, f"The doors open at {one} on Fridays.", f"The doors open at {other} on Fridays.")
    date, sentence = _date(rng), rng.choice(_DATED)
    one, other = rng.sample([_written(date, how) for how in range(3)], 2)
    return _planted(text, rng, sentence.format(one), sentence.format(other))


_ITEMS = ("Lisbon", "Oslo", "Prague", "Dublin", "Athens", "Vienna")


def list_order(text: str, rng: random.Random) -> Pair:
    """Insert a list of names in two versions with different orders, as a sentence or as bullets."""
    one = rng.sample(_ITEMS, rng.randint(2, 4))
    other = [*one[1:], one[0]]
    if rng.random() < 0.5:
        return _planted(text, rng, *("Offices:\n\n" + "\n".join(f"- {c}" for c in cities) for cities in (one, other)))
    before, after = (", ".join(cities[:-1]) + f" and {cities[-1]} are on the list." for cities in (one, other))
    return _planted(text, rng, before, after)


def unicode_form(text: str, rng: random.Random) -> Pair:
    sentence = "The café in Zürich offers a fine coffee for 12 francs."
    others = (
        unicodedata.normalize("NFD", sentence), sentence.replace("fi", "ﬁ").replace("ff", "ﬀ"),
        sentence.replace("12", "１２"), sentence.replace(" ", "\u00a0", 3),
    )  # fmt: skip
    return _planted(text, rng, sentence, rng.choice(others))


_SHORT = (
    ("the United Kingdom", "the UK"), ("the United States", "the US"), ("the European Union", "the EU"),
    ("Dr. Meyer", "Doctor Meyer"), ("the third quarter", "Q3"), ("artificial intelligence", "AI"),
    ("e.g. tea", "for example tea"),
)  # fmt: skip


def abbreviations(text: str, rng: random.Random) -> Pair:
    one, other = rng.sample(rng.choice(_SHORT), 2)
    return _planted(text, rng, f"The report deals with {one} in detail.", f"The report deals with {other} in detail.")


_ALIKE = """
begins starts|big large|buy purchase|help assist|happens occurs|quickly rapidly|often frequently|choose select
keep maintain|need require|show demonstrate|important essential|simple easy|usually typically|mainly primarily
about roughly|also additionally|enough sufficient|allows permits|ensure guarantee|improve enhance
remove delete|answer reply|problem issue|mistake error|many numerous|several various|whole entire
almost nearly|because since|get obtain|small little
"""
# Pairs of words with nearly the same meaning. No list of the scorer contains these pairs.
_ALIKE_UNLISTED = """
however nevertheless|good decent|wait linger|common widespread|work labor|water liquid|make craft|look glance
clean spotless|soft supple|fresh crisp|time while|place spot|cover wrap|hold grip|rest remainder|warm toasty
light pale|dry parched|side flank|walk stroll|good solid|great terrific|thing object|turn rotate|start onset
leave depart|bring fetch|mix jumble|next subsequent|day date|used worn|right proper|keep preserve|store stash
lets enables|gives yields|takes consumes|steps stages|main central|people folks|plan scheme|point spot
report account|team crew|group cluster|idea notion|line row|long lengthy
"""


def synonyms(text: str, rng: random.Random) -> str | None:
    """Replace a word of the answer by a synonym."""
    return _exchanged(text, rng, _ALIKE)


def synonyms_unlisted(text: str, rng: random.Random) -> str | None:
    """Replace a word of the answer by a synonym. No list of the scorer contains this pair of words."""
    return _exchanged(text, rng, _ALIKE_UNLISTED)


def _exchanged(text: str, rng: random.Random, pairs: str) -> str | None:
    table: dict[str, str] = {}
    for pair in pairs.replace("\n", "|").strip("|").split("|"):
        one, other = pair.split()
        table |= {one: other, other: one}
    prose = re.sub(r"```.*?(?:```|$)", lambda m: " " * len(m[0]), text, flags=re.DOTALL)
    found = [m for m in re.finditer(r"\b[a-z]+\b", prose) if m[0] in table]
    if not found:
        return None
    match = rng.choice(found)
    return text[: match.start()] + table[match[0]] + text[match.end() :]


HARMLESS: dict[str, Planted] = {
    f.__name__: f
    for f in (number_format, date_format, list_order, unicode_form, abbreviations, synonyms, synonyms_unlisted)
}
