"""What reads figures, code, lists and courtesies stays linear on text that a model repeats without end."""

from __future__ import annotations

import time

import pytest

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.document import Document

SIZE = 64_000
UNITS = [
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


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_repetition_costs_no_more_than_its_length(unit: str) -> None:
    text = unit * (SIZE // len(unit))
    began = time.process_time()
    compare_text(Document(text + "x"), Document(text + " y."), ScoringSection(), Similarity(0.9, 0.9))
    assert time.process_time() - began < 2.5  # at most 0.5 s where it is linear; a quadratic pattern takes 5 s and more


@pytest.mark.parametrize("language", ["python", "js", "bash", "sql", ""])
@pytest.mark.parametrize("unit", ["'", '"\\', "/*", "#", "(", "x ", "\n  ", "a\n  b\n", "--", "0x"], ids=repr)
def test_code_of_any_shape_is_lexed_in_linear_time(language: str, unit: str) -> None:
    code = unit * (19_000 // len(unit))
    began = time.process_time()
    left, right = (Document(f"See:\n\n```{language}\n{body}\n```\n") for body in (code, code[:-9] + " y"))
    compare_text(left, right, ScoringSection(), Similarity(0.9, 0.9))
    assert time.process_time() - began < 2.5
