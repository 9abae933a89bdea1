"""The steer loop with its real edges, as the configuration says."""

from __future__ import annotations

from importlib import import_module

from prometheus_client import CollectorRegistry

from glidepath.config import Config
from glidepath.records import Decision
from glidepath.redisio import RedisClient
from scorer.steer.actuator import Actuator, MayWrite
from scorer.steer.admin import AdminActuator
from scorer.steer.capacity import CandidateLoads
from scorer.steer.lease import Lease
from scorer.steer.logfile import log_file
from scorer.steer.loop import SteerLoop
from scorer.steer.metrics import SteerMetrics
from scorer.steer.notify import courier
from scorer.steer.ports import EvidenceKind, Sink
from scorer.steer.probes import RedisMemories, ScheduledProbes
from scorer.steer.registry import registry_courier
from scorer.steer.rtds import RtdsActuator
from scorer.steer.store import RedisStore
from scorer.steer.watch import Watch


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
        if config.envoy.actuator == "rtds":
            admin = AdminActuator(config.envoy.admin, may_write) if config.envoy.admin else None
            return RtdsActuator(config.envoy.rtds_listen, may_write, admin=admin)
        return AdminActuator(config.envoy.admin, may_write)

    metrics = SteerMetrics(registry)
    sinks: list[Sink] = [courier(target, metrics.dropped) for target in config.notify]
    if config.registry is not None:
        sinks.append(registry_courier(config, config.registry, metrics.dropped))
    if config.scorer.log_file is not None:
        sinks.append(log_file(config.scorer.log_file, metrics.dropped, metrics.waiting))

    def announce(decision: Decision) -> None:
        for sink in sinks:
            sink.announce(decision)

    group = config.scorer.group
    lease = Lease(redis, owner, config.scorer.lease, group=group)
    return SteerLoop(
        config,
        RedisStore(redis, cluster=config.redis.cluster, log_retention=config.retention.log, group=group),
        lease,
        actuator,
        kind or evidence_kind(),
        metrics,
        sinks=sinks,
        loads=CandidateLoads(config),
        watch=Watch(redis, lease, config.workloads, metrics),
        beside=ScheduledProbes(config, RedisMemories(redis, config), registry, announce),
    )
