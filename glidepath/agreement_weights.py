"""The weights that turn the differences of two free texts into the probability that they mean the same (ADR 0215).

The log-odds of the probability are ``constant`` + Σ weight · value over the features. See
scorer/scoring/compare/calibrator/. ``make train-agreement`` computes the weights that Glidepath ships.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from glidepath.errors import InputError, error_text

SHIPPED_WEIGHTS = Path(__file__).with_name("agreement_weights.json")

# The features that may have a weight. +1: a higher value never lowers the probability, -1: never raises it, 0: either.
FEATURE_SIGNS: dict[str, int] = {
    "cosine": 1,
    "code": 1,
    "numbers": -1,
    "numbers_elsewhere": -1,
    "other_words": -1,
    "negation": -1,
    "swapped_words": -1,
    "one_word": -1,
    "omission": -1,
    "names": -1,
    "final_answer": 1,
    "length": 0,
}


@dataclass(frozen=True, slots=True)
class FeatureWeight:
    """The weight of one feature.

    ``middle`` and ``spread``: the mean and standard deviation of the feature's values in the training pairs.
    """

    weight: float
    middle: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True)
class AgreementWeights:
    """The weights of all features. ``made``: facts for people about how the weights were computed."""

    constant: float
    features: Mapping[str, FeatureWeight]
    made: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, values: Mapping[str, float]) -> float:
        """Return the probability that two texts mean the same. ``values``: the value of each feature."""
        log_odds = self.constant + sum(one.weight * values[name] for name, one in self.features.items())
        return 1 / (1 + math.exp(-min(30.0, max(-30.0, log_odds))))

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits that identify the constant and the weights."""
        text = json.dumps([self.constant, sorted((name, one.weight) for name, one in self.features.items())])
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def to_json(self) -> str:
        features = {
            name: {"weight": one.weight, "middle": one.middle, "spread": one.spread}
            for name, one in self.features.items()
        }
        return json.dumps({"constant": self.constant, "features": features, "made": dict(self.made)}, indent=2) + "\n"


def read_weights(path: Path) -> AgreementWeights:
    """Read a file of weights. Raises InputError if it cannot be read or is not valid."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: is not JSON: {error_text(error)}") from error
    return _parsed(raw, str(path))


def shipped_weights() -> AgreementWeights:
    return workload_weights(None)


@lru_cache(maxsize=1000)
def workload_weights(calibration: str | None) -> AgreementWeights:
    """Return the weights in the file ``calibration`` (``scoring.calibration``), or the shipped weights for None.

    A process reads each file only once, so that all its pairs are scored alike. Raises InputError if the file cannot be
    read or is not valid.
    """
    return read_weights(SHIPPED_WEIGHTS if calibration is None else Path(calibration))


def _parsed(raw: object, where: str) -> AgreementWeights:
    if not isinstance(raw, dict) or not isinstance(raw.get("features"), dict):
        raise InputError(f"{where}: must be an object with constant and features, as glidepath calibrate writes it")
    found: dict[str, Any] = raw["features"]
    if set(found) != set(FEATURE_SIGNS):
        wrong = sorted(set(found) ^ set(FEATURE_SIGNS))
        raise InputError(
            f"{where}: features: must be exactly {', '.join(FEATURE_SIGNS)} (wrong: {', '.join(wrong)}); if another "
            "version made the file, run `glidepath calibrate --labels` again"
        )
    features = {name: _feature(one, f"{where}: features.{name}") for name, one in found.items()}
    made = raw.get("made", {})
    return AgreementWeights(
        constant=_number(raw.get("constant"), f"{where}: constant"),
        features=features,
        made=made if isinstance(made, dict) else {},
    )


def _feature(raw: object, where: str) -> FeatureWeight:
    if not isinstance(raw, dict):
        raise InputError(f"{where}: must be an object with weight, middle and spread (got {raw!r})")
    one = FeatureWeight(*(_number(raw.get(key), f"{where}.{key}") for key in ("weight", "middle", "spread")))
    if one.spread <= 0:
        raise InputError(f"{where}.spread: must be above 0 (got {one.spread:g})")
    return one


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{where}: must be a number (got {value!r})")
    return float(value)
