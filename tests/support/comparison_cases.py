"""Compare two texts in tests, and load the cases in tests/scorer/scoring/compare/cases/.

A case file holds groups. A group has a reason ``why`` and a list of ``cases``. A case is a mapping with a readable
``id``, or a plain text. The files in ``cases/pairs`` hold pairs of texts with the expected result; see TextPair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from glidepath.config.comparison import ScoringSection, Task
from scorer.scoring.answers import Choice, Expectation, Extracted, Surface
from scorer.scoring.compare import compare, texts_to_embed
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import SAME_TEXT, Similarity
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.embed import Embedder, embed_texts

CASES = Path(__file__).parents[1] / "scorer" / "scoring" / "compare" / "cases"
CLOSE = Similarity(0.99, 0.99)  # a typical similarity of texts that differ in a word
SETTINGS = ScoringSection()


def compare_texts(left: str | Document, right: str | Document, similarity: Similarity | None = CLOSE) -> Comparison:
    """Compare two texts with the default settings.

    If ``similarity`` is None, it is SAME_TEXT for texts with equal canonical forms, else CLOSE.
    """
    texts = [side.text if isinstance(side, Document) else side for side in (left, right)]
    both = zip((left, right), texts, reversed(texts), strict=True)
    one, other = (side if isinstance(side, Document) else Document(text, beside=far) for side, text, far in both)
    if similarity is None:
        similarity = SAME_TEXT if one.canonical == other.canonical else CLOSE
    return compare_text(one, other, SETTINGS, similarity)


def fenced(code: str, language: str) -> str:
    return f"```{language}\n{code}\n```"


@dataclass(frozen=True, slots=True)
class TextPair:
    """A pair of texts and the expected result. ``expected``: the arguments of ``check``."""

    left: str
    right: str
    similarity: Similarity | None = None
    both_orders: bool = False
    expected: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        orders = [(self.left, self.right), (self.right, self.left)]
        for left, right in orders if self.both_orders else orders[:1]:
            result = compare_texts(left, right, self.similarity)
            for name, value in self.expected.items():
                assert _EXPECTATIONS[name](result, value), f"{name}: {value}, but {result}"


_EXPECTATIONS = {
    "flags": lambda result, value: result.flags == tuple(value),
    "any_flag": lambda result, value: bool(result.flags) == value,
    "flags_include": lambda result, value: set(value) <= set(result.flags),
    "flags_include_any": lambda result, value: bool(set(value) & set(result.flags)),
    "flags_exclude": lambda result, value: not set(value) & set(result.flags),
    "details_include": lambda result, value: all(result.details.get(name) for name in value),
    "agreement_above": lambda result, value: result.agreement > value,
    "agreement_below": lambda result, value: result.agreement < value,
    "signals_below": lambda result, value: all(result.signals[name] < limit for name, limit in value.items()),
    "signals_equal": lambda result, value: all(result.signals[name] == exact for name, exact in value.items()),
}


def text_pairs() -> list[Any]:
    """Return the pairs of all files in ``cases/pairs`` as parameters, with the id "file: group: case"."""
    return [
        pytest.param(_pair(group, case), id=f"{path.stem}: {name}: {case['id']}")
        for path in sorted((CASES / "pairs").glob("*.yaml"))
        for name, group in yaml.safe_load(path.read_text()).items()
        for case in group["cases"]
    ]


def _pair(group: Mapping[str, Any], case: Mapping[str, Any]) -> TextPair:
    """Build a pair from its case.

    The group's ``text`` is inserted for ``{text}`` in ``left`` and ``right`` and for a missing side. The case's
    ``replace`` changes the right side. If there is a ``language``, both sides are put into a code block. The
    group's ``context`` surrounds both sides.
    """
    text = group.get("text", "")
    changed = text
    for old, new in case.get("replace", {}).items():
        changed = changed.replace(old, new)
    sides = [
        case.get("left", "{text}").replace("{text}", text),
        case.get("right", "{text}").replace("{text}", changed),
    ]
    if "language" in case:
        sides = [fenced(side, case["language"]) for side in sides]
    left, right = (group.get("context", "{}").replace("{}", side) for side in sides)
    similarity = Similarity(*group["cosine"]) if "cosine" in group else None
    expected = {**group["expect"], **case.get("expect", {})}
    return TextPair(left, right, similarity, group.get("both_orders", False), expected)


def cases(file: str, group: str) -> list[Any]:
    """Return the cases of one group as parameters: a text, or the values of a mapping, in order and without the id."""
    return [pytest.param(*values, id=name) for name, values in _named(file, group)]


def _named(file: str, group: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for case in yaml.safe_load((CASES / file).read_text())[group]["cases"]:
        if isinstance(case, str):
            yield " ".join(case.split()), (case,)
        else:
            yield case["id"], tuple(value for key, value in case.items() if key != "id")


def text_answer(text: str, **more: Any) -> Extracted:
    """Return an answer with one choice; ``more`` are fields of the choice."""
    return Extracted(Surface.OPENAI_CHAT, (Choice(text, **more),))


def compare_answers(
    left: Extracted,
    right: Extracted,
    task: Task = "chat",
    asked: Expectation | None = None,
    embedder: Embedder | None = None,
) -> Comparison:
    """Compare two answers. Without ``embedder``, different texts have orthogonal vectors."""
    asked = asked or Expectation()
    texts = texts_to_embed(task, asked, left, right)
    if embedder is not None:
        vectors = dict(zip(texts, embed_texts(embedder, texts), strict=True))
    else:
        rows = np.eye(max(len(texts), 1), dtype=np.float32)
        vectors = {text: rows[i : i + 1] for i, text in enumerate(texts)}
    result = compare(task, SETTINGS, asked, left, right, vectors)
    assert isinstance(result, Comparison)
    return result
