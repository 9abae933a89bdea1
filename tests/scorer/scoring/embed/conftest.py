"""Fixtures: an embedder without a model, the ONNX engine loaded once, and sample texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath.config.processes import EmbedderSection
from scorer.scoring.embed.onnx_engine import OnnxEmbedder
from tests.support.embedders import WordEmbedder

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
