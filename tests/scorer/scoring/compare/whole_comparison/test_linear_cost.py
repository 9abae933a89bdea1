"""The cost of a comparison stays linear in the length of a text, even for endless repetitions of any unit."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable

import pytest

from glidepath.config.comparison import ClassificationSection, ScoringSection
from glidepath.sides import Side
from scorer.scoring.answers import CustomSurface, extract
from scorer.scoring.compare.code.broken_code import broken_code
from scorer.scoring.compare.defects.leaked_tokens import leaked_tokens
from scorer.scoring.compare.defects.unfinished_text import unfinished_text
from scorer.scoring.compare.evaluator.judge_addressing import addresses_judge
from scorer.scoring.compare.evaluator.questions import Question, preferred_side
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.structured.json_schema import schema_error
from scorer.scoring.compare.tasks.classification import compare_labels
from scorer.scoring.compare.tasks.extraction import parse_json
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.text.tokenizer import MAX_TOKENS
from tests.support.comparison_cases import compare_texts

pytestmark = pytest.mark.slow

SIZE = 48_000
BUDGET_S = 3.0  # of CPU; a linear pattern takes at most a fifth of it, a quadratic one 5 s and more at this size

# Units of the signals that read markup, tokens and refusals.
UNITS = [
    "a", " ", "\n", "\r\n", "\t\n", " \n", "\r", "\n #", "# ", "#", "`", "`\n", "```\n", "``` ", "```python\n",
    "*", "- ", "- -", "-\t", "_", "=", "{{", "{{a", "{%", "{", "}", "](", "[a](b", "[a](", "[", "![", "[]",
    "<|", "<", "<\uff5c", "<b", "<s>", "</s>", "<think>", "<0x", "[INST", "[TOOL_", "User", "User: a\n",
    "i can't provide a ", "it's something i can't ", "leider kann ich nicht ", "申し訳", "抱歉我不能",
    "assistant", "analysis ", "i'm sorry ", "unfortunately ", "as an ai ", "i cannot ", ".", ". ", "\"", "'",
    "\"\\", "2020-", "9", "1,", "9.", "1 million ", "35 degrees ", "|--", "|-- ", "--|", "| :--: ", "a-", "a'",
    "a.", "not ", "Abc Def ", "ABC ", "中文", "ไทย", "и", " hope this ", " if you have ", "would you like ",
    "http://", "hello ", "sure, ", "a\u0301", "\u200b", "\u00a0", "\u00c3\u00a9", "\ufffd", "\ud800", ":", ";",
    "/*", "/* ", "//", "lambda:", "[1,", "(", "data:", "data: {}\n\n", "event: x\n", "{\"a\":", "<!-- ",
]  # fmt: skip
WRAPPED = [
    ('{"a": 1,', "\n", "x"), ("```js\n", "'", "\n```"), ("```js\n", "/* ", "\n```"), ("```js\n", '"\\', "\n```"),
    ("```js\n", "\n", "x\n```"), ("```js\n", "\n #", "\n```"), ("```python\n", "(", "\n```"), ("```", "\t", "x"),
    ("The answer is ", "a ", ". 5"), ("x", " x", " would you like "), ("{", '"a":{', ""), ("", "```js\n(\n```\n", ""),
]  # fmt: skip
SETTINGS = ScoringSection()
ASKED = Question((), Side.BASELINE)
# Units of the patterns of text that addresses its judge.
FOR_JUDGES = [
    "if it ", "as a judge ", "dear ", "judge, ", "this answer ", "the other ", "ignore ", "the the ", "a b c ", "_ _",
    "ai ", "system: ", "[[", "<<", "output with ", "select this ", "rubric must ", "experts preferred ", "%20", "my ",
]  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def text_of(parts: tuple[str, str, str], size: int) -> str:
    begin, unit, end = parts
    return begin + unit * (size // len(unit)) + end


def assert_linear(work: Callable[[str], object], parts: tuple[str, str, str]) -> None:
    assert seconds(lambda: work(text_of(parts, SIZE))) < BUDGET_S


@pytest.mark.parametrize("parts", [*(("", unit, "x") for unit in UNITS), *WRAPPED], ids=lambda p: repr("".join(p)))
def test_the_cost_of_the_signals_is_linear(parts: tuple[str, str, str]) -> None:
    other = Document("The quick brown fox jumps over the lazy dog. " * 10)
    similarity = Similarity(0.9, 0.9)
    assert_linear(lambda text: compare_text(other, Document(text), SETTINGS, similarity), parts)
    assert_linear(lambda text: compare_text(Document(text), Document(text[:-7] + " zq."), SETTINGS, similarity), parts)


def _parse(text: str) -> None:
    raw = text.encode("utf-8", "replace")
    custom = CustomSurface("$..text")
    for kind in ("", "text/plain", "text/event-stream", "application/json", "application/x-ndjson"):
        extract(path="/v1/chat/completions", content_type=kind, status=200, request_body=raw, response_body=raw)
    extract(path="", content_type="", status=200, request_body=b"{}", response_body=raw, custom=custom)
    parse_json(text)
    with contextlib.suppress(ValueError):
        preferred_side(text, ASKED)
    compare_labels(text, text + "y", ClassificationSection(first_line=True, pattern=r"label: (\w+)"))
    schema_error(text, {"type": "string", "pattern": "^[a-z]+( [a-z]+)*$"})


@pytest.mark.parametrize("parts", [*(("", unit, "x") for unit in UNITS), *WRAPPED], ids=lambda p: repr("".join(p)))
def test_the_cost_of_parsing_is_linear(parts: tuple[str, str, str]) -> None:
    assert_linear(_parse, parts)


def test_a_pattern_of_the_configuration_has_a_time_limit() -> None:
    slow = ClassificationSection(pattern=r"^(?:(a+)(a+)(a+)(a+)(a+)(a+)(a+))b\1$")
    assert seconds(lambda: compare_labels("a" * 300 + "!", "a", slow)) < 1


# Units of the signals that read numbers, code, lists and boilerplate.
FORMATTED_UNITS = [
    "$", "$1", "$1 ", "5-", "5 to ", "between 5 and ", "\\", "\\frac{", "\\frac{1}{2}", "`x` ", "``", "★",
    "a@", "@", "a@b.", "- a\n",
    "1. a\n", "(", "(-", "1/2 ", "1 1/2 ", "10^", "^2", "^", "₂", "½", "²", "1e", "1e9 ", "1 000", "1.000",
    "March ", "March 5, ", "5 March ",
    "3 pm ", "3:", "minus ", "a few ", "half a ", "united ", "US$", "USD ", "v1.", "one ", "twenty-", "° ",
    "%", "km/h ", "5 km/h ", "5 square ",
    "https://a.b ", "[a](b) ", "if you ", "let me know ", "hope this helps. ", "sure! ", "Here is the ",
    "a, b and c ", "✅", "ﬁ", "e\u0301",
    "亿", "150亿", "Der Wagen ist ", "\n\n", "\n \n", "x * ", "* * ", "**a** ", "~~~\n",
    "```python\nx = 1\n```\n", "if a:\n    b\n",
]  # fmt: skip
LETTERS = ["Dear ", "Dear a\n", "\nThanks,", "\nThanks\n", "kind regards\n\n", "1 250 ", "No. 5 ", "w/"]
OFFERS = ["let me know if you ", "if you want ", "and i will ", "feel free to ask ", "not "]
SIGNS = ["-", "a-", "(-", "x^2-", "HIV+", "√", "√{", "\\cup", "^{-", "= -", "A+"]
LISTS = ["- a\n", "- a\n  - b\n", "|", "| a | b |\n", "|a\n", "```\n- a\n", "from the ", "in the order ", "- "]
LONG = 64_000
LONG_BUDGET_S = 2.5  # at most 0.5 s if the cost is linear; a quadratic pattern takes 5 s and more


@pytest.mark.parametrize("unit", FORMATTED_UNITS, ids=repr)
def test_the_cost_of_numbers_and_markup_is_linear(unit: str) -> None:
    text = unit * (LONG // len(unit))
    assert seconds(lambda: compare_texts(text + "x", text + " y.", Similarity(0.9, 0.9))) < LONG_BUDGET_S


@pytest.mark.parametrize("language", ["python", "js", "bash", "sql", ""])
@pytest.mark.parametrize("unit", ["'", '"\\', "/*", "#", "(", "x ", "\n  ", "a\n  b\n", "--", "0x"], ids=repr)
def test_the_cost_of_code_is_linear(language: str, unit: str) -> None:
    code = unit * (19_000 // len(unit))
    left, right = (f"See:\n\n```{language}\n{body}\n```\n" for body in (code, code[:-9] + " y"))
    assert seconds(lambda: compare_texts(left, right, Similarity(0.9, 0.9))) < LONG_BUDGET_S


@pytest.mark.parametrize("unit", LETTERS, ids=repr)
def test_the_cost_of_salutations_is_linear(unit: str) -> None:
    text = unit * (LONG // len(unit))
    assert (
        seconds(lambda: (Document(text + "\nx").canonical, compare_texts(text + "\nx", text + "y", None)))
        < LONG_BUDGET_S
    )


@pytest.mark.parametrize("unit", OFFERS, ids=repr)
def test_the_cost_of_offers_is_linear(unit: str) -> None:
    text = unit * (LONG // len(unit))
    assert seconds(lambda: Document(text + "x. " + text).canonical) < LONG_BUDGET_S


@pytest.mark.parametrize("unit", SIGNS, ids=repr)
def test_the_cost_of_formula_signs_is_linear(unit: str) -> None:
    text = unit * (LONG // len(unit))
    assert seconds(lambda: compare_texts(text + "x", text + " y.")) < LONG_BUDGET_S


@pytest.mark.parametrize("unit", LISTS, ids=repr)
def test_the_cost_of_lists_is_linear(unit: str) -> None:
    text = unit * (LONG // len(unit))
    assert seconds(lambda: compare_texts(text + "x", "- y\n" + text)) < LONG_BUDGET_S


@pytest.mark.parametrize(
    "text",
    [" " * 500_000, "*" * 200_000, "|-" * 50_000, "```\n" * 20_000, "{{" * 50_000, ")" * 100_000 + "x", "a'" * 50_000],
    ids=lambda text: repr(text[:4]),
)
def test_the_cost_of_defects_is_linear(text: str) -> None:
    def work() -> None:
        document = Document(text)
        assert len(document.tokens) <= MAX_TOKENS
        unfinished_text(document)
        leaked_tokens(document)
        broken_code(document)

    assert seconds(work) < 5


DIFFERENT_WORDS = 4_000  # about 32,000 characters
SEPARATORS = [" ", ", ", ". ", "\n", "\n- ", " and ", ": "]


def words(seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 10))) for _ in range(DIFFERENT_WORDS)]


@pytest.mark.parametrize("separator", SEPARATORS, ids=repr)
@pytest.mark.parametrize("capitals", [True, False], ids=["capitalised", "lower case"])
@pytest.mark.parametrize("other", ["shuffled", "different", "half different"])
def test_the_cost_of_many_different_words_is_linear(separator: str, capitals: bool, other: str) -> None:
    left = words(1)
    shuffled, different = random.Random(2).sample(left, len(left)), words(3)
    half = len(left) // 2
    right = {"shuffled": shuffled, "different": different, "half different": left[:half] + different[half:]}[other]
    texts = [separator.join(word.capitalize() if capitals else word for word in side) for side in (left, right)]
    assert seconds(lambda: compare_texts(*texts, Similarity(0.9, 0.9))) < LONG_BUDGET_S


@pytest.mark.parametrize("unit", [*FOR_JUDGES, *UNITS], ids=repr)
def test_the_cost_of_recognising_text_that_addresses_its_judge_is_linear(unit: str) -> None:
    assert seconds(lambda: addresses_judge("x" + text_of(("", unit, "x"), SIZE // 4))) < BUDGET_S / 2
