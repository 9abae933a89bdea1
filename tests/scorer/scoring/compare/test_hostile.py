"""Text made to be slow: whatever a model repeats without end, every signal stays linear."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from glidepath.config.comparison import ClassificationSection, EvaluatorSection, ScoringSection
from scorer.scoring.answers import CustomSurface, extract
from scorer.scoring.compare.evaluator.questions import parse_opinion, question
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.structured.json_schema import schema_error
from scorer.scoring.compare.tasks.classification import compare_labels
from scorer.scoring.compare.tasks.extraction import parse_json
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.document import Document

SIZE = 48_000
BUDGET_S = 3.0  # of CPU; what is linear takes at most a fifth of it, a quadratic pattern 5 s and more at this size

UNITS = [
    "a", " ", "\n", "\r\n", "\t\n", " \n", "\r", "\n #", "# ", "#", "`", "`\n", "```\n", "``` ", "```python\n",
    "*", "- ", "- -", "-\t", "_", "=", "{{", "{{a", "{%", "{", "}", "](", "[a](b", "[a](", "[", "![", "[]",
    "<|", "<", "<\uff5c", "<b", "<s>", "</s>", "<think>", "<0x", "[INST", "[TOOL_", "User", "User: a\n",
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
ASKED = question("1", "", "", "", EvaluatorSection(url="http://127.0.0.1:1", model="m"))


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
def test_no_repetition_makes_the_signals_run_away(parts: tuple[str, str, str]) -> None:
    other = Document("The quick brown fox jumps over the lazy dog. " * 10)
    said = Similarity(0.9, 0.9)
    assert_linear(lambda text: compare_text(other, Document(text), SETTINGS, said), parts)
    assert_linear(lambda text: compare_text(Document(text), Document(text[:-7] + " zq."), SETTINGS, said), parts)


def _read(text: str) -> None:
    raw = text.encode("utf-8", "replace")
    custom = CustomSurface("$..text")
    for kind in ("", "text/plain", "text/event-stream", "application/json", "application/x-ndjson"):
        extract(path="/v1/chat/completions", content_type=kind, status=200, request_body=raw, response_body=raw)
    extract(path="", content_type="", status=200, request_body=b"{}", response_body=raw, custom=custom)
    parse_json(text)
    parse_opinion(text, ASKED)
    compare_labels(text, text + "y", ClassificationSection(first_line=True, pattern=r"label: (\w+)"))
    schema_error(text, {"type": "string", "pattern": "^[a-z]+( [a-z]+)*$"})


@pytest.mark.parametrize("parts", [*(("", unit, "x") for unit in UNITS), *WRAPPED], ids=lambda p: repr("".join(p)))
def test_no_repetition_makes_reading_run_away(parts: tuple[str, str, str]) -> None:
    assert_linear(_read, parts)


def test_a_pattern_of_the_configuration_has_a_time_limit() -> None:
    slow = ClassificationSection(pattern=r"^(?:(a+)(a+)(a+)(a+)(a+)(a+)(a+))b\1$")
    assert seconds(lambda: compare_labels("a" * 300 + "!", "a", slow)) < 1
