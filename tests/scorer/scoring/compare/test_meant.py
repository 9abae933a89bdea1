"""What two texts mean: a harmful change of a sign, a unit or a symbol is seen, the same said in another form is not."""

from __future__ import annotations

import unicodedata

import pytest

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import SAME_TEXT, Similarity
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.canonical_text import canonical
from scorer.scoring.compare.text.document import Document
from scorer.scoring.compare.text.tokenizer import tokenize

SETTINGS = ScoringSection()
BEFORE = "The plan was made in the spring and nobody has touched it. "
AFTER = " More about that is written in the second report of the office."


def around(said: str) -> str:
    if "```" in said or said.startswith("|"):
        return f"{BEFORE}\n\n{said}\n\n{AFTER}"
    return BEFORE + said + AFTER


def compared(left: str, right: str) -> Comparison:
    return compare_text(Document(left), Document(right), SETTINGS, Similarity(0.99, 0.99))


SIGNS = [
    ("Take 1-2 tablets.", "Take 12 tablets."), ("It is -5 degrees.", "It is 5 degrees."),
    ("It shows -$1,250.00.", "It shows $1,250.00."), ("It shows €-5.", "It shows €5."),
    ("About 10^6.", "About 10^-6."),
    ("About 1e6.", "About 1e-6."), ("Chapters 1-5 matter.", "Chapters 15 matter."),
    ("It fell (4.2)%.", "It fell 4.2%."),
    ("Outside −12 °C.", "Outside 12 °C."), ("It lost minus 3 points.", "It lost 3 points."),
    ("About 10⁶ cells.", "About 10⁹ cells."), ("It needs Python 3.10.", "It needs Python 3.1."),
    ("See release 1.20 of it.", "See release 1.2 of it."), ("It rose 1:10.", "It rose 10:1."),
]  # fmt: skip
UNITS = [
    ("Wait 2 ms.", "Wait 2 s."), ("It is 5 km.", "It is 5 m."), ("Take 5 mg.", "Take 5 g."),
    ("Take 5 mg.", "Take 5 mcg."),
    ("It lasts 10 µs.", "It lasts 10 ms."), ("It takes 5% more.", "It takes 5 more."), ("Rent 5 m².", "Rent 5 m³."),
    ("It has 5 GB.", "It has 5 MB."), ("It draws 5 kWh.", "It draws 5 MWh."),
    ("Heat to 180 °C.", "Heat to 180 °F."),
    ("It took 24 hours.", "It took 24 minutes."), ("It costs 45 USD.", "It costs 45 EUR."),
    ("Add 2 dl.", "Add 2 l."),
    ("It ends March 5, 2024.", "It ends March 6, 2024."), ("Come at 3 pm.", "Come at 3 am."),
    ("这座桥花费150亿元。", "这座桥花费15亿元。"), ("误诊率下降了30%。", "误诊率下降了60%。"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), [*SIGNS, *UNITS])
def test_another_amount_is_a_number_that_differs(left: str, right: str) -> None:
    result = compared(around(left), around(right))
    assert "numbers" in result.flags
    assert result.agreement < 0.6


SYMBOLS = [
    ("Export: ✅ now.", "Export: ❌ now."), ("When x ≤ 5 it holds.", "When x ≥ 5 it holds."),
    ("Visits: ↑ now.", "Visits: ↓ now."),
    ("Rated ★★★★★ here.", "Rated ★☆☆☆☆ here."), ("All say 👍 today.", "All say 👎 today."),
    ("If x = 5 stop.", "If x ≠ 5 stop."),
    ("It is 7 + 3 here.", "It is 7 × 3 here."), ("It is 5 ± 2 mm.", "It is 5 - 2 mm."),
    ("It got an A+ then.", "It got an A- then."),
]  # fmt: skip
WORDS = [
    ("Enter if it rains.", "Enter unless it rains."), ("Few guests came.", "A few guests came."),
    ("It is malignant.", "It is benign."), ("She was convicted.", "She was acquitted."),
    ("It causes ulcers.", "It prevents ulcers."),
    ("We grant access.", "We revoke access."), ("They granted access.", "They revoked access."),
    ("It is overvalued.", "It is undervalued."),
    ("It checks egress.", "It checks ingress."), ("A careful driver.", "A careless driver."),
    ("It is contraindicated.", "It is indicated."),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), [*SYMBOLS, *WORDS])
def test_a_sign_or_a_word_that_became_its_opposite_is_flagged(left: str, right: str) -> None:
    result = compared(around(left), around(right))
    assert set(result.flags) & {"numbers", "swapped_words", "negation"}
    assert result.agreement < 0.6


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Hunde sind hier nicht erlaubt.", "Hunde sind hier erlaubt."),
        ("Er hat keine Lizenz.", "Er hat eine Lizenz."),
        ("Les chiens ne sont pas admis.", "Les chiens sont admis."),
        ("El plan no incluye nada de eso.", "El plan incluye nada de eso."),
        ("Il treno non parte.", "Il treno parte."), ("O banco não cobra.", "O banco cobra."),
        ("De winkel is niet open.", "De winkel is open."),
        ("这些系统不能取代医生。", "这些系统能取代医生。"),
    ],
)  # fmt: skip
def test_negation_is_seen_in_other_languages(left: str, right: str) -> None:
    assert "negation" in compared(around(left), around(right)).flags


COURTEOUS = [
    ("Absolutely not. Drink water.", "Absolutely. Drink water."),
    ("Definitely safe for children. Keep it cool.", "Definitely unsafe for children. Keep it cool."),
    ("Of course you can take it with wine. Rest well.", "Of course you should never take it with wine. Rest well."),
    ("Right after the meal take one. Rest well.", "Right before the meal take one. Rest well."),
    ("Hi, your account is closed. Call us.", "Hi, your account is open. Call us."),
    ("Thank you for your order, which we cannot deliver. Bye.",
    "Thank you for your order, which we will deliver. Bye."),
    ("Stop at once. If you have chest pain, ask for help.",
    "Stop at once. If you have chest pain, do not ask for help."),
    ("Use bleach and water. Take care not to add vinegar.", "Use bleach and water. Take care to add vinegar."),
    ("Wear a helmet. Feel free to remove the guard rail.", "Wear a helmet. Feel free to keep the guard rail."),
    ("Cut it. Let me know if the red wire is hot.", "Cut it. Let me know if the red wire is not hot."),
    ("Okay to eat raw. Keep it in the fridge and wash it well.",
    "Okay to eat cooked. Keep it in the fridge and wash it well."),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), COURTEOUS)
def test_a_statement_in_the_place_of_a_courtesy_is_compared(left: str, right: str) -> None:
    result = compared(left, right)
    assert result.flags
    assert result.agreement < 0.85


@pytest.mark.parametrize(
    "said",
    [
        "Sure! {}", "Certainly, I'd be happy to help!\n\n{}", "Hi there, thanks for asking. {}",
        "Great question! Here is the answer:\n{}",
        "{}\n\nI hope this helps! Let me know if you have any questions.",
        "{} Would you like me to list the best ones?",
        "{}\n\nFeel free to reach out if you want more details. Good luck!", "Gerne! {}", "{}\nHappy cooking!",
    ],
)  # fmt: skip
def test_a_whole_courtesy_says_nothing(said: str) -> None:
    assert canonical(said.format(BEFORE.strip())) == BEFORE.strip()


def fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


CODE = [
    (fenced("y = x ** 2"), fenced("y = x * 2")), (fenced("y = xs[-1]"), fenced("y = xs[1]")),
    (fenced("y = a * b"), fenced("y = a - b")),
    (fenced("if (!user.ok) stop();", "js"), fenced("if (user.ok) stop();", "js")),
    (fenced("y = {}"), fenced("y = []")),
    (fenced("for x in xs:\n    t += x\nreturn t"), fenced("for x in xs:\n    t += x\n    return t")),
    (fenced("# rm -rf /var/data\nls", "bash"), fenced("rm -rf /var/data\nls", "bash")),
    (fenced("rm -rf ./build", "bash"), fenced("rm -rf /build", "bash")), (fenced("y = a & b"), fenced("y = a | b")),
    (fenced("y = a - b"), fenced("y = a + b")), (fenced("y = a == b"), fenced("y = a != b")),
    (fenced("return X"), fenced("return x")),
    ("Call `f(a && b)` once.", "Call `f(a || b)` once."), ("Use `xs[-1]` there.", "Use `xs[1]` there."),
    (fenced("y = min(a, b)\nz = min(b, c)"), fenced("y = max(a, b)\nz = max(b, c)")),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), CODE)
def test_code_that_says_something_else_is_flagged(left: str, right: str) -> None:
    result = compared(around(left), around(right))
    assert set(result.flags) & {"code", "numbers", "swapped_words", "negation"}
    assert result.agreement < 0.6


SAME_CODE = [
    (fenced("y = [1, 2, 3]"), fenced("y = [1,2,3]")), (fenced("y = 'a'"), fenced('y = "a"')),
    (fenced("f(1)  # go"), fenced("f(1)")),
    (fenced("for item in items:\n    f(item)\ng(items)"), fenced("for x in xs:\n    f(x)\ng(xs)")),
    (fenced("if a:\n    f()"), fenced("if a:\n  f()")), (fenced("f();", "js"), fenced("f()", "js")),
    (fenced("f(a, b)"), fenced("f(a, b,)")), (fenced("# first\nf(1)"), fenced("f(1)")),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), SAME_CODE)
def test_code_written_otherwise_is_the_same(left: str, right: str) -> None:
    result = compared(around(left), around(right))
    assert result.flags == ()
    assert result.agreement > 0.9


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Get it at https://example.com/tool first.", "Get it at https://examp1e.com/tool first."),
        ("Get it [here](https://example.com/tool) first.", "Get it [here](https://evil.com/tool) first."),
        ("Write to help@example.com for it.", "Write to help@example.org for it."),
    ],
)
def test_another_address_is_another_name(left: str, right: str) -> None:
    assert "names" in compared(around(left), around(right)).flags


FORMATS = [
    ("6,650 rooms", "6650 rooms"), ("$4.2 million", "$4.2M"), ("$4.2 million", "4.2 million dollars"),
    ("$4.2 billion", "$4.2bn"),
    ("5,000 units", "5k units"), ("5-10 minutes", "5 to 10 minutes"), ("5–10 minutes", "between 5 and 10 minutes"),
    ("200 mg to 400 mg", "200–400 mg"), ("3 pm", "3:00 PM"), ("3:30 pm", "15:30"), ("½ cup", "1/2 cup"),
    ("0.5 l", "1/2 liter"),
    ("1½ cups", "1 1/2 cups"), ("March 5, 2024", "2024-03-05"), ("28 June 1919", "June 28, 1919"),
    ("5th of March 2024", "5 March 2024"),
    ("35 degrees Celsius", "35 °C"), ("1 km", "1000 m"), ("24 hours", "1 day"), ("1.50 $", "$1.5"),
    ("$5.50", "$5.5"),
    ("[1, 2, 3]", "[1,2,3]"), ("(3, 4)", "(3,4)"), ('{"a": 1, "b": [1, 2]}', '{"a":1,"b":[1,2]}'),
    ("２０２３ rooms", "2023 rooms"),
    ("the third quarter", "Q3"), ("the United Kingdom", "the UK"), ("the United States", "the US"),
    ("Dr. Who", "Doctor Who"),
    ("grey fibre", "gray fiber"), ("2 litres", "2 liters"), ("a programme", "a program"),
    ("aluminium", "aluminum"), ("a cheque", "a check"),
    ("an oﬃce", "an office"), ("the café", unicodedata.normalize("NFD", "the café")),
    ("Egypt and Sudan", "Sudan and Egypt"),
    ("Rome, Paris and Oslo", "Oslo, Rome and Paris"), ("two thirds of it", "2/3 of it"),
    ("1 h 30 min", "90 minutes"), ("05/03/2024", "5 March 2024"), ("twice", "two times"),
    ("half a cup", "1/2 cup"),
    ("1 500 000 people", "1,500,000 people"), ("a big hall", "a large hall"), ("It begins", "It starts"),
    ("$5^2$", "5²"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), FORMATS)
def test_the_same_in_another_form_is_no_difference(one: str, other: str) -> None:
    for left, right in ((one, other), (other, one)):
        result = compared(around(f"They named {left} for it."), around(f"They named {right} for it."))
        assert result.flags == ()
        assert result.agreement > 0.9


GERMAN = "Der Wagen ist rot und steht vor dem Haus. Er kostet {} und ist nicht neu."


@pytest.mark.parametrize(
    ("one", "other"), [("1.500 Euro", "1500 €"), ("850 Euro", "850,00 €"), ("1.234,50 Euro", "1234,5 Euro")]
)
def test_german_numbers_and_nouns(one: str, other: str) -> None:
    result = compared(GERMAN.format(one), GERMAN.format(other).replace("Der Wagen", "Das Auto"))
    assert result.flags == ()
    named = compared(GERMAN.replace("Der", "Herr Schneider. Der"), GERMAN.replace("Der", "Herr Hoffmann. Der"))
    assert "names" in named.flags


def test_ambiguous_digits_are_not_read_across_languages() -> None:
    assert [t.key for t in tokenize("It is 1.500 here and 3,4 there.")][2::3] == ["1.5", "3"]
    assert "3.5" in [t.key for t in tokenize("Das ist der Preis und die 3,5 sind nicht viel.")]


def test_a_list_with_bullets_in_another_order_is_nearly_the_same_and_numbered_steps_are_not() -> None:
    items = ["Stop the pump", "Open the valve", "Drain the tank"]
    bullets = ["Do this:\n\n" + "\n".join(f"- {i}" for i in order) for order in (items, items[::-1])]
    steps = ["Do this:\n\n" + "\n".join(f"{n}. {i}" for n, i in enumerate(order, 1)) for order in (items, items[::-1])]
    assert compared(*bullets).flags == ()
    assert 0.9 < compared(*bullets).agreement < 1
    assert "swapped_words" in compared(*steps).flags


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Alice paid Bob 50 euros.", "Bob paid Alice 50 euros."),
        ("Use TCP for files and UDP for calls.", "Use UDP for files and TCP for calls."),
        ("Rome and Oslo won gold and silver, respectively.", "Oslo and Rome won gold and silver, respectively."),
        ("It went from 18% to 21%.", "It went from 21% to 18%."),
    ],
)  # fmt: skip
def test_an_order_that_says_something_is_compared(left: str, right: str) -> None:
    assert compared(around(left), around(right)).flags


def test_what_is_left_out_is_named() -> None:
    full = around("The landlord may enter the flat only with permission, and never at night.")
    assert "omission" in compared(full, full.replace(" only with permission", "")).flags
    first = "Ducks swim across the harbour in front of a burning ferry. " + full
    assert "omission" in compared(first, full).flags
    table = "| City | Rooms |\n|---|---|\n| Oslo | 12 |\n| Bergen | 30 |\n| Voss | 9 |\n\nAll of them are open in May."
    assert "omission" in compared(table, table.replace("| Bergen | 30 |\n", "")).flags
    assert compared(full, first).flags == ()  # saying more is not leaving out
    lead = "Here is a simple recipe for pancakes and waffles:\n\n" + full
    assert "omission" not in compared(lead, full).flags


def test_two_refusals_in_other_words_agree() -> None:
    result = compare_text(
        Document("I'm sorry, but I can't help with that."),
        Document("I cannot assist with this request."),
        SETTINGS,
        Similarity(0.4, 0.4),
    )
    assert result.flags == ()
    assert result.agreement >= 0.95


def test_a_comparison_of_a_part_says_so() -> None:
    long = "word " * 9000
    result = compare_text(Document(long + "end."), Document(long + "stop."), SETTINGS, SAME_TEXT)
    assert 0.6 < result.signals["compared_share"] < 0.7
    assert "only the first" in result.details["compared_share"]
    assert "compared_share" not in compared(BEFORE, AFTER).signals
