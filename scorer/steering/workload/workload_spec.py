"""The fixed facts about one workload: its configuration, and the values that are derived from the configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.agreement_weights import workload_weights
from glidepath.config import Config, Workload
from glidepath.config.backends import Backend
from glidepath.served_digest import served_digest
from scorer.steering.envoy.runtime_values import RuntimeKeys
from scorer.steering.evidence.gates_of_workload import judges_answers
from scorer.steering.ramp.ramp_policy import RampPolicy, policy_of
from scorer.steering.ramp.states import RampState
from scorer.steering.steering_interfaces import EvidenceKind, StepEvidence


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """The facts about one workload that do not change while a scorer leads.

    ``digest`` identifies the workload's configuration; ``models`` are the names of the models of both sides and of the
    embedder, for the decision log. ``baseline`` and ``candidate`` identify the two sides of the evidence, see
    ``backend_identity``. ``served``: the digest of the configuration that every Envoy should serve. ``weights``: the
    digest of the weights with which the agreement of pairs is computed. ``has_quota``: whether one of its backends has
    a quota.
    """

    name: str
    workload: Workload
    policy: RampPolicy
    digest: str
    names: RuntimeKeys
    baseline: str
    candidate: str
    models: Mapping[str, str]
    served: str
    weights: str
    kind: EvidenceKind
    has_quota: bool = False

    @classmethod
    def of(cls, name: str, config: Config, kind: EvidenceKind) -> WorkloadSpec:
        workload = config.workload(name)
        backends = {"baseline": workload.baseline, "candidate": workload.candidate}
        models = {side: config.backends[backend].model or backend for side, backend in backends.items()}
        models["embedder"] = f"{config.scorer.embedder.engine}:{config.scorer.embedder.model}"
        return cls(
            name=name,
            workload=workload,
            policy=policy_of(
                workload.ramp,
                judged=judges_answers(workload),
                # The share of copies is set at Envoys. A workload with an HTTPRoute has no such setting.
                copied=workload.shadow.sample if workload.actuator is None else 0,
            ),
            digest=_digest(config.digest(name), workload.scoring.calibration),
            names=RuntimeKeys.of(config, name),
            baseline=backend_identity(workload.baseline, config.backends[workload.baseline]),
            candidate=backend_identity(workload.candidate, config.backends[workload.candidate]),
            models=models,
            served=served_digest(config, name),
            weights=workload_weights(workload.scoring.calibration).digest,
            kind=kind,
            has_quota=any(config.backends[backend].quota is not None for backend in backends.values()),
        )

    def fresh_evidence(self, ramp: RampState, now_ms: int, before: StepEvidence | None = None) -> StepEvidence:
        """Return empty evidence for the ramp's share, beginning at ``now_ms``.

        ``before``: the evidence that the new evidence replaces. Only its counts of Envoy's own failures are kept, so
        that a gate can detect whether such failures become more frequent.

        While the share is unknown, the evidence is created for the share of the first step. The candidate is then
        judged by clients' requests. (At 0 %, it is judged by its copies.)
        """
        percent = self.policy.steps[0] if ramp.share_unknown else ramp.percent
        return self.kind.fresh(self.workload, percent, now_ms, before)


def _digest(settings: str, calibration: str | None) -> str:
    """Return the digest of a workload's settings, together with the content of the file that ``calibration`` names."""
    if calibration is None:
        return settings
    text = f"{settings} {workload_weights(calibration).digest}"
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def backend_identity(name: str, backend: Backend) -> str:
    """Return a text that identifies a backend: its name, and a digest of its address and model.

    If the identity changes, earlier evidence no longer applies.
    """
    where = json.dumps([backend.address, backend.model])
    return f"{name} ({hashlib.blake2b(where.encode(), digest_size=4).hexdigest()})"
