"""Facts about workloads that extproc needs: the side of each Envoy cluster, and the digests of sticky values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from glidepath import envoy_names
from glidepath.call_classes import has_known_answers
from glidepath.config import Config, Workload
from glidepath.config.backends import Backend
from glidepath.eligibility import declares
from glidepath.query_parameters import with_harmless_parameters
from glidepath.redisio import read_secret
from glidepath.sides import Side


@dataclass(frozen=True, slots=True)
class WorkloadInfo:
    """One workload.

    ``settings`` is its configuration. ``clusters`` maps the two clusters of its weighted split to their sides.
    """

    name: str
    settings: Workload
    clusters: Mapping[str, Side]
    fallback: str  # the cluster that tries the candidate, then the baseline; "" without fallback
    baseline_cluster: str
    name_at_endpoint: str  # the candidate's name in the metadata of its endpoints; "" if they name no backend
    # Sides that never receive the client's own credential. A 401 or 403 of such a side is not the client's fault.
    without_client_credential: frozenset[Side]
    digest: str
    sticky_header: str  # in lower case; "" if the workload has none
    sticky_key: bytes
    limited_candidate: Backend | None = None  # the candidate, if it declares that it cannot serve every request
    harmless_parameters: frozenset[str] = frozenset()  # redaction.harmless_parameters, in lower case

    def backend(self, side: Side) -> str:
        return self.settings.baseline if side is Side.BASELINE else self.settings.candidate

    def side_of_backend(self, backend: str) -> Side | None:
        if backend == self.settings.baseline:
            return Side.BASELINE
        return Side.CANDIDATE if backend == self.settings.candidate else None

    def has_known_answers(self, path: str) -> bool:
        """Return whether the answers to requests with this path have the format of a known API."""
        return self.settings.scoring.answer is None and has_known_answers(path)

    def without_secrets(self, path: str) -> str:
        """Return a request's path and query without parameters that could hold a secret."""
        return with_harmless_parameters(path, self.harmless_parameters)

    def sticky(self, value: str) -> str:
        """Return a keyed digest of a sticky value. Pairs store this digest, never the value.

        All extproc processes compute the same digest.
        """
        return _digest(self.sticky_key, value)


def digest_in_removed_workload(config: Config, name: str, value: str) -> str:
    """Return the digest of a sticky value in a workload that has left the configuration.

    Return "" if ``extproc.sticky_key`` is not set, because the digest then depended on the removed configuration.
    Raises ConfigError if the key cannot be read.
    """
    return (
        _digest(_sticky_key(name, read_secret(config.extproc.sticky_key)), value) if config.extproc.sticky_key else ""
    )


def _sticky_key(name: str, material: str) -> bytes:
    return hashlib.blake2b(f"{name}:{material}".encode(), digest_size=32).digest()


def _digest(key: bytes, value: str) -> str:
    return hashlib.blake2b(value.encode(errors="replace"), key=key, digest_size=8).hexdigest() if value else ""


def build_workloads(config: Config) -> dict[str, WorkloadInfo]:
    """Return all configured workloads by name. Raises ConfigError if a secret cannot be read."""
    secret = read_secret(config.extproc.sticky_key) if config.extproc.sticky_key else ""
    return {name: _workload(config, name, workload, secret) for name, workload in config.workloads.items()}


def _lacks_client_credential(backend: Backend, side: Side) -> bool:
    """Return whether Envoy never sends the client's own credential to this backend.

    A backend without a configured credential receives the client's credential only if it is the baseline.
    """
    if backend.credential is None:
        return side is Side.CANDIDATE
    return not backend.credential.passthrough


def _workload(config: Config, name: str, workload: Workload, secret: str) -> WorkloadInfo:
    candidate, baseline, redaction = workload.candidate, workload.baseline, config.redaction
    sides = {Side.BASELINE: baseline, Side.CANDIDATE: candidate}
    split = {config.baseline_cluster(name): Side.BASELINE, config.candidate_cluster(name): Side.CANDIDATE}
    header = workload.declared_sticky.request_header if workload.declared_sticky else ""
    return WorkloadInfo(
        name=name,
        settings=workload,
        clusters=split,
        fallback=config.candidate_cluster(name) if workload.fallback else "",
        baseline_cluster=config.baseline_cluster(name),
        name_at_endpoint=candidate if config.backends[candidate].cluster is None else "",
        without_client_credential=frozenset(
            side for side, backend in sides.items() if _lacks_client_credential(config.backends[backend], side)
        ),
        digest=config.digest(name),
        sticky_header="" if header in (*envoy_names.CREDENTIAL_HEADERS, *redaction.credential_headers) else header,
        sticky_key=_sticky_key(name, secret or config.digest(name)),
        limited_candidate=config.backends[candidate] if declares(config.backends[candidate]) else None,
        harmless_parameters=frozenset(redaction.harmless_parameters),
    )
