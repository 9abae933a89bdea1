"""How a workload's answers are compared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glidepath.config.base import Section

Task = Literal["chat", "generation", "classification", "extraction", "tools", "embeddings", "rerank", "auto"]


class ScoringSection(Section):
    """Weights of signals and what each task needs to know; see docs/scoring.md."""

    weights: dict[str, float] = Field(default_factory=dict)  # signal → weight, over the task's defaults
