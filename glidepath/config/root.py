"""The root of ``glidepath.yaml`` and its ``workloads`` section."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glidepath import envoy_names
from glidepath.config.backends import HEADER_NAME, Backend
from glidepath.config.comparison import FREE_TEXT, ScoringSection, Task
from glidepath.config.connections import EnvoySection, RedisSection
from glidepath.config.console import ConsoleSection
from glidepath.config.gates import (
    CorrectnessGateConfig,
    FeedbackGateConfig,
    GatesSection,
    PreferenceGateConfig,
    SamenessGateConfig,
    default_latency,
)
from glidepath.config.inventory import InventorySection
from glidepath.config.kubernetes import HttpRouteSection, KubernetesSection
from glidepath.config.notifications import Notification, RegistrySection
from glidepath.config.prices import BackendPrice, CostsSection
from glidepath.config.processes import ExtprocSection, ScorerSection
from glidepath.config.ramp import RampSection
from glidepath.config.retention import RedactionSection, RetentionSection
from glidepath.config.section import Name, Section, one_or_many
from glidepath.config.shadow_traffic import DEFAULT_SAME_SIDE, ShadowSection
from glidepath.config.synthetic_prompts import ProbesSection
from glidepath.config.telemetry import OtelSection
from glidepath.config.units import Duration, Percent
from glidepath.config.user_feedback import FeedbackSection
from glidepath.errors import UnknownWorkloadError
from glidepath.suggestions import allowed_names

_WITH_CONVERSATIONS: tuple[Task, ...] = ("chat", "tools", "auto")
_NOT_RE2 = re.compile(r"\(\?<?[=!]|\(\?P=|\\[1-9]")


class ModelMatch(Section):
    """The models of a workload, by the ``model`` in the bodies of requests. Give exactly one condition.

    ``regex`` is read by RE2 and must match the whole name.
    """

    exact: str | None = Field(default=None, min_length=1, max_length=256)
    prefix: str | None = Field(default=None, min_length=1, max_length=256)
    regex: str | None = Field(default=None, min_length=1, max_length=256)

    @field_validator("regex")
    @classmethod
    def _re2(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if found := _NOT_RE2.search(value):
            raise ValueError(f"{found[0]!r} is not known to RE2: it has no look-around and no references to groups")
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _one(self) -> ModelMatch:
        if sum(one is not None for one in (self.exact, self.prefix, self.regex)) != 1:
            raise ValueError("needs exactly one of: exact, prefix, regex (or the model's name alone)")
        return self

    @property
    def specificity(self) -> tuple[int, int]:
        kind = 3 if self.exact is not None else 2 if self.prefix is not None else 1
        return kind, len(self.exact or self.prefix or self.regex or "")


def _named_model(value: Any) -> Any:
    return {"exact": value} if isinstance(value, str) else value


class Match(Section):
    """The conditions under which a request belongs to a workload. A request must meet all of them.

    If a request meets the conditions of several workloads, it belongs to the workload with the most specific ones.
    """

    path: str | None = Field(default=None, pattern=r"^/")
    path_prefix: str | None = Field(default=None, pattern=r"^/")
    host: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)  # header name → exact value
    model: Annotated[ModelMatch | None, BeforeValidator(_named_model)] = None  # of the body; a name: exactly this model

    @field_validator("headers")
    @classmethod
    def _names(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a valid header name")
        return headers

    @model_validator(mode="after")
    def _one_path(self) -> Match:
        if (self.path is None) == (self.path_prefix is None):
            raise ValueError("needs exactly one of: path, path_prefix")
        return self

    @property
    def specificity(self) -> tuple[int, int, int, int, int, int]:
        """Return a sort key that is larger for more specific conditions.

        The parts of the key are, in this order: whether there is a host, the number of headers, whether the path is
        exact, the length of the path, the kind of condition on the model, and its length.
        """
        path = self.path or self.path_prefix or ""
        model = self.model.specificity if self.model is not None else (0, 0)
        return (self.host is not None, len(self.headers), self.path is not None, len(path), *model)


class Sticky(Section):
    """Where to find the sticky value of a request, such as a user id. Give exactly one source.

    Requests with the same sticky value go to the same backend. When the candidate's share grows, some values move from
    the baseline to the candidate. ``body`` is a key of the request's body: ``user``, ``prompt_cache_key``, or one of
    ``metadata`` such as ``metadata.user_id``. A body without a value there, and each body with ``conversation: true``,
    is sticky by its conversation: by a hash of its messages up to the first of the user, which later turns repeat.
    With ``random: true`` no request is sticky. With ``route: true`` your own route decides, by a hash policy of its
    own. Without the section, tasks with conversations (chat, tools, auto) are sticky by conversation, and the gates do
    not count on random assignment for any task.
    """

    header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")
    cookie: str | None = Field(default=None, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    source_ip: bool = False
    body: str | None = Field(default=None, pattern=r"^(metadata\.)?[A-Za-z0-9_-]{1,40}$")
    conversation: bool = False
    random: bool = False  # true: each request is assigned at random
    route: bool = False  # true: the hash policy of your own route assigns requests

    @model_validator(mode="after")
    def _one(self) -> Sticky:
        given = (self.header is not None, self.cookie is not None, self.source_ip, self.body is not None)
        if sum(given) + self.conversation + self.random + self.route != 1:
            allowed = "header, cookie, source_ip: true, body, conversation: true, random: true, route: true"
            raise ValueError(f"needs exactly one of: {allowed}")
        return self

    @property
    def from_body(self) -> bool:
        """Whether Envoy must read the body to know the sticky value."""
        return self.body is not None or self.conversation

    @property
    def request_header(self) -> str:
        """The request header that has the sticky value when Envoy chooses a side, in lower case; "" if none has it."""
        if self.from_body:
            return envoy_names.sticky_header(self.body or "")
        return (self.header or "").lower()


_BY_CONVERSATION = Sticky(conversation=True)


class Workload(Section):
    """A set of requests that moves as one from the baseline to the candidate.

    The section contains the conditions for these requests, the two backends, the ramp and the gates.
    """

    match: Match
    task: Task = "chat"
    baseline: Name
    candidate: Name
    sticky: Sticky | None = None
    stateless: bool = False  # true: no request needs what a server keeps of earlier ones, so all of them may be split
    # true: the baseline serves a request that failed at the candidate; the default for the task embeddings is false
    fallback: bool = True
    if_lost: Literal["hold", "baseline"] = "hold"  # without a scorer that steers, Envoy keeps the split, or ends it
    lost_after: Duration = Field(default=10, ge=2, le=300)  # with if_lost: baseline, how long without a scorer
    after: Annotated[tuple[Name, ...], BeforeValidator(one_or_many)] = ()  # wait until these serve their last step
    owner: str = ""  # whom to inform about the end of the migration
    start: Percent = 0  # the candidate's share in percent while the workload has no state yet
    shadow: ShadowSection = ShadowSection()
    scoring: ScoringSection = ScoringSection()
    ramp: RampSection = RampSection()
    gates: GatesSection = GatesSection()
    probes: ProbesSection | None = None
    feedback: FeedbackSection | None = None
    actuator: HttpRouteSection | None = None  # weights of an HTTPRoute; absent: those of Envoy's runtime

    @model_validator(mode="after")
    def _fill_in_defaults_of_the_task(self) -> Workload:
        """Fill in the settings whose default depends on the task. See ADR 0270."""
        if _has_faults(self.task, self.shadow, self.gates):
            return self
        if "same_side" not in self.shadow.model_fields_set and self.task in FREE_TEXT:
            _fill_in(self, "shadow", same_side=DEFAULT_SAME_SIDE)
        if "latency" not in self.gates.model_fields_set:
            _fill_in(self, "gates", latency=default_latency(self.task))
        if self.task == "embeddings" and not _has_faults(self.task, self.ramp):
            self._keep_vectors_of_one_side()
        return self

    def _keep_vectors_of_one_side(self) -> None:
        """Fill in all or nothing, by a person's order: an index must not have vectors of two models (ADR 0315)."""
        if "fallback" not in self.model_fields_set:
            self.__dict__["fallback"] = False
        unset = {"steps": (100.0,), "approval": True}
        filled = {name: value for name, value in unset.items() if name not in self.ramp.model_fields_set}
        if filled and "steps" in filled:
            _fill_in(self, "ramp", **filled)

    @property
    def declared_sticky(self) -> Sticky | None:
        """What the file declares to be the sticky value; None if it declares none, or that there is none of ours."""
        return None if self.sticky is None or self.sticky.random or self.sticky.route else self.sticky

    @property
    def assigned_at_random(self) -> bool:
        """Whether the file says that each request is assigned at random.

        If it does not, a route of the user's own may assign by a hash, so the gates take the sides' users as different.
        """
        return self.sticky is not None and self.sticky.random

    @property
    def assignment(self) -> Sticky | None:
        """By what Envoy assigns requests to a side where it can read bodies; None: at random."""
        if self.sticky is None and self.task in _WITH_CONVERSATIONS and self.actuator is None:
            return _BY_CONVERSATION
        return self.declared_sticky

    @property
    def sameness(self) -> SamenessGateConfig | None:
        """The settings of the sameness gates, with the defaults of the workload's task; None without such gates."""
        section = self.gates.sameness
        if section is None:
            return None
        verifier = self.scoring.verifier is not None
        return section.resolved(self.task, noise_pairs=self.shadow.same_side > 0, verifier=verifier)


def _has_faults(task: object, *sections: object) -> bool:
    """Return whether a value is not known, because it has an error that is reported anyway (faulty_values.py)."""
    return not (isinstance(task, str) and all(isinstance(section, Section) for section in sections))


def _fill_in(workload: Workload, section: str, **defaults: object) -> None:
    """Replace a section of a workload that is being validated, and that nobody else can see yet, by one with defaults.

    The filled-in settings do not count as set, so that the file can still be told from its defaults.
    """
    before: Section = getattr(workload, section)
    after = before.model_copy(update=defaults)
    after.__pydantic_fields_set__.difference_update(defaults)
    workload.__dict__[section] = after


class Config(Section):
    """The whole configuration file. It is immutable, and a process reads it once, at its start."""

    envoy: EnvoySection = EnvoySection()
    redis: RedisSection = RedisSection()
    extproc: ExtprocSection = ExtprocSection()
    scorer: ScorerSection = ScorerSection()
    console: ConsoleSection = ConsoleSection()
    kubernetes: KubernetesSection = KubernetesSection()
    retention: RetentionSection = RetentionSection()
    redaction: RedactionSection = RedactionSection()
    costs: CostsSection = CostsSection()
    notify: tuple[Notification, ...] = ()
    registry: RegistrySection | None = None
    inventory: InventorySection | None = None
    otel: OtelSection | None = None
    # Without workloads, `glidepath inventory` observes an Envoy that is to be divided into workloads.
    backends: dict[Name, Backend] = Field(default_factory=dict)
    workloads: dict[Name, Workload] = Field(default_factory=dict)

    def workload(self, name: str) -> Workload:
        try:
            return self.workloads[name]
        except KeyError:
            raise UnknownWorkloadError(f"unknown workload {name!r} {allowed_names(self.workloads, name)}") from None

    def baseline_cluster(self, workload: str) -> str:
        """Return the name of the Envoy cluster that serves the baseline's share of a workload."""
        name = self.workload(workload).baseline
        return self.backends[name].cluster or name

    def candidate_cluster(self, workload: str) -> str:
        """Return the name of the Envoy cluster to which the split sends the candidate's share of a workload."""
        w = self.workload(workload)
        if w.actuator is not None:  # no split of Envoy's own has a cluster of Glidepath's
            return self.backends[w.candidate].cluster or w.candidate
        return envoy_names.fallback_cluster(w.candidate, w.baseline) if w.fallback else w.candidate

    def digest(self, workload: str) -> str:
        """Return a digest of all settings on which the decisions about this workload depend, as twelve hex digits."""
        w = self.workload(workload)
        sides = (_as_in_digest(self.backends[name]) for name in (w.baseline, w.candidate))
        backends = (side.model_dump_json(exclude=_not_in_digest_of_backend(side)) for side in sides)
        parts = [w.model_dump_json(exclude=_not_in_digest(w)), *backends]
        parts.append(self.scorer.embedder.model_dump_json())
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


def _not_in_digest(workload: Workload) -> dict[str, Any]:
    """Return the settings that the digest leaves out: probes, and newer settings that have their default value.

    The introduction of a new setting must not change the digest of an existing configuration, because a new digest
    discards the evidence of the step.
    """
    left_out: dict[str, Any] = {"probes": True, "if_lost": True, "lost_after": True, "shadow": {"opt_out"}}
    ramp = {name for name in ("warm_up", "warm_up_time") if getattr(workload.ramp, name) is None}
    ramp |= set() if workload.ramp.at else {"at"}
    if ramp:
        left_out["ramp"] = ramp
    if workload.match.model is None:
        left_out["match"] = {"model"}
    if workload.sticky is not None:
        unset = set() if workload.sticky.route else {"route"}
        left_out["sticky"] = unset if workload.sticky.from_body else {"body", "conversation", "random", *unset}
    if not workload.stateless:
        left_out["stateless"] = True
    gates: dict[str, Any] = {}
    if workload.gates.errors is not None and workload.gates.errors.fast == "guard":
        gates["errors"] = {"fast"}
    if workload.gates.preference == PreferenceGateConfig():
        gates["preference"] = True
    if workload.gates.correctness == CorrectnessGateConfig():
        gates["correctness"] = True
    if workload.gates.feedback == FeedbackGateConfig():
        gates["feedback"] = True
    left_out |= {name: True for name in ("feedback", "actuator") if getattr(workload, name) is None}
    if gates:
        left_out["gates"] = gates
    if scoring := {name for name in ("verifier", "calibration") if getattr(workload.scoring, name) is None}:
        left_out["scoring"] = scoring
    return left_out


_NEWEST_OF_BACKEND = (
    "context",
    "modalities",
    "tools",
    "max_body",
    "answer_timeout",
    "foreign_reasoning",
    "pass_headers",
)


def _as_in_digest(backend: Backend) -> Backend:
    """Return the backend with the former default of ``idle_timeout`` instead of the present one."""
    is_default = backend.idle_timeout == Backend.model_fields["idle_timeout"].default
    return backend.model_copy(update={"idle_timeout": 300.0}) if is_default else backend


def _not_in_digest_of_backend(backend: Backend) -> dict[str, Any]:
    """Return the newer settings of a backend that have their default value. See ``_not_in_digest``.

    No decision depends on the contract, on what is declared for the report, nor on the newer prices.
    """
    newer = ("cluster", "client_cert", "outlier_detection", "protocol", *_NEWEST_OF_BACKEND)
    left_out: dict[str, Any] = {n: True for n in newer if getattr(backend, n) == Backend.model_fields[n].default}
    prices = {"price": set(BackendPrice.model_fields) - {"input", "output"}} if backend.price is not None else {}
    left_out |= {"contract": True, "hardware": True, "region": True, "tokenizer": True, "quota": True}
    return {**left_out, **prices}
