"""The ``redaction`` section: what is removed from bodies before they are stored."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from glidepath.config.backends import HEADER_NAME
from glidepath.config.section import Section
from glidepath.envoy_names import READ_REQUEST_HEADERS


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
