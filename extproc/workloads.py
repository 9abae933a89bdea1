"""What extproc must know of each workload, looked up by the names that Envoy uses: routes and clusters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from glidepath import keys
from glidepath.config import Config, Workload
from glidepath.config.backends import Backend
from glidepath.domain import Side
from glidepath.redisio import read_secret


@dataclass(frozen=True, slots=True)
class Lane:
    """One workload. ``clusters``: an Envoy cluster's name → the side it stands for."""

    name: str
    workload: Workload
    clusters: Mapping[str, Side]
    composite: str  # the candidate's cluster with the baseline behind it; "" without fallback
    rescue: str  # the cluster that answers for a failed candidate; "" without fallback
    keyed: frozenset[Side]  # sides that never get the client's own credential: a 401 there is not the client's fault
    digest: str
    sticky_header: str  # in lower case; "" when there is none to read
    sticky_key: bytes

    def backend(self, side: Side) -> str:
        return self.workload.baseline if side is Side.BASELINE else self.workload.candidate

    def side_of_backend(self, backend: str) -> Side | None:
        if backend == self.workload.baseline:
            return Side.BASELINE
        return Side.CANDIDATE if backend == self.workload.candidate else None

    def sticky(self, value: str) -> str:
        """A keyed digest of the sticky value: equal on every extproc of the fleet, the value itself is never kept."""
        if not value:
            return ""
        return hashlib.blake2b(value.encode(errors="replace"), key=self.sticky_key, digest_size=8).hexdigest()


def build_lanes(config: Config) -> dict[str, Lane]:
    """Every workload's lane by its name. Raises ConfigError for a secret that cannot be read."""
    secret = read_secret(config.extproc.sticky_key) if config.extproc.sticky_key else ""
    return {name: _lane(config, name, workload, secret) for name, workload in config.workloads.items()}


def _keyed(backend: Backend, side: Side) -> bool:
    """Without a credential of its own only the baseline is given the client's."""
    if backend.credential is None:
        return side is Side.CANDIDATE
    return not backend.credential.passthrough


def _lane(config: Config, name: str, workload: Workload, secret: str) -> Lane:
    candidate, baseline = workload.candidate, workload.baseline
    composite = keys.fallback_cluster(candidate, baseline) if workload.fallback else ""
    rescue = keys.rescue_cluster(candidate, baseline) if workload.fallback else ""
    sides = {Side.BASELINE: baseline, Side.CANDIDATE: candidate}
    clusters = {baseline: Side.BASELINE, candidate: Side.CANDIDATE}
    if workload.fallback:
        # A rescue is still the candidate's request: it was chosen, and it failed.
        clusters |= {composite: Side.CANDIDATE, rescue: Side.CANDIDATE}
    header = (workload.sticky.header or "").lower() if workload.sticky else ""
    material = f"{name}:{secret or config.digest(name)}".encode()
    return Lane(
        name=name,
        workload=workload,
        clusters=clusters,
        composite=composite,
        rescue=rescue,
        keyed=frozenset(side for side, backend in sides.items() if _keyed(config.backends[backend], side)),
        digest=config.digest(name),
        sticky_header="" if header in keys.CREDENTIAL_HEADERS else header,
        sticky_key=hashlib.blake2b(material, digest_size=32).digest(),
    )
