"""Words whose exchange changes what is said: opposites, classes whose members exclude each other, cues of negation."""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz.distance import Levenshtein

from scorer.scoring.compare.text.opposites import flipped_by_prefix, opposite, synonyms


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEGATIONS = words(
    """
    not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely seldom rarely
    unable
    nicht kein keine keinen keinem keiner keines nie niemals niemand nichts weder ohne
    pas jamais aucun aucune rien ni sans nunca jamás nadie ningún ninguna ninguno nada sin non nessuno nessuna senza né
    não ninguém nenhum nenhuma sem niet geen nooit niemand niets zonder inte ikke aldrig nigdy bez
    не нет нельзя никогда никто ничего без لا لم لن ليس غير नहीं
    − 不 没 沒 無 无 未 勿 非 别 ません ない なかっ
    """
)
# Verbs that turn what follows into its opposite when they are put in, or left out.
AVOIDANCE = words(
    """
    avoid avoids avoided avoiding refuse refuses refrain fail fails failed lack lacks lacked prevent prevents
    unlikely doubtful impossible false incorrect untrue deny denies denied verboten interdit prohibido proibido vietato
    """
)
# Two different members of one class exclude each other: exchanging one for another changes the statement.
_CLASSES = {
    "scale": "hundred thousand million billion trillion hundreds thousands millions billions trillions",
    "month": "january february march april may june july august september october november december",
    "weekday": "monday tuesday wednesday thursday friday saturday sunday",
    "ordinal": "first second third fourth fifth sixth seventh eighth ninth tenth last",
    "unit": "kilometer meter centimeter millimeter mile foot inch yard kilogram gram milligram lb ounce ton tonne "
    "second_unit minute hour day week month year decade century liter milliliter gallon celsius fahrenheit kelvin "
    "degree percent byte kilobyte megabyte gigabyte terabyte bit watt kilowatt megawatt volt ampere millisecond "
    "microsecond nanosecond teaspoon tablespoon cup mph kph microgram",
    "currency": "dollar euro pound yen rupee cents franc yuan",
    "season": "spring summer autumn winter",
    "direction": "north south east west northern southern eastern western",
    "quantifier": "all most many some few none several every",
    "comparison": "< > <= >= = != ≈",
    "operator": "+ - × / ^ ±",
    "logic": "∧ ∨ ∈ ∉ ∪ ∩ ⊂ ⊃ ⊆ ⊇",
    "quantor": "∀ ∃",
    "trend": "↑ ↓",
    "mark": "✓ ✗",
    "thumb": "👍 👎",
    "frequency": "always usually often sometimes rarely never occasionally",
    "color": "red blue green yellow orange purple black white brown pink gray violet",
    "modal": "must should may might",
    "half": "am pm",
    "period": "daily weekly monthly yearly annually hourly quarterly",
    "continent": "europe asia africa america australia antarctica",
    "multiple": "double triple quadruple half quarter",
}
_QUANTITIES = frozenset({"scale", "month", "weekday", "unit", "currency", "half", "times", "period", "multiple"})

STOPWORDS = words(
    """
    a an the this that these those of to in on at for from by with as is are was were be been being am it its they
    them their he she his her we us our you your i my me and or but if then so than too very also just which who
    whom whose what when where while there here has have had do does did will would can could into about such both
    each any other another own same 's s t re ve ll d m not no nor
    don doesn didn isn aren wasn won
    der die das den dem des ein eine einen einem einer und oder ist sind war zu von mit im am auf für es er sie
    le la les un une des du de et ou est sont dans en au aux il elle ce el los las una y o es son al del lo que se
    os as uma e é do da na gli i di che per het een van
    的 了 是 在 和 也 都 就 而 与 及 或 这 那 一 个 の は が を に へ と も で て た だ し い
    """
)
# Capitalised anywhere without being anybody's name.
NOT_NAMES = words(
    """
    i i'm i'll i've ok okay yes no note tip step example answer question summary conclusion overview introduction
    president king queen prince princess senator minister chancellor judge captain general saint st prof lord lady
    figure table chapter section part ai api url html css json xml sql cpu gpu ram usa us uk eu mr mrs ms dr sir
    dear hi hello the a an and or but if in on at for to of with by as is are
    """
)


# Words that open a sentence and may be exchanged without changing what it says.
CONNECTIVES = words(
    """
    however but although though moreover furthermore besides therefore thus hence consequently overall next then
    finally lastly while since as when because so instead remember note make use try keep choose ensure consider
    check start begin add get create avoid each these those this that also additionally in conclusion summary short
    sum brief general fact example instance addition result
    """
)
# Words that take back a part of what is said.
HEDGES = words("might may could perhaps possibly allegedly supposedly reportedly apparently maybe")
# What stands between the items of a list.
CONNECTORS = words("and or und oder et ou y e o ed en")
# Words that narrow what is said: leaving out what they begin says more than was said.
RESTRICTIONS = words(
    "only unless except if without until before after provided solely nur außer ohne sauf seulement solo salvo"
)
# The word after a code fence's opening marks.
CODE_LABELS = words(
    """
    python py python3 javascript js typescript ts jsx tsx java c cpp csharp go rust ruby php sql bash sh shell zsh
    console text plaintext json yaml yml toml xml html css scss markdown md kotlin swift scala r perl lua
    dockerfile makefile diff ini latex
    """
)


CLASS_OF: dict[str, frozenset[str]] = {
    word: frozenset(name for name, members in _CLASSES.items() if word in members.split())
    for members in _CLASSES.values()
    for word in members.split()
}


@lru_cache(maxsize=50_000)
def excludes(left: str, right: str) -> bool:
    """Whether saying ``right`` for ``left`` changes what is said."""
    if left == right:
        return False
    if CLASS_OF.get(left, frozenset()) & CLASS_OF.get(right, frozenset()) or opposite(left, right):
        return True
    options = len(left) == len(right) == 1 and (left + right).isascii() and (left + right).isalpha()  # answer (B)
    return options or flipped_by_prefix(left, right) or quantity(left, right)


def quantity(left: str, right: str) -> bool:
    """Whether the exchange is one of a date, a unit, a currency or an order of magnitude."""
    both = CLASS_OF.get(left, frozenset()) & _QUANTITIES, CLASS_OF.get(right, frozenset()) & _QUANTITIES
    return left != right and all(both)


@lru_cache(maxsize=50_000)
def misspelled(left: str, right: str) -> bool:
    """Whether one is the other with letters changed or moved; other endings of one word are not that."""
    if min(len(left), len(right)) < 4 or same_word(left, right) or excludes(left, right):
        return False
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    if start >= min(len(left), len(right)) - 3 and len(left) != len(right):
        return False
    return sorted(left) == sorted(right) or Levenshtein.normalized_similarity(left, right) >= 0.6


@lru_cache(maxsize=50_000)
def same_word(left: str, right: str) -> bool:
    """One word in two spellings: colour/color, organise/organize, a hyphen more or less, singular/plural of a
    content word.
    """
    if left == right or _spelling(left) == _spelling(right):
        return True
    short, long = sorted((left, right), key=len)
    return len(short) > 3 and long in (short + "s", short + "es")


def _spelling(word: str) -> str:
    word = word.replace("-", "").replace("'", "").replace(".", "").translate(_UMLAUTS)
    if len(word) > 4:
        for british, american in _BRITISH:
            word = word.replace(british, american)
    return word


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_BRITISH = (
    ("isation", "ization"),
    ("ise", "ize"),
    ("ising", "izing"),
    ("ised", "ized"),
    ("yse", "yze"),
    ("our", "or"),
    ("tre", "ter"),
    ("ogue", "og"),
    ("lled", "led"),
    ("lling", "ling"),
)

__all__ = [
    "AVOIDANCE", "CLASS_OF", "CODE_LABELS", "CONNECTIVES", "CONNECTORS", "HEDGES", "NEGATIONS", "NOT_NAMES",
    "RESTRICTIONS",
    "STOPWORDS", "excludes", "flipped_by_prefix", "misspelled", "quantity", "same_word", "synonyms", "words",
]  # fmt: skip
