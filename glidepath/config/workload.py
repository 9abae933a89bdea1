"""The section of one workload."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from glidepath.config.comparison import FREE_TEXT, ScoringSection, Task
from glidepath.config.gates import (
    GatesSection,
    SamenessGateConfig,
    default_latency,
)
from glidepath.config.kubernetes import HttpRouteSection
from glidepath.config.ramp import RampSection
from glidepath.config.request_match import Match
from glidepath.config.section import Name, Section, one_or_many
from glidepath.config.shadow_traffic import DEFAULT_SAME_SIDE, ShadowSection
from glidepath.config.sticky_values import Sticky
from glidepath.config.synthetic_prompts import ProbesSection
from glidepath.config.units import Duration, Percent
from glidepath.config.user_feedback import FeedbackSection

_WITH_CONVERSATIONS: tuple[Task, ...] = ("chat", "tools", "auto")

_BY_CONVERSATION = Sticky(conversation=True)


class Workload(Section):
    """A set of requests that move together from the baseline to the candidate.

    The section contains the conditions for these requests, the two backends, the ramp and the gates.
    """

    match: Match
    task: Task = "chat"
    baseline: Name
    candidate: Name
    sticky: Sticky | None = None
    stateless: bool = False  # true: no request needs a server's state of earlier requests, so all may be split
    # true: the baseline serves a request that failed at the candidate; the default for the task embeddings is false
    fallback: bool = True
    if_lost: Literal["hold", "baseline"] = "hold"  # whether Envoy keeps or ends the split if no scorer steers
    lost_after: Duration = Field(default=10, ge=2, le=300)  # with if_lost: baseline: how long Envoy keeps the split
    after: Annotated[tuple[Name, ...], BeforeValidator(one_or_many)] = ()  # wait until these serve their last step
    owner: str = ""  # person or team to inform about the end of the migration
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
        """Set the defaults of a workload with embeddings: no fallback, and one step to 100 % after a person's approval.

        The reason is that an index must not contain vectors of two models (ADR 0315).
        """
        if "fallback" not in self.model_fields_set:
            self.__dict__["fallback"] = False
        unset = {"steps": (100.0,), "approval": True}
        filled = {name: value for name, value in unset.items() if name not in self.ramp.model_fields_set}
        if filled and "steps" in filled:
            _fill_in(self, "ramp", **filled)

    @property
    def declared_sticky(self) -> Sticky | None:
        """The sticky value that the file declares; None if it declares none, or ``random: true`` or ``route: true``."""
        return None if self.sticky is None or self.sticky.random or self.sticky.route else self.sticky

    @property
    def assigned_by_user(self) -> bool:
        """Whether a user stays on one side during a step. False for assignment at random or by conversation."""
        return self.sticky is not None and not (self.sticky.random or self.sticky.conversation)

    @property
    def assigned_at_random(self) -> bool:
        """Whether the file says that each request is assigned at random.

        If the file does not say so, a route of the user may assign requests by a hash. Then the gates assume that the
        users of the two sides differ.
        """
        return self.sticky is not None and self.sticky.random

    @property
    def assignment(self) -> Sticky | None:
        """The sticky value by which Envoy assigns requests to a side if it can read bodies; None: at random."""
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
    """Return whether a value is unknown because it has an error that is reported separately (partial_validation.py)."""
    return not (isinstance(task, str) and all(isinstance(section, Section) for section in sections))


def _fill_in(workload: Workload, section: str, **defaults: object) -> None:
    """Add default values to a section of a workload that is being validated. (It is not yet visible to other code.)

    The added settings do not count as set, so that it stays visible which settings the file contains.
    """
    before: Section = getattr(workload, section)
    after = before.model_copy(update=defaults)
    after.__pydantic_fields_set__.difference_update(defaults)
    workload.__dict__[section] = after
