"""The ``retention`` and ``redaction`` sections: how long Redis keeps data, and what is removed from stored bodies."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from glidepath.config.backends import HEADER_NAME
from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration, Size
from glidepath.envoy_names import READ_REQUEST_HEADERS


class RetentionSection(Section):
    """Limits on the data that Redis keeps for each workload. The limit that is reached first applies."""

    pairs: int = Field(default=10_000, ge=1, le=MOST)  # maximum number of pairs
    bytes: Size = Field(default=256 * 2**20, ge=2**16)  # maximum bytes of pairs
    age: Duration = Field(default=7 * 86400, gt=0)  # maximum age of pairs, outcome summaries, and results with excerpts
    results: int = Field(default=100_000, ge=1, le=MOST)  # maximum number of scored pairs
    outcomes: int = Field(default=100_000, ge=1, le=MOST)  # maximum number of outcome summaries
    log: int = Field(default=100_000, ge=1000, le=MOST)  # maximum number of decisions
    # Pairs that are kept longer: those that weighed most for a rollback or a hold, and those that a person labelled.
    kept: int = Field(default=2000, ge=0, le=5000)  # maximum number of kept pairs
    kept_bytes: Size = Field(default=64 * 2**20, ge=2**16)  # maximum bytes of kept pairs
    kept_age: Duration = Field(default=90 * 86400, gt=0)  # maximum age of kept pairs
    labels: int = Field(default=10_000, ge=1, le=MOST)  # maximum number of labels


class RedactionSection(Section):
    """Patterns of sensitive text. Each match in a body becomes ``[redacted]`` before the pair is written to Redis.

    Credentials in headers and query parameters are neither stored nor copied, nor sent to a candidate.
    """

    patterns: tuple[str, ...] = ()  # regular expressions
    builtin: tuple[Literal["email", "phone", "card", "iban", "ipv4", "signed_url", "url_password", "api_key"], ...] = ()
    credential_headers: tuple[str, ...] = ()  # further request headers with a credential, besides the well-known ones
    harmless_parameters: tuple[str, ...] = ()  # further query parameters to keep; others could hold a credential
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

    @field_validator("credential_headers")
    @classmethod
    def _headers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a valid header name")
            if name.lower() in READ_REQUEST_HEADERS:
                raise ValueError(f"{name!r} is a header that copies need")
        return tuple(name.lower() for name in value)

    @field_validator("harmless_parameters")
    @classmethod
    def _parameters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9$._~-]+", name):
                raise ValueError(f"{name!r} is not a name of a query parameter (allowed: letters, digits, $ . _ ~ -)")
        return tuple(name.lower() for name in value)
