"""Synthetic prompts: what is sent through both sides when no client asks."""

from __future__ import annotations

from pydantic import Field, model_validator

from glidepath.config.section import Section
from glidepath.config.units import Duration


class ProbesSection(Section):
    """Prompts that go through both sides and are scored like any pair: the baseline stays warm, and tested.

    ``prompts`` are texts, made into a request of the path's API form. ``file`` is JSONL, read anew for every round: a
    line is a whole request body (an object) or a prompt (a text); it may not hold what a client has sent.
    """

    prompts: tuple[str, ...] = Field(default=(), max_length=1000)
    file: str | None = None
    path: str | None = Field(default=None, pattern=r"^/")  # absent: match.path
    model: str = ""  # in the request, where a backend does not rename it; absent: the baseline's
    every: Duration | None = Field(default=None, ge=1)  # a round this often, in every phase; absent: by command only
    count: int = Field(default=5, ge=1, le=100)  # prompts a round; the next round goes on behind them

    @model_validator(mode="after")
    def _something_to_ask(self) -> ProbesSection:
        if not self.prompts and self.file is None:
            raise ValueError("needs prompts, or a file of them")
        return self
