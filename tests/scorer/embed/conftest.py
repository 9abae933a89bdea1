"""An engine that needs no model, the real ones loaded once, and sample texts."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from glidepath.config.parts import EmbedderSection
from scorer.embed.onnx_engine import OnnxEmbedder
from scorer.embed.protocol import Span, Vectors

SAMPLES = (
    "The museum opens at nine and closes at five; tickets are sold at the door.",
    "Das Museum öffnet um neun Uhr und schließt um fünf.",
    "博物館は午前九時に開きます。入場券は入口で買えます。",
    "def area(radius: float) -> float:\n    return 3.14159 * radius ** 2\n",
    "",
    "   ",
    "Yes.",
    "🙂 emoji, naïve café, zero\u200bwidth and a lone \ud800 surrogate",
    "Boil the water, add the pasta, stir, and wait for nine minutes. " * 60,
    "1. First item\n2. Second item\n\n" * 80,
    "supercalifragilistic" * 200,
)


class WordEmbedder:
    """A twin of an engine: a token a word, a vector that depends on the words; remembers what it was asked."""

    name = "words"
    dimensions = 8
    max_tokens = 5

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def spans(self, text: str) -> Sequence[Span]:
        spans, at = [], 0
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            spans.append((start, at))
        return spans

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        rows = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=8) for text in texts]
        return np.asarray([row / np.linalg.norm(row) for row in rows], np.float32).reshape(len(texts), 8)


@pytest.fixture
def words() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture(scope="session")
def graph_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="session")
def onnx(graph_cache: Path) -> OnnxEmbedder:
    return OnnxEmbedder(EmbedderSection(), graph_cache)


@pytest.fixture(scope="session")
def samples() -> tuple[str, ...]:
    return SAMPLES
