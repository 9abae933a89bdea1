"""The steer loop with its real edges, as the configuration says."""

from __future__ import annotations

from importlib import import_module

from prometheus_client import CollectorRegistry

from glidepath.config import Config
from glidepath.redisio import RedisClient
from scorer.steer.actuator import Actuator, MayWrite
from scorer.steer.admin import AdminActuator
from scorer.steer.lease import Lease
from scorer.steer.loop import SteerLoop
from scorer.steer.metrics import SteerMetrics
from scorer.steer.ports import EvidenceKind
from scorer.steer.store import RedisStore


def evidence_kind() -> EvidenceKind:
    """The evidence of scorer/evidence."""
    kind: EvidenceKind = import_module("scorer.evidence").Evidence
    return kind


def steer_loop(
    config: Config,
    redis: RedisClient,
    owner: str,
    registry: CollectorRegistry,
    kind: EvidenceKind | None = None,
) -> SteerLoop:
    def actuator(may_write: MayWrite) -> Actuator:
        return AdminActuator(config.envoy.admin, may_write)

    return SteerLoop(
        config,
        RedisStore(redis, cluster=config.redis.cluster, log_retention=config.retention.log),
        Lease(redis, owner, config.scorer.lease),
        actuator,
        kind or evidence_kind(),
        SteerMetrics(registry),
    )
