"""Words whose exchange changes what is said: opposites, classes whose members exclude each other, cues of negation."""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz.distance import Levenshtein


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEGATIONS = words(
    """
    not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely seldom rarely
    unable
    """
)
# Verbs that turn what follows into its opposite when they are put in, or left out.
AVOIDANCE = words(
    """
    avoid avoids avoided avoiding refuse refuses refrain fail fails failed lack lacks lacked prevent prevents
    unlikely doubtful impossible false incorrect untrue deny denies denied
    """
)
PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "mis", "anti", "de")

_OPPOSITES = """
    more/less more/fewer most/least most/fewest many/few much/little increase/decrease increases/decreases
    increased/decreased increasing/decreasing increase/reduce increases/reduces increased/reduced
    increasing/reducing rise/fall rises/falls rose/fell rising/falling risen/fallen raise/lower raises/lowers
    raised/lowered raising/lowering grow/shrink grows/shrinks grew/shrank growing/shrinking gain/loss gains/losses
    gain/lose high/low higher/lower highest/lowest highly/slightly up/down upper/lower upward/downward
    upwards/downwards above/below over/under top/bottom before/after earlier/later early/late earliest/latest
    first/last previous/next previously/subsequently former/latter begin/end beginning/end begins/ends start/stop
    start/end starts/stops starts/ends started/stopped started/ended starting/ending starting/stopping open/close
    open/closed opens/closes opened/closed opening/closing always/never always/rarely always/sometimes
    often/rarely often/seldom usually/rarely frequently/rarely frequently/seldom all/none all/some all/no every/no
    everyone/nobody everyone/noone everything/nothing everybody/nobody everywhere/nowhere some/none both/neither
    either/neither with/without include/exclude includes/excludes included/excluded including/excluding
    inside/outside in/out into/from internal/external interior/exterior indoor/outdoor indoors/outdoors
    inner/outer left/right north/south east/west northern/southern eastern/western northeast/southwest
    northwest/southeast big/small bigger/smaller biggest/smallest large/small larger/smaller largest/smallest
    great/small greater/less greater/smaller greater/lesser greatest/least long/short longer/shorter
    longest/shortest tall/short wide/narrow wider/narrower thick/thin thicker/thinner deep/shallow heavy/light
    heavier/lighter hot/cold hotter/colder hottest/coldest warm/cool warmer/cooler warm/cold fast/slow
    faster/slower fastest/slowest quick/slow quickly/slowly rapidly/slowly strong/weak stronger/weaker
    strongest/weakest strength/weakness strengths/weaknesses hard/soft hard/easy harder/easier difficult/easy
    difficult/simple complex/simple good/bad better/worse best/worst positive/negative positively/negatively
    right/wrong correct/incorrect correct/wrong true/false yes/no accept/reject accepts/rejects accepted/rejected
    accept/decline allow/forbid allow/deny allow/prohibit allow/prevent allows/prevents allowed/forbidden
    allowed/prohibited permit/prohibit permitted/prohibited enable/disable enables/disables enabled/disabled
    approve/reject approved/rejected agree/disagree legal/illegal safe/dangerous safe/unsafe safer/riskier
    safely/dangerously healthy/unhealthy success/failure succeed/fail succeeded/failed successful/unsuccessful
    win/lose wins/loses won/lost winning/losing winner/loser love/hate loves/hates like/dislike happy/sad
    happiness/sadness rich/poor richer/poorer cheap/expensive cheaper/expensive buy/sell buys/sells bought/sold
    buyer/seller give/take gives/takes gave/took send/receive sends/receives sent/received push/pull add/remove
    adds/removes added/removed adding/removing add/subtract addition/subtraction multiply/divide plus/minus
    insert/delete create/destroy create/delete build/destroy import/export imports/exports input/output
    upload/download encrypt/decrypt lock/unlock locked/unlocked connect/disconnect attach/detach expand/contract
    expands/contracts expansion/contraction import/export attract/repel attack/defend advance/retreat
    arrive/depart arrival/departure enter/exit entrance/exit lead/follow teach/learn remember/forget save/spend
    save/waste saves/wastes alive/dead life/death live/die born/died birth/death young/old younger/older
    youngest/oldest new/old newer/older newest/oldest modern/ancient male/female man/woman men/women boy/girl
    boys/girls father/mother husband/wife son/daughter brother/sister king/queen he/she him/her his/her his/hers
    himself/herself day/night morning/evening morning/night sunrise/sunset summer/winter light/dark lighter/darker
    bright/dark bright/dim black/white wet/dry wetter/drier full/empty fuller/emptier clean/dirty loud/quiet
    sharp/dull smooth/rough maximum/minimum max/min maximize/minimize maximizes/minimizes maximizing/minimizing
    major/minor majority/minority primary/secondary public/private common/rare commonly/rarely frequent/rare
    frequent/infrequent normal/abnormal natural/artificial physical/virtual real/fake abundant/scarce
    surplus/deficit profit/loss profitable/unprofitable asset/liability assets/liabilities credit/debit
    income/expense income/expenses revenue/cost demand/supply guilty/innocent friend/enemy ally/enemy peace/war
    victory/defeat present/absent presence/absence visible/invisible permanent/temporary permanently/temporarily
    mandatory/optional required/optional required/forbidden recommended/discouraged encourage/discourage
    encourages/discourages encouraged/discouraged support/oppose supports/opposes supported/opposed benefit/harm
    benefits/harms beneficial/harmful benefits/drawbacks advantage/disadvantage advantages/disadvantages pros/cons
    improve/worsen improves/worsens improved/worsened improving/worsening improvement/deterioration help/hinder
    helps/hinders active/inactive active/passive actively/passively synchronous/asynchronous static/dynamic
    mutable/immutable finite/infinite odd/even horizontal/vertical horizontally/vertically
    clockwise/counterclockwise ascending/descending ascend/descend forward/backward forwards/backwards front/back
    ahead/behind near/far nearer/farther close/far closer/farther closest/farthest together/apart same/different
    similar/different similarly/differently equal/unequal together/separately must/may must/should must/might
    must/can should/must can/must will/may will/might shall/may only/also exactly/approximately exactly/roughly at
    least/at most minimum/average almost/exactly mostly/partly fully/partially completely/partially
    completely/barely entirely/partially and/or because/although since/until until/after daily/weekly
    weekly/monthly monthly/yearly monthly/annually weekly/yearly weekly/annually daily/monthly daily/annually
    hourly/daily acid/base acidic/basic acidic/alkaline solid/liquid liquid/gas positive/neutral
    optimistic/pessimistic confident/uncertain certain/uncertain definitely/possibly certainly/possibly
    likely/unlikely possible/impossible sender/recipient predator/prey tighten/loosen tight/loose tighter/looser
    import/exports freeze/melt freezing/boiling boil/freeze boils/freezes absorb/emit absorbs/emits absorb/release
    absorbs/releases inhale/exhale conserve/waste conserves/wastes protect/harm protects/harms protect/endanger
    preserve/destroy strengthen/weaken strengthens/weakens accelerate/decelerate accelerates/slows reward/punish
    reward/penalty victim/attacker host/guest hire/fire hired/fired lend/borrow urban/rural domestic/foreign
    domestic/international local/global local/remote theoretical/practical specific/general generally/specifically
    explicit/implicit explicitly/implicitly direct/indirect directly/indirectly formal/informal flexible/rigid
    patient/impatient polite/rude brave/cowardly generous/selfish honest/dishonest humble/proud
    reliable/unreliable effective/ineffective efficient/inefficient sufficient/insufficient adequate/inadequate
    able/unable
    """

# Two different members of one class exclude each other: exchanging one for another changes the statement.
_CLASSES = {
    "scale": "hundred thousand million billion trillion hundreds thousands millions billions trillions",
    "month": "january february march april may june july august september october november december",
    "weekday": "monday tuesday wednesday thursday friday saturday sunday",
    "ordinal": "first second third fourth fifth sixth seventh eighth ninth tenth last",
    "unit": "kilometer meter centimeter millimeter mile foot feet inch inches yard yards kilogram gram milligram lb "
    "ounce ton tons tonne tonnes "
    "second_unit minute hour day week month year decade century decades centuries liter liters litre litres ml "
    "gallon gallons celsius fahrenheit "
    "kelvin degree percent byte kilobyte megabyte gigabyte terabyte bit watt watts kilowatt kilowatts volt volts "
    "ampere milliseconds microseconds "
    "teaspoon teaspoons tablespoon tablespoons cup cups mph kph c f",
    "currency": "dollar euro pound yen rupee cents",
    "season": "spring summer autumn winter",
    "direction": "north south east west northern southern eastern western",
    "quantifier": "all most many some few none several every",
    "frequency": "always usually often sometimes rarely never occasionally",
    "color": "red blue green yellow orange purple black white brown pink gray grey violet",
    "modal": "must should may might",
    "half": "am pm",
    "times": "once twice thrice",
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
    """
)
# Capitalised anywhere without being anybody's name.
NOT_NAMES = words(
    """
    i i'm i'll i've ok okay yes no note tip step example answer question summary conclusion overview introduction
    figure table chapter section part ai api url html css json xml sql cpu gpu ram usa us uk eu mr mrs ms dr sir
    dear hi hello the a an and or but if in on at for to of with by as is are
    """
)


# Words that open a sentence and may be exchanged without changing what it says.
CONNECTIVES = words(
    """
    however but although though moreover furthermore besides therefore thus hence consequently overall next then
    finally lastly while since as when because so instead remember note make use try keep choose ensure consider
    check start begin add get create avoid each these those this that
    """
)
# The word after a code fence's opening marks.
CODE_LABELS = words(
    """
    python py python3 javascript js typescript ts jsx tsx java c cpp csharp go rust ruby php sql bash sh shell zsh
    console text plaintext json yaml yml toml xml html css scss markdown md kotlin swift scala r perl lua
    dockerfile makefile diff ini latex
    """
)


def _opposites() -> frozenset[tuple[str, str]]:
    pairs: set[tuple[str, str]] = set()
    for entry in _OPPOSITES.split():
        left, slash, right = entry.partition("/")
        if slash and left != right:
            pairs |= {(left, right), (right, left)}
    return frozenset(pairs)


OPPOSITES = _opposites()
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
    if CLASS_OF.get(left, frozenset()) & CLASS_OF.get(right, frozenset()) or (left, right) in OPPOSITES:
        return True
    options = len(left) == len(right) == 1 and left.isalpha() and right.isalpha()  # answer (B), variable x
    return options or flipped_by_prefix(left, right) or quantity(left, right)


def quantity(left: str, right: str) -> bool:
    """Whether the exchange is one of a date, a unit, a currency or an order of magnitude."""
    both = CLASS_OF.get(left, frozenset()) & _QUANTITIES, CLASS_OF.get(right, frozenset()) & _QUANTITIES
    return left != right and all(both)


def flipped_by_prefix(left: str, right: str) -> bool:
    """possible/impossible, like/unlike, safe/unsafe."""
    short, long = sorted((left, right), key=len)
    return len(short) > 3 and any(long == prefix + short for prefix in PREFIXES)


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
    word = word.replace("-", "").replace("'", "").replace(".", "")
    if len(word) > 4:
        for british, american in _BRITISH:
            word = word.replace(british, american)
    return word


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
