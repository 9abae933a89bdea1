"""The root of ``glidepath.yaml`` and the workloads in it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glidepath.config.backends import HEADER_NAME, Backend
from glidepath.config.comparison import ScoringSection, Task
from glidepath.config.gates import GatesSection
from glidepath.config.processes import (
    ConsoleSection,
    EnvoySection,
    ExtprocSection,
    Notification,
    RedactionSection,
    RedisSection,
    RegistrySection,
    RetentionSection,
    ScorerSection,
    ShadowSection,
)
from glidepath.config.ramp import RampSection
from glidepath.config.section import Name, Percent, Section
from glidepath.config.synthetic_prompts import ProbesSection
from glidepath.errors import UnknownWorkloadError


class Match(Section):
    """Which requests are this workload's: all that is given must hold. More conditions make it more specific."""

    path: str | None = Field(default=None, pattern=r"^/")
    path_prefix: str | None = Field(default=None, pattern=r"^/")
    host: str | None = None
    headers: dict[str, str] = Field(
        default_factory=dict
    )  # exact values; model in the body: set a header, docs/segments

    @field_validator("headers")
    @classmethod
    def _names(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no header's name")
        return headers

    @model_validator(mode="after")
    def _one_path(self) -> Match:
        if (self.path is None) == (self.path_prefix is None):
            raise ValueError("needs exactly one of: path, path_prefix")
        return self

    @property
    def specificity(self) -> tuple[int, int, int, int]:
        """Sorts the most specific first when negated: host, number of headers, exact path, path length."""
        path = self.path or self.path_prefix or ""
        return (self.host is not None, len(self.headers), self.path is not None, len(path))


class Sticky(Section):
    """A user or session stays on the side it was first sent to, as far as the ramp allows. Exactly one source."""

    header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")
    cookie: str | None = Field(default=None, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    source_ip: bool = False

    @model_validator(mode="after")
    def _one(self) -> Sticky:
        if (self.header is not None) + (self.cookie is not None) + self.source_ip != 1:
            raise ValueError("needs exactly one of: header, cookie, source_ip: true")
        return self


def _name_or_names(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Workload(Section):
    match: Match
    task: Task = "chat"
    baseline: Name
    candidate: Name
    sticky: Sticky | None = None
    fallback: bool = True  # a failed candidate request is served by the baseline
    after: Annotated[tuple[Name, ...], BeforeValidator(_name_or_names)] = ()  # waits until these are done
    owner: str = ""
    start: Percent = 0  # the candidate's share where there is no state yet
    shadow: ShadowSection = ShadowSection()
    scoring: ScoringSection = ScoringSection()
    ramp: RampSection = RampSection()
    gates: GatesSection = GatesSection()
    probes: ProbesSection | None = None

    @model_validator(mode="after")
    def _probes_have_a_path(self) -> Workload:
        if self.probes is not None and self.probes.path is None and self.match.path is None:
            raise ValueError("probes needs a path, as match has only a path_prefix")
        return self


class Config(Section):
    """Everything in ``glidepath.yaml``; frozen, read once a process."""

    envoy: EnvoySection = EnvoySection()
    redis: RedisSection = RedisSection()
    extproc: ExtprocSection = ExtprocSection()
    scorer: ScorerSection = ScorerSection()
    retention: RetentionSection = RetentionSection()
    redaction: RedactionSection = RedactionSection()
    console: ConsoleSection = ConsoleSection()
    notify: tuple[Notification, ...] = ()
    registry: RegistrySection | None = None
    backends: dict[Name, Backend] = Field(min_length=1)
    workloads: dict[Name, Workload] = Field(min_length=1)

    def workload(self, name: str) -> Workload:
        try:
            return self.workloads[name]
        except KeyError:
            known = ", ".join(sorted(self.workloads))
            raise UnknownWorkloadError(f"unknown workload {name!r} (known: {known})") from None

    def digest(self, workload: str) -> str:
        """Twelve hex digits that change when anything changes that this workload's decisions depend on."""
        w = self.workload(workload)
        backends = (self.backends[b].model_dump_json() for b in (w.baseline, w.candidate))
        parts = [w.model_dump_json(exclude=_silent(w)), *backends]
        parts.append(self.scorer.embedder.model_dump_json())
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


def _silent(workload: Workload) -> dict[str, Any]:
    """What does not count for the digest: keys younger than the first version, where they say what was so before them.
    An upgrade must not begin every step's evidence anew."""
    silent: dict[str, Any] = {"probes": True}
    if not workload.ramp.at:
        silent["ramp"] = {"at"}
    if workload.gates.errors is not None and workload.gates.errors.fast == "guard":
        silent["gates"] = {"errors": {"fast"}}
    return silent
