"""Renders the retry policy of the fallback: a request that fails at the candidate is retried once, at the baseline.

The policy belongs to the aggregate cluster, so it applies to the candidate's share only. In Envoy 1.36, a cluster
cannot have a retry policy. For this version, the policy has two parts. The retry policy of the route has the settings
that no request header can express, but no condition for a retry. The candidate's entry of the weighted split adds
request headers with the conditions. So the baseline's share is never retried. See ADR 0010 and ADR 0145.
"""

from __future__ import annotations

from glidepath.config.backends import Backend
from glidepath.config.root import Config
from glidepath.outcome_summaries import REFUSALS
from glidepath_ops.envoyconfig.backend_adaptation import keeps_client_credential
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_api_builders import typed
from glidepath_ops.envoyconfig.envoy_versions import CLUSTER_RETRY_POLICY, lacks

RETRY_ON = "5xx,reset,connect-failure,gateway-error,retriable-status-codes"
# Statuses of gRPC calls, like a 5xx, 429 or a time limit. Envoy knows no others, and sees them only if the answer has
# nothing before them. A server that cancels a call has stopped it: if a client cancels, nothing is retried.
RETRY_ON_GRPC = "unavailable,internal,resource-exhausted,deadline-exceeded,cancelled"
BUSY = [429]
REDIRECTS = [301, 302, 303, 307, 308]  # clients must not leave for the candidate's own address
# A rejected credential of the candidate is retried at the baseline (ADR 0094).
DENIED = [401, 403]  # not the client's fault, because the candidate does not get the client's own credential


def policy_of_cluster(config: Config, candidate: Backend) -> Json | None:
    """Return the retry policy of the aggregate cluster, or None if this Envoy version does not support one there."""
    if lacks(config.envoy.version, CLUSTER_RETRY_POLICY):
        return None
    return {
        "retry_on": f"{RETRY_ON},{RETRY_ON_GRPC}",
        "num_retries": 1,
        "retry_priority": _to_the_baseline(),
        "retriable_status_codes": _statuses(candidate),
        "retry_back_off": _at_once(),
    }


def is_on_route(config: Config, workload: str) -> bool:
    """Return whether the route of the workload must have a retry policy for its fallback."""
    return config.workload(workload).fallback and lacks(config.envoy.version, CLUSTER_RETRY_POLICY)


def policy_of_route(config: Config, workload: str) -> Json:
    """Return the entry ``retry_policy`` of the workload's RouteAction, or {} if the fallback needs none there."""
    if not is_on_route(config, workload):
        return {}
    policy = {"num_retries": 1, "retry_priority": _to_the_baseline(), "retry_back_off": _at_once()}
    return {"retry_policy": policy}


def conditions_of_candidate(config: Config, workload: str) -> dict[str, str]:
    """Return the request headers that let Envoy retry the candidate's share.

    Return {} if the retry policy of the cluster already does so.
    """
    if not is_on_route(config, workload):
        return {}
    statuses = _statuses(config.backends[config.workload(workload).candidate])
    return {
        "x-envoy-retry-on": RETRY_ON,
        "x-envoy-retry-grpc-on": RETRY_ON_GRPC,
        "x-envoy-max-retries": "1",
        "x-envoy-retriable-status-codes": ",".join(str(status) for status in statuses),
    }


def _statuses(candidate: Backend) -> list[int]:
    denied = [] if keeps_client_credential(candidate, candidate=True) else DENIED
    return sorted([*REFUSALS, *denied, *BUSY, *REDIRECTS])


def _to_the_baseline() -> Json:
    return typed(
        "envoy.retry_priorities.previous_priorities",
        "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
        update_frequency=1,
    )


def _at_once() -> Json:
    return {"base_interval": "0.001s", "max_interval": "0.001s"}
