"""The ``gates`` section: the gates of a workload, their limits, and what each gate does when it fails."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glidepath.config.comparison import FREE_TEXT, Task
from glidepath.config.latency_quantiles import Quantile
from glidepath.config.section import MOST, Section
from glidepath.config.units import Fraction, Share
from glidepath.status_and_decisions import GateAction

DEFAULT_MIN_AGREEMENT, DEFAULT_MARGIN = 0.85, 0.05
EXACT_TASKS: tuple[Task, ...] = ("classification", "extraction", "tools")  # answers of these tasks can be equal
DEFAULT_FAST_RATIO = 2.0  # for the fast guard against errors, which also runs without an errors gate


class AnyGateConfig(Section):
    """The settings that every gate has.

    Every gate also has a key ``action``: what the gate does when it fails. ``rollback`` lowers the candidate's share.
    ``hold`` permits no further step until a person decides. ``inform`` only shows and logs the failure.
    """

    min_samples: int | None = Field(default=None, ge=1, le=MOST)  # absent: min_samples of the ramp

    @model_validator(mode="before")
    @classmethod
    def _no_gating(cls, value: Any) -> Any:
        if isinstance(value, dict) and "gating" in value:
            instead = "action: inform" if value["gating"] is False else "action: rollback, which is the default"
            raise ValueError(f"gating no longer exists; write {instead}")
        return value


class GateConfig(AnyGateConfig):
    """The settings of a gate with all three actions. By default, it rolls back."""

    action: GateAction = GateAction.ROLLBACK  # what the gate does when it fails


class SamenessGateConfig(AnyGateConfig):
    """Limits on the mean agreement between baseline and candidate.

    A low agreement shows that the answers differ. It does not show which answer is better. So the default of ``action``
    and of the limits depends on the workload's ``task``:

    - ``chat``, ``generation``, ``auto``: the action is ``hold``. The limit is a ``margin`` of 5 % below the noise
      floor, which is the baseline's agreement with itself. Without noise pairs (``shadow.same_side``), there is no
      limit, and the agreement is only shown.
    - all other tasks, in which the request determines the answer: the action is ``rollback``, and ``min_agreement`` is
      85 %. With a verifier (``scoring.verifier``) the action is ``hold``, because a candidate that differs may be
      right.
    """

    action: GateAction | None = None  # absent: by task, see above
    min_agreement: Fraction | None = None  # the absolute minimum
    margin: Fraction | None = Field(default=None, gt=0, lt=1)  # how far the agreement may be below the noise floor

    def resolved(self, task: Task, *, noise_pairs: bool, verifier: bool = False) -> SamenessGateConfig:
        """Return the settings with the defaults of ``task`` filled in. ``action`` is never None in the result.

        ``noise_pairs``, ``verifier``: whether the workload has them. If the result has neither limit, there is no gate.
        """
        free_text = task in FREE_TEXT
        filled: dict[str, Any] = {}
        if self.action is None:
            filled["action"] = GateAction.HOLD if free_text or verifier else GateAction.ROLLBACK
        if self.min_agreement is None and self.margin is None:
            if not free_text:
                filled["min_agreement"] = DEFAULT_MIN_AGREEMENT
            elif noise_pairs:
                filled["margin"] = DEFAULT_MARGIN
        return self.model_copy(update=filled)


class DefectGateConfig(GateConfig):
    """A limit on how much more often the candidate's answer has a defect than the baseline's, on the same requests.

    A defect is a fault that an answer has by itself, such as a refusal, a loop or JSON that violates the schema
    (docs/reference/answer-faults.md). Failed answers are counted by ``errors``.
    """

    max_increase: Share = Field(default=0.02, gt=0, lt=1)  # percentage points above the baseline's rate


class PreferenceGateConfig(GateConfig):
    """A limit on how far the evaluator's mean preference may be below 1/2.

    The preference for a pair is 1 if the evaluator prefers the candidate's answer, 1/2 if neither, and 0 if it prefers
    the baseline's. The gate exists if the workload has ``scoring.evaluator`` and its answers are free text.
    """

    margin: Share = Field(default=0.05, gt=0, lt=0.5)  # the mean must be at least 1/2 minus this


class CorrectnessGateConfig(GateConfig):
    """A limit on how much less often the candidate's answer is right than the baseline's, on the same requests.

    With a verifier (``scoring.verifier``), the verifier's number says how correct an answer is. Without one, the gate
    exists for the tasks ``classification``, ``extraction`` and ``tools``. An answer is then right if it equals the
    baseline's exactly: in its label, in all its JSON fields, or in all its calls and their arguments. For free text,
    the gate exists only if this section is present: it compares calls and final answers, such as "The answer is 42".

    The default of ``margin`` is 5 %. Without a verifier and without noise pairs (``shadow.same_side``) it is 15 %,
    because it is then unknown how often two answers of the baseline are equal.
    """

    margin: Share | None = Field(default=None, gt=0, lt=1)  # how much less often it may be right; absent: see above

    def limit(self, *, verifier: bool, noise_pairs: bool) -> float:
        """Return ``margin`` or its default. The arguments say whether the workload has a verifier and noise pairs."""
        if self.margin is not None:
            return self.margin
        return DEFAULT_MARGIN if verifier or noise_pairs else 1 - DEFAULT_MIN_AGREEMENT


class FeedbackGateConfig(GateConfig):
    """A limit on how much worse the feedback on the candidate's answers is than on the baseline's.

    The gate exists if the workload has a ``feedback`` section, and only while both sides serve clients. A step does not
    wait until this gate passes, because feedback is rare; only a failure has an effect.
    """

    margin: Share = Field(default=0.05, gt=0, lt=0.9)  # how much lower the mean score may be


class ErrorGateConfig(GateConfig):
    """Limits on the candidate's error rate.

    ``max_increase`` is the allowed increase over the baseline's error rate, in percentage points. ``max_rate`` is an
    absolute limit. The fast guard tolerates an error rate of the candidate of up to ``max_ratio`` times the baseline's.
    The fast guard works independently of ``action``. Only ``fast: inform`` switches it off.
    """

    max_increase: Share | None = None
    max_rate: Share | None = None
    max_ratio: float = Field(default=DEFAULT_FAST_RATIO, ge=1, le=1000)
    fast: Literal["guard", "inform"] = (
        "guard"  # guard: errors_fast rolls back to 0 %; inform: it is only shown and logged
    )

    @model_validator(mode="after")
    def _has_limit(self) -> ErrorGateConfig:
        if self.max_increase is None and self.max_rate is None:
            raise ValueError("needs max_increase, max_rate, or both")
        return self


class ClassGateConfig(GateConfig):
    """Limits on the loss of recall and precision of each class in ``scoring.classification.matter``.

    The baseline's labels count as the true labels. With a verifier (``scoring.verifier``), each class has one gate
    instead, which limits how much less often the candidate is right on requests of this class.
    """

    max_loss: Share = Field(default=0.02, gt=0, lt=1)  # limit on each loss, beyond the noise floor if that is known


FactSignal = Literal["numbers", "names", "negation", "swapped_words"]


class FactGateConfig(GateConfig):
    """A limit on how much more often facts differ between baseline and candidate than between two baseline answers.

    The gate needs ``shadow.same_side``, and applies to free text only.
    """

    action: GateAction = GateAction.INFORM  # what the gate does when it fails
    max_increase: Share = Field(default=0.1, gt=0, lt=1)  # percentage points above the noise floor
    of: tuple[FactSignal, ...] = ("numbers", "names", "negation")


class LatencyGateConfig(GateConfig):
    """A limit on latency.

    A quantile of the candidate's latency must be at most ``max_ratio`` times the same quantile of the baseline's.
    ``signal`` selects the latency. ``total`` is the time of a whole answer, ``ttft`` the time to the first token of a
    streamed answer, and ``per_token`` the total time divided by the number of tokens.

    Without ``latency``, the gates depend on the workload's ``task``. ``chat`` and ``generation`` compare the 95th
    percentiles of ``per_token`` and of ``ttft``. Every other task compares the 95th percentiles of ``total``.
    ``latency: []`` means no gate.
    """

    quantile: Quantile = "p99"  # p95 needs a fifth of the requests, and the signal per_token less than a tenth
    max_ratio: float = Field(default=1.2, ge=0.01, le=1000)
    signal: Literal["total", "ttft", "per_token"] = "total"


TIMED_BY_TOKEN: tuple[Task, ...] = ("chat", "generation")  # a longer answer takes longer, but is not worse


def default_latency(task: Task) -> tuple[LatencyGateConfig, ...]:
    """Return the latency gates of a workload that configures none. See ADR 0270."""
    if task in TIMED_BY_TOKEN:
        return tuple(LatencyGateConfig(quantile="p95", signal=signal) for signal in ("per_token", "ttft"))
    return (LatencyGateConfig(quantile="p95"),)


class CapacityGateConfig(AnyGateConfig):
    """A limit on the candidate's predicted load at the next step.

    The limit is ``capacity.limit`` of the candidate's backend, multiplied by 1 - ``headroom``. The gate never rolls
    back, because a high load at the next step is not a reason to lower the present share.
    """

    action: Literal[GateAction.HOLD, GateAction.INFORM] = GateAction.HOLD  # what the gate does when it fails
    headroom: Share = 0.0


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class GatesSection(Section):
    """The gates of a workload.

    ``alpha`` is the accepted probability of a false rollback at each step, and also the accepted probability of a false
    promotion. The gates that take part in decisions share the probability of a false rollback.
    """

    alpha: Fraction = Field(default=0.05, ge=1e-6, le=0.5)
    sameness: SamenessGateConfig | None = SamenessGateConfig()
    defects: DefectGateConfig | None = DefectGateConfig()
    preference: PreferenceGateConfig | None = PreferenceGateConfig()
    correctness: CorrectnessGateConfig | None = CorrectnessGateConfig()
    feedback: FeedbackGateConfig | None = FeedbackGateConfig()
    classes: ClassGateConfig | None = ClassGateConfig()
    signals: FactGateConfig | None = FactGateConfig()
    errors: ErrorGateConfig | None = ErrorGateConfig.model_validate({"max_increase": "0.5%"})
    latency: Annotated[tuple[LatencyGateConfig, ...], BeforeValidator(_one_or_many)] = default_latency(
        "auto"
    )  # absent: by task, see latency[]
    capacity: CapacityGateConfig | None = None
    split: bool = True  # the guard against a split that differs from the weights (sample-ratio mismatch)

    @model_validator(mode="before")
    @classmethod
    def _refuse_the_old_name_of_sameness(cls, value: Any) -> Any:
        if isinstance(value, dict) and "quality" in value:
            raise ValueError("quality is now sameness, which is not about quality; write sameness")
        return value

    @field_validator("latency")
    @classmethod
    def _each_once(cls, value: tuple[LatencyGateConfig, ...]) -> tuple[LatencyGateConfig, ...]:
        seen = set()
        for gate in value:
            if (gate.signal, gate.quantile) in seen:
                raise ValueError(f"{gate.quantile} of {gate.signal} is given twice; keep one")
            seen.add((gate.signal, gate.quantile))
        return value
