"""Renders the split of a workload: the weighted clusters and the time limits."""

from __future__ import annotations

from glidepath import envoy_names, runtime_keys
from glidepath.config.backends import Backend
from glidepath.config.root import Config
from glidepath_ops.envoyconfig.access_log_tags import mark_of_candidate, record_of_entry
from glidepath_ops.envoyconfig.backend_adaptation import credential_headers, host_of, keeps_client_credential
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.direct_responses import instead_of_header
from glidepath_ops.envoyconfig.envoy_api_builders import seconds
from glidepath_ops.envoyconfig.fallback_retries import conditions_of_candidate, policy_of_route
from glidepath_ops.envoyconfig.filters import bounds_of_candidate, headers_of_candidate
from glidepath_ops.envoyconfig.sticky_hash_policy import hash_policy_without_empty_values

ENVOYS_TIMEOUT = 15.0  # seconds for the whole answer if a route sets no timeout


def buffer_limit(config: Config, name: str) -> Json:
    """Return the limit on buffered bodies that a workload's split needs on a user's route, or {}.

    Envoy buffers a body to repeat the request at the baseline, and to replace the model in it.
    """
    workload = config.workload(name)
    candidate, baseline = config.backends[workload.candidate], config.backends[workload.baseline]
    renames = candidate.model is not None or (baseline.cluster is None and baseline.model is not None)
    return {"request_body_buffer_limit": config.envoy.max_body} if workload.fallback or renames else {}


def start_weights(config: Config, name: str) -> dict[str, int]:
    """Return the initial weight of each cluster in basis points. Their sum is ``runtime_keys.FULL_WEIGHT``.

    If an HTTPRoute has the split, ``start`` applies there, and this Envoy sends no client to the candidate.
    """
    workload = config.workload(name)
    points = round(workload.start * 100) if workload.actuator is None else 0
    return {
        config.candidate_cluster(name): points,
        config.baseline_cluster(name): runtime_keys.FULL_WEIGHT - points,
    }


def split_action(config: Config, name: str, timeout: float | None) -> Json:
    workload = config.workload(name)
    action: Json = {"weighted_clusters": weighted_clusters(config, name, timeout)}
    if workload.assignment is not None:
        action["hash_policy"] = [hash_policy_without_empty_values(workload.assignment)]
    limits = timeouts(config.backends[workload.candidate], config.backends[workload.baseline])
    return {**action, **limits, **policy_of_route(config, name)}


# The backend of the endpoint that answered, even after a rescue. An endpoint of a user's own cluster has no such name.
_ANSWERING_BACKEND = f"%UPSTREAM_METADATA({envoy_names.METADATA}:{envoy_names.ENDPOINT_BACKEND})%"


def weighted_clusters(config: Config, name: str, timeout: float | None = None, *, hashes: bool | None = None) -> Json:
    """Return the weighted split of a workload. It is sticky if the route has a hash policy.

    The candidate comes first. Envoy chooses a cluster by the hash of a request, so a growing share moves users only
    from the baseline to the candidate, never back.

    ``timeout``: see ``workload_route``.
    ``hashes``: whether this route keeps users on one side; None: whether the workload does.
    """
    workload = config.workload(name)
    backend, baseline = config.backends[workload.candidate], config.backends[workload.baseline]
    weights = start_weights(config, name)
    candidate_cluster, baseline_cluster = config.candidate_cluster(name), config.baseline_cluster(name)
    entry: Json = {"name": candidate_cluster, "weight": weights[candidate_cluster]}
    headers = mark_of_candidate(config, candidate_cluster)
    removed = list(headers)
    if workload.fallback:  # the cluster's own filters set the host of each attempt
        limit = timeout or backend.first_byte_timeout
        headers |= {**bounds_of_candidate(limit), **conditions_of_candidate(config, name)}
    else:
        entry["host_rewrite_literal"] = host_of(backend)
    if headers:
        entry["typed_per_filter_config"] = headers_of_candidate(headers)
    if not keeps_client_credential(backend, candidate=True):
        removed += credential_headers(config)
    if removed:
        entry["request_headers_to_remove"] = removed
    other: Json = {"name": baseline_cluster, "weight": weights[baseline_cluster]}
    if baseline.cluster is None:
        other["host_rewrite_literal"] = host_of(baseline)
    if config.envoy.served_by:
        for one in (entry, other):
            one["response_headers_to_add"] = [instead_of_header(envoy_names.HEADER_SERVED_BY, _ANSWERING_BACKEND)]
    for one in (entry, other):
        recorded = record_of_entry(config, one["name"])
        if recorded:
            one["typed_per_filter_config"] = {**one.get("typed_per_filter_config", {}), **recorded}
    found: Json = {
        "runtime_key_prefix": runtime_keys.weight_prefix(name),
        "clusters": [
            with_comment("Candidate first, sum 10000: a growing share then moves users only to the candidate.", entry),
            other,
        ],
    }
    if hashes is None:
        hashes = workload.assignment is not None
    return {**found, "use_hash_policy": True} if hashes else found


def with_limit(config: Config, name: str, action: Json, limit: float) -> Json:
    """Return a split's RouteAction with a different limit, in seconds, for the first byte of the candidate's answer."""
    made = weighted_clusters(config, name, limit)
    theirs = action["weighted_clusters"]
    kept = {key: value for key, value in theirs.items() if key != "clusters"}
    return {**action, "weighted_clusters": {**kept, "clusters": made["clusters"]}}


def ends_after(action: Json) -> float:
    """Return the time limit of a user's RouteAction for a whole answer, in seconds; 0: none."""
    timeout = action.get("timeout")
    return ENVOYS_TIMEOUT if timeout is None else float(str(timeout).removesuffix("s"))


def timeouts(*backends: Backend) -> Json:
    """Return the timeouts of a route: no limit on the whole answer, because streams are long, but a limit on silence.

    Silence is a time in which no byte arrives. Its limit is longer than the allowed wait for the first byte.
    """
    waits = (one.idle_timeout for one in backends)
    firsts = (max(one.first_byte_timeout, one.answer_timeout or 0) + 1 for one in backends)
    silence = max(*waits, *firsts)
    return {"timeout": "0s", "idle_timeout": seconds(silence)}


def to_backend(name: str, backend: Backend) -> Json:
    return {"cluster": name, "host_rewrite_literal": host_of(backend), **timeouts(backend)}
