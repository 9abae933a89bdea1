"""The ``gates`` section: the gates of a workload, and their limits.

A gating gate takes part in decisions. An informational gate is only shown and logged.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glidepath.config.section import MOST, Section
from glidepath.config.units import Fraction, Share

# The only list of the quantiles of a latency gate. Validation, gates, planning and error texts derive from it.
Quantile = Literal["p50", "p95", "p99"]
QUANTILES: dict[Quantile, float] = {name: int(name[1:]) / 100 for name in get_args(Quantile)}

DEFAULT_FAST_RATIO = 2.0  # for the fast guard against errors, which also runs without an errors gate


class GateConfig(Section):
    """The settings that every gate has."""

    gating: bool = True  # false: the gate is shown and logged, but decides nothing
    min_samples: int | None = Field(default=None, ge=1, le=MOST)  # absent: min_samples of the ramp


class QualityGateConfig(GateConfig):
    """Limits on the mean agreement between baseline and candidate.

    ``min_agreement`` is an absolute minimum. ``margin`` is how far the mean agreement may be below the noise floor,
    which is the baseline's agreement with itself.
    """

    min_agreement: Fraction | None = None
    margin: Fraction | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="after")
    def _has_limit(self) -> QualityGateConfig:
        if self.min_agreement is None and self.margin is None:
            raise ValueError("needs min_agreement, margin, or both")
        return self


class ErrorGateConfig(GateConfig):
    """Limits on the candidate's error rate.

    ``max_increase`` is the allowed increase over the baseline's error rate, in percentage points. ``max_rate`` is
    an absolute limit. The fast guard tolerates a candidate's error rate of up to ``max_ratio`` times the
    baseline's. The fast guard also acts when ``gating`` is false; only ``fast: inform`` switches it off.
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

    The baseline's labels count as the true labels.
    """

    max_loss: Share = Field(default=0.02, gt=0, lt=1)  # limit on each loss, beyond the noise floor if that is known


FactSignal = Literal["numbers", "names", "negation", "swapped_words"]


class FactGateConfig(GateConfig):
    """A limit on how much more often facts differ between baseline and candidate than between two baseline answers.

    The gate needs ``shadow.same_side``, and applies to free text only.
    """

    gating: bool = False
    max_increase: Share = Field(default=0.1, gt=0, lt=1)  # percentage points above the noise floor
    of: tuple[FactSignal, ...] = ("numbers", "names", "negation")


class LatencyGateConfig(GateConfig):
    """A limit on latency.

    A quantile of the candidate's latency must be at most ``max_ratio`` times the same quantile of the baseline's.
    """

    quantile: Quantile = "p99"
    max_ratio: float = Field(default=1.2, ge=0.01, le=1000)
    signal: Literal["total", "ttft", "per_token"] = "total"


class CapacityGateConfig(GateConfig):
    """A limit on the candidate's predicted load at the next step.

    The limit is ``capacity.limit`` of the candidate's backend, multiplied by 1 - ``headroom``.
    """

    headroom: Share = 0.0


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class GatesSection(Section):
    """The gates of a workload.

    ``alpha`` is the accepted probability of a false rollback at each step, and also the accepted probability of a false
    promotion. The gating gates share the probability of a false rollback.
    """

    alpha: Fraction = Field(default=0.05, ge=1e-6, le=0.5)
    quality: QualityGateConfig | None = QualityGateConfig(min_agreement=0.85)
    classes: ClassGateConfig | None = ClassGateConfig()
    signals: FactGateConfig | None = FactGateConfig()
    errors: ErrorGateConfig | None = ErrorGateConfig.model_validate({"max_increase": "0.5%"})
    latency: Annotated[tuple[LatencyGateConfig, ...], BeforeValidator(_one_or_many)] = (LatencyGateConfig(),)
    capacity: CapacityGateConfig | None = None
    split: bool = True  # the guard against a split that differs from the weights (sample-ratio mismatch)

    @field_validator("latency")
    @classmethod
    def _each_once(cls, value: tuple[LatencyGateConfig, ...]) -> tuple[LatencyGateConfig, ...]:
        seen = set()
        for gate in value:
            if (gate.signal, gate.quantile) in seen:
                raise ValueError(f"{gate.quantile} of {gate.signal} is given twice; keep one")
            seen.add((gate.signal, gate.quantile))
        return value
