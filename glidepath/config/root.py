"""The root of ``glidepath.yaml``."""

from __future__ import annotations

from pydantic import Field

from glidepath import envoy_names
from glidepath.config.backends import Backend
from glidepath.config.connections import EnvoySection, RedisSection
from glidepath.config.console import ConsoleSection
from glidepath.config.decision_digest import decision_digest
from glidepath.config.inventory import InventorySection
from glidepath.config.kubernetes import KubernetesSection
from glidepath.config.notifications import Notification, RegistrySection
from glidepath.config.prices import CostsSection
from glidepath.config.processes import ExtprocSection, ScorerSection
from glidepath.config.redaction import RedactionSection
from glidepath.config.retention import RetentionSection
from glidepath.config.section import Name, Section
from glidepath.config.telemetry import OtelSection
from glidepath.config.workload import Workload
from glidepath.errors import UnknownWorkloadError
from glidepath.name_suggestions import allowed_names


class Config(Section):
    """The whole configuration file. A process reads it once, at its start, and never changes it."""

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
        sides = (self.backends[name] for name in (w.baseline, w.candidate))
        return decision_digest(w, sides, self.scorer.embedder)
