"""The digest of all settings on which the decisions about a workload depend.

If the digest changes, the evidence is discarded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from glidepath.config.backends import Backend
from glidepath.config.gates import (
    CorrectnessGateConfig,
    FeedbackGateConfig,
    PreferenceGateConfig,
)
from glidepath.config.prices import BackendPrice
from glidepath.config.processes import EmbedderSection
from glidepath.config.workload import Workload


def decision_digest(workload: Workload, sides: Iterable[Backend], embedder: EmbedderSection) -> str:
    """Return the digest of all settings on which the decisions about a workload depend, as twelve hex digits.

    ``sides``: the backends of the baseline and of the candidate, in this order.
    """
    backends = (_as_in_digest(side).model_dump_json(exclude=_not_in_digest_of_backend(side)) for side in sides)
    parts = [workload.model_dump_json(exclude=_not_in_digest(workload)), *backends, embedder.model_dump_json()]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


def _not_in_digest(workload: Workload) -> dict[str, Any]:
    """Return the settings that the digest leaves out: probes, and newer settings that have their default value.

    The introduction of a new setting must not change the digest of an existing configuration, because a new digest
    discards the evidence of the step.
    """
    left_out: dict[str, Any] = {"probes": True, "if_lost": True, "lost_after": True, "shadow": {"opt_out"}}
    ramp = {name for name in ("warm_up", "warm_up_time", "idle_after") if getattr(workload.ramp, name) is None}
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
    """Return the backend with the former default of ``idle_timeout`` in place of the present default."""
    is_default = backend.idle_timeout == Backend.model_fields["idle_timeout"].default
    return backend.model_copy(update={"idle_timeout": 300.0}) if is_default else backend


def _not_in_digest_of_backend(backend: Backend) -> dict[str, Any]:
    """Return the settings of a backend that the digest leaves out. See ``_not_in_digest``.

    These are newer settings that have their default value, and settings on which no decision depends: the contract, the
    declarations for the report, and the newer prices.
    """
    newer = ("cluster", "client_cert", "outlier_detection", "protocol", *_NEWEST_OF_BACKEND)
    left_out: dict[str, Any] = {n: True for n in newer if getattr(backend, n) == Backend.model_fields[n].default}
    prices = {"price": set(BackendPrice.model_fields) - {"input", "output"}} if backend.price is not None else {}
    left_out |= {"contract": True, "hardware": True, "region": True, "tokenizer": True, "quota": True}
    return {**left_out, **prices}
