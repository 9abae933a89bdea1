"""Backends: where a side's answers come from, and how a request must look for it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from glidepath.config.processes import HttpUrl
from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VISIBLE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")  # what a header's value may hold (RFC 9110, 5.5)
_FRAMING = ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")


def _header_value(value: str) -> str:
    if not _VISIBLE.fullmatch(value):
        raise ValueError("must hold no line breaks or other control characters")
    return value


Prefix = Annotated[str, StringConstraints(strip_whitespace=False), AfterValidator(_header_value)]


class Credential(Section):
    """What goes to this backend as its credential, live and teed alike.

    Exactly one of ``env``, ``file`` (watched, rotates without restart) and ``passthrough`` (the client's own).
    """

    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    file: str | None = None
    passthrough: bool = False
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$"), AfterValidator(str.lower)] = "authorization"
    prefix: Prefix = "Bearer "  # used where header is authorization

    @model_validator(mode="after")
    def _exactly_one(self) -> Credential:
        if (self.env is not None) + (self.file is not None) + self.passthrough != 1:
            raise ValueError("needs exactly one of: env, file, passthrough: true")
        return self


class Price(Section):
    """Money for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    currency: str = "USD"


class Capacity(Section):
    """How full the candidate is: its own Prometheus page, or a PromQL query; ``limit`` in the metric's unit."""

    metrics: HttpUrl | None = None
    metric: str | None = None  # e.g. vllm:gpu_cache_usage_perc
    prometheus: HttpUrl | None = None
    query: str | None = None
    limit: float = Field(gt=0)

    @model_validator(mode="after")
    def _one_source(self) -> Capacity:
        page = self.metrics is not None and self.metric is not None
        query = self.prometheus is not None and self.query is not None
        if page == query:
            raise ValueError("needs either metrics and metric, or prometheus and query")
        return self


class Backend(Section):
    """``url`` may carry a path prefix, put before the client's path (``strip`` of which is taken off first)."""

    url: HttpUrl
    model: str | None = None  # written into the request's top-level "model"; absent: left as it is
    credential: Credential | None = None
    headers: dict[str, str] = Field(default_factory=dict)  # extra request headers
    strip: str = Field(default="", pattern=r"^(/.*)?$")  # a prefix of the client's path it does not know, e.g. /v1
    host: str | None = None  # Host header, if not the URL's
    sni: str | None = None
    ca_file: str | None = None  # trusted CA bundle; absent: the system's
    connect_timeout: Duration = Field(default=2, gt=0)
    first_byte_timeout: Duration = Field(default=30, gt=0)  # per try; then the fallback
    idle_timeout: Duration = Field(default=300, gt=0)  # between two bytes of a stream
    max_connections: int = Field(default=1024, ge=1, le=MOST)
    max_requests: int = Field(default=1024, ge=1, le=MOST)
    max_pending: int = Field(default=256, ge=1, le=MOST)  # Envoy refuses everything at 0: even one request waits
    price: Price | None = None
    capacity: Capacity | None = None

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no header's name")
            if name.lower() in _FRAMING:
                raise ValueError(f"{name!r} is set by Envoy (host: has a key of its own)")
            _header_value(value)
        return headers
