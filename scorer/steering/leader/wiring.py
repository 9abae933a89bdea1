"""Build the steer loop with Redis, Envoys and notifications, from the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib import import_module

from prometheus_client import CollectorRegistry

from glidepath.config import Config
from glidepath.redisio import RedisClient
from glidepath.split_leases import leased_workloads
from glidepath.status_and_decisions import Decision
from scorer.steering.envoy.actuator import Actuator, MayWrite
from scorer.steering.envoy.admin_actuator import AdminActuator
from scorer.steering.envoy.http_route_actuator import HttpRouteActuator
from scorer.steering.envoy.http_route_weights import steered_rules
from scorer.steering.envoy.joined_actuators import JoinedActuators
from scorer.steering.envoy.rtds_actuator import RtdsActuator
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.rtds_server import RtdsServer
from scorer.steering.leader.capacity import CandidateLoads
from scorer.steering.leader.continue_deliveries import ContinuedDeliveries
from scorer.steering.leader.count_unseen_log_entries import UnseenEntries
from scorer.steering.leader.group_ownership import GroupOwnership
from scorer.steering.leader.history_recorder import HistoryRecorder
from scorer.steering.leader.keep_weighed_pairs import WeighedPairsKeeper
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.outcome_watch import OutcomeWatch
from scorer.steering.leader.received_log_entries import ArrivedEntries
from scorer.steering.leader.redis_store import RedisSteeringStore
from scorer.steering.leader.scheduled_probes import RedisProbeStore, ScheduledProbes
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.notify.channels import notification_queue
from scorer.steering.notify.decision_log_file import decision_log_file
from scorer.steering.notify.delivered_record import DeliveredRecord
from scorer.steering.notify.delivery import DeliveryQueue
from scorer.steering.notify.mlflow import mlflow_queue
from scorer.steering.steering_interfaces import DecisionSink, EvidenceKind


def evidence_kind() -> EvidenceKind:
    """Return the class of scorer/steering/evidence that implements ``EvidenceKind``."""
    kind: EvidenceKind = import_module("scorer.steering.evidence.accumulator").Evidence
    return kind


def make_actuator(config: Config, may_write: MayWrite) -> Actuator:
    """Return the configured actuator: for the Envoys, and for HTTPRoutes if workloads have their weights there."""
    envoys, rules = _envoy_actuator(config, may_write), steered_rules(config)
    if not rules:
        return envoys
    return JoinedActuators(envoys, HttpRouteActuator(config.kubernetes, rules, may_write))


def _envoy_actuator(config: Config, may_write: MayWrite) -> Actuator:
    """Return the actuator that reaches the Envoys through their admin interfaces or by RTDS.

    In both cases, RTDS sends the leases of splits, because only values sent by RTDS can have a time to live.
    """
    envoy, leased = config.envoy, leased_workloads(config)
    leases = LeaseService(config, may_write) if leased else None
    if envoy.actuator == "rtds":
        admin = AdminActuator(envoy.admin, may_write, leased=leased) if envoy.admin else None
        return RtdsActuator(envoy.rtds_listen, may_write, admin=admin, leases=leases)
    server = RtdsServer(envoy.rtds_listen, may_write, [leases]) if leases is not None else None
    return AdminActuator(envoy.admin, may_write, leased=leased, lease_service=leases, server=server)


def decision_sinks(config: Config, metrics: SteerMetrics) -> list[DecisionSink]:
    """Return the configured receivers of decisions. Raises ConfigError if a secret cannot be read."""
    sinks: list[DecisionSink] = [notification_queue(target, metrics.dropped) for target in config.notify]
    if config.registry is not None:
        sinks.append(mlflow_queue(config, config.registry, metrics.dropped))
    if config.scorer.log_file is not None:
        sinks.append(decision_log_file(config.scorer.log_file, metrics.dropped, metrics.waiting))
    return sinks


def continued_deliveries(
    config: Config, redis: RedisClient, sinks: Iterable[DecisionSink], ownership: GroupOwnership
) -> ContinuedDeliveries:
    """Give each notification queue a record in Redis. Return the task that continues former leaders' deliveries."""
    queues = []
    for queue in sinks:
        if isinstance(queue, DeliveryQueue):
            record = DeliveredRecord(redis, queue.destination)
            queue.record = record
            queues.append((queue, record))
    return ContinuedDeliveries(config, redis, queues, lambda: ownership.foreign)


def steer_loop(
    config: Config,
    redis: RedisClient,
    owner: str,
    registry: CollectorRegistry,
    kind: EvidenceKind | None = None,
) -> SteerLoop:
    """Build the steer loop of the scorer that is named ``owner``. In tests, ``kind`` replaces the real evidence."""
    metrics = SteerMetrics(registry)
    sinks = decision_sinks(config, metrics)

    def announce(decision: Decision) -> None:
        for sink in sinks:
            sink.announce(decision)

    group = config.scorer.group
    outcome_watch = OutcomeWatch(config)
    lease = Lease(redis, owner, config.scorer.lease, group=group)
    ownership = GroupOwnership(redis, lease, config.workloads, metrics)
    return SteerLoop(
        config,
        RedisSteeringStore(redis, cluster=config.redis.cluster, log_retention=config.retention.log, group=group),
        lease,
        partial(make_actuator, config),
        kind or evidence_kind(),
        metrics,
        sinks=sinks,
        forecast=CandidateLoads(config),
        ownership=ownership,
        leader_tasks=(
            ScheduledProbes(config, RedisProbeStore(redis, config), registry, announce),
            UnseenEntries(config, redis, registry),
            WeighedPairsKeeper(config, redis, registry),
            ArrivedEntries(redis, outcome_watch),
            continued_deliveries(config, redis, sinks, ownership),
        ),
        outcome_watch=outcome_watch,
        history=HistoryRecorder(redis, registry),
    )
