"""Probes: synthetic prompts that are sent to both sides without a client."""

from __future__ import annotations

from pydantic import Field, model_validator

from glidepath.config.section import Section
from glidepath.config.units import Duration


class ProbesSection(Section):
    """Prompts that are sent to both sides and scored like any pair. They keep the baseline warm and tested.

    ``prompts`` are texts; each becomes a request in the API form of the path. ``file`` is JSONL, read again for every
    round: a line is a whole request body (an object) or a prompt (a string). Do not put clients' requests into it.
    """

    prompts: tuple[str, ...] = Field(default=(), max_length=1000)
    file: str | None = None
    path: str | None = Field(default=None, pattern=r"^/")  # absent: match.path
    model: str = ""  # model in the request, if the backend has no model of its own; absent: the baseline's model
    every: Duration | None = Field(
        default=None, ge=1
    )  # time between two rounds, in every phase; absent: only by command
    count: int = Field(default=5, ge=1, le=100)  # prompts per round; the next round continues after them

    @model_validator(mode="after")
    def _something_to_ask(self) -> ProbesSection:
        if not self.prompts and self.file is None:
            raise ValueError("needs prompts or file")
        return self
