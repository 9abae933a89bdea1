"""The ``probes`` section: synthetic prompts that Glidepath itself sends to both backends."""

from __future__ import annotations

from pydantic import Field, model_validator

from glidepath.config.section import Section
from glidepath.config.units import Duration


class ProbesSection(Section):
    """Synthetic prompts that are sent to both backends. They keep an idle baseline warm and tested.

    The two answers to a prompt are scored like any other pair. ``prompts`` are texts, each of which becomes a request
    to the API at ``path``. ``file`` is a JSONL file that is read again for every round. Each of its lines is a whole
    request body (an object) or a prompt (a string). Do not put requests of clients into the file.
    """

    prompts: tuple[str, ...] = Field(default=(), max_length=1000)
    file: str | None = None
    path: str | None = Field(default=None, pattern=r"^/")  # absent: match.path
    model: str = ""  # model in the request, if the backend has no model of its own; absent: the baseline's model
    every: Duration | None = Field(
        default=None, ge=1
    )  # time between two rounds, in every phase; absent: probes are sent by command only
    count: int = Field(default=5, ge=1, le=100)  # prompts per round; the next round begins with the next prompt

    @model_validator(mode="after")
    def _something_to_ask(self) -> ProbesSection:
        if not self.prompts and self.file is None:
            raise ValueError("needs prompts or file")
        return self
