"""The steer loop with its real edges, as the configuration says."""

from __future__ import annotations

from importlib import import_module

from prometheus_client import CollectorRegistry

from glidepath.config import Config
from glidepath.records import Decision
from glidepath.redisio import RedisClient
from scorer.steering.envoy.actuator import Actuator, MayWrite
from scorer.steering.envoy.admin_actuator import AdminActuator
from scorer.steering.envoy.rtds_actuator import RtdsActuator
from scorer.steering.interfaces import EvidenceKind, Sink
from scorer.steering.leader.capacity import CandidateLoads
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.ownership import Watch
from scorer.steering.leader.scheduled_probes import RedisMemories, ScheduledProbes
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.steering_store import RedisStore
from scorer.steering.notify.channels import notification_queue
from scorer.steering.notify.decision_log_file import decision_log_file
from scorer.steering.notify.mlflow import mlflow_queue


def evidence_kind() -> EvidenceKind:
    """The evidence of scorer/steering/evidence."""
    kind: EvidenceKind = import_module("scorer.steering.evidence").Evidence
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
    sinks: list[Sink] = [notification_queue(target, metrics.dropped) for target in config.notify]
    if config.registry is not None:
        sinks.append(mlflow_queue(config, config.registry, metrics.dropped))
    if config.scorer.log_file is not None:
        sinks.append(decision_log_file(config.scorer.log_file, metrics.dropped, metrics.waiting))

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
