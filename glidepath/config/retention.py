"""The ``retention`` and ``redaction`` sections: how long Redis keeps data, and what is removed from stored bodies."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration, Size


class RetentionSection(Section):
    """Limits on the data that Redis keeps for each workload. The limit that is reached first applies."""

    pairs: int = Field(default=10_000, ge=1, le=MOST)  # maximum number of pairs
    bytes: Size = Field(default=256 * 2**20, ge=2**16)  # maximum bytes of pairs
    age: Duration = Field(default=7 * 86400, gt=0)  # maximum age of pairs and outcome summaries
    results: int = Field(default=100_000, ge=1, le=MOST)  # maximum number of scored pairs
    outcomes: int = Field(default=100_000, ge=1, le=MOST)  # maximum number of outcome summaries
    log: int = Field(default=100_000, ge=1000, le=MOST)  # maximum number of decisions


class RedactionSection(Section):
    """Patterns of sensitive text. Each match in a body becomes ``[redacted]`` before the pair is written to Redis."""

    patterns: tuple[str, ...] = ()  # regular expressions
    builtin: tuple[Literal["email", "phone", "card", "iban", "ipv4"], ...] = ()
    excerpts: int = Field(default=0, ge=0, le=2000)  # maximum characters of each answer that are kept with its score

    @field_validator("patterns")
    @classmethod
    def _compile(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return value
