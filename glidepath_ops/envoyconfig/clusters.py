"""Renders Envoy's clusters: one per backend, an aggregate per pair with fallback, two for extproc, one for RTDS.

The aggregate cluster of a pair tries the candidate, then the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from glidepath import envoy_names
from glidepath.config.backends import Backend
from glidepath.config.root import Config
from glidepath.config.workload import Workload
from glidepath.errors import ConfigError
from glidepath.split_leases import serves_rtds
from glidepath_ops.envoyconfig.backend_adaptation import (
    AdaptedBackend,
    SecretNames,
    Without,
    host_of,
    keeps_client_credential,
    upstream_filters,
)
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import (
    HTTP_OPTIONS,
    TYPE,
    assignment,
    is_ip,
    seconds,
    socket_address,
    upstream_codec,
)
from glidepath_ops.envoyconfig.fallback_retries import policy_of_cluster
from glidepath_ops.envoyconfig.grpc_server_clusters import cluster_of_access_log, cluster_of_extproc, cluster_of_scorers
from glidepath_ops.envoyconfig.header_rules import RoutedHeader
from glidepath_ops.envoyconfig.internal_hops import hop_clusters, needs_hop
from glidepath_ops.envoyconfig.outlier_detection import outlier_detection

SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


def clusters(config: Config, routed: Mapping[str, Mapping[str, RoutedHeader]] | None = None) -> list[Json]:
    """Return the clusters that ``config`` adds to an Envoy.

    ``routed``: by aggregate cluster, the effect of the user's routes on headers that the candidate changes
    (``header_rules``). It is needed if the baseline has ``cluster``.

    Raises ConfigError if two of them would have the same name, or if a workload cannot have a fallback.
    """
    secrets = SecretNames.of(config)
    found = [backend_cluster(config, name, secrets) for name in config.backends]
    done: set[str] = set()
    for workload in config.workloads.values():
        name = envoy_names.fallback_cluster(workload.candidate, workload.baseline)
        if workload.fallback and name not in done:
            done.add(name)
            found.append(_fallback(config, workload, (routed or {}).get(name, {})))
    found += [*hop_clusters(config), cluster_of_extproc(config), cluster_of_access_log(config)]
    if serves_rtds(config):
        found.append(cluster_of_scorers(config))
    _refuse_duplicates([cluster["name"] for cluster in found], config)
    return found


def _refuse_duplicates(names: Sequence[str], config: Config) -> None:
    for name in config.backends:
        if names.count(name) > 1:
            raise ConfigError(f"backends.{name}: Envoy has a cluster of this name already; give the backend another")


def backend_cluster(config: Config, name: str, secrets: SecretNames) -> Json:
    """Return the cluster of one backend. The routes decide whether the client's own credentials reach the backend.

    For a backend with ``cluster``, the result is an aggregate cluster that contains the user's cluster. The aggregate
    cluster adapts copies, and the requests of a candidate without fallback. The baseline's share of live requests goes
    directly to the user's cluster.
    """
    backend = config.backends[name]
    alone = is_candidate_alone(config, name)
    side = AdaptedBackend(
        name,
        backend,
        keep=keeps_client_credential(backend, candidate=alone),
        rewritten=_is_behind_a_users_route(config, name),
        serves_the_candidate=alone,
        without=_without(backend, "always" if alone else "refused"),
    )
    adapt = upstream_filters([side], secrets)
    if backend.cluster is not None:
        text = f"{name}: the cluster {backend.cluster}; requests to it are adapted"
        return with_comment(text, {**_aggregate(name, backend, [backend.cluster]), **_http(None, adapt)})
    url = urlsplit(str(backend.url))
    text = f"{name}: {url.scheme}://{url.hostname}{url.path}" + (f", model {backend.model}" if backend.model else "")
    detection, options = outlier_detection(config, name), _http(backend, adapt, limits=_header_limits(config))
    return with_comment(text, {**_endpoints(name, backend), **detection, **options})


def _without(backend: Backend, when: Without) -> Without | None:
    return when if backend.foreign_reasoning == "strip" else None


def is_candidate_alone(config: Config, name: str) -> bool:
    """Return whether the backend is only a candidate without fallback, and neither a baseline nor the default.

    The cluster of such a backend removes the client's credentials from query strings, which a route cannot do.
    """
    workloads = config.workloads.values()
    serves = name == config.envoy.default_backend or any(w.baseline == name for w in workloads)
    return not serves and any(w.candidate == name and not w.fallback for w in workloads)


def _is_behind_a_users_route(config: Config, name: str) -> bool:
    """Return whether a route of the user sends the backend requests.

    It does if the backend is the candidate of a workload without fallback whose baseline is a cluster of the user.
    """
    users = (w for w in config.workloads.values() if config.backends[w.baseline].cluster is not None)
    return any(w.candidate == name and not w.fallback for w in users)


def _fallback(config: Config, workload: Workload, routed: Mapping[str, RoutedHeader]) -> Json:
    """Return the aggregate cluster that sends the first attempt to the candidate and the second to the baseline.

    Envoy does not run the upstream filters of the member clusters, so the aggregate cluster has its own filters. They
    take the backend of an attempt from the metadata of its endpoint, never from the number of the attempt: if the
    candidate has no usable endpoint, the first attempt goes to the baseline.
    """
    candidate, baseline = config.backends[workload.candidate], config.backends[workload.baseline]
    hop = envoy_names.hop(workload.candidate) if needs_hop(config, workload) else None
    sides = [
        AdaptedBackend(
            workload.candidate,
            candidate,
            keeps_client_credential(candidate, candidate=True),
            serves_the_candidate=True,
            without=_without(candidate, "always"),
        ),
        AdaptedBackend(
            workload.baseline,
            baseline,
            keeps_client_credential(baseline, candidate=False),
            restore=baseline.cluster is not None,
            set_by_route=routed,
            without=_without(baseline, "always"),  # this attempt is the last one
        ),
    ]
    if candidate.cluster is not None and hop is None:
        sides.reverse()  # the endpoints of the user's cluster name no backend
    retry = policy_of_cluster(config, candidate)
    members = [hop or candidate.cluster or workload.candidate, baseline.cluster or workload.baseline]
    breakers = _breakers(
        baseline, "Limits concurrent retries. Envoy's default of 3 would turn an outage of the candidate into errors."
    )
    name = envoy_names.fallback_cluster(workload.candidate, workload.baseline)
    return with_comment(
        f"Tries {members[0]}, then {members[1]}. It retries only before the first byte of the answer.",
        {
            **_aggregate(name, candidate, members),
            "circuit_breakers": breakers,
            **_http(None, upstream_filters(sides, SecretNames.of(config), config.envoy.max_body), retry),
        },
    )


def _aggregate(name: str, backend: Backend, members: Sequence[str]) -> Json:
    config = {
        "@type": TYPE + "extensions.clusters.aggregate.v3.ClusterConfig",
        "clusters": list(members),
    }
    return {
        "name": name,
        "connect_timeout": seconds(backend.connect_timeout),
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.aggregate", "typed_config": config},
    }


def _endpoints(name: str, backend: Backend) -> Json:
    url = urlsplit(str(backend.url))
    host = url.hostname or ""
    port = url.port or (443 if url.scheme == "https" else 80)
    metadata = {envoy_names.METADATA: {envoy_names.ENDPOINT_BACKEND: name}}
    cluster: Json = {
        "name": name,
        "type": "STATIC" if is_ip(host) else "STRICT_DNS",
        "connect_timeout": seconds(backend.connect_timeout),
        "load_assignment": assignment(name, [socket_address(host, port)], hostname=host_of(backend), metadata=metadata),
        "circuit_breakers": _breakers(
            backend,
            "Above these limits Envoy answers 503 at once (flag UO, not retried): set them to the backend's capacity.",
        ),
    }
    if not is_ip(host):
        cluster["dns_lookup_family"] = "V4_PREFERRED"
    if url.scheme == "https":
        cluster["transport_socket"] = _tls(backend, host)
    return cluster


def _breakers(backend: Backend, why: str) -> Json:
    threshold = {
        "max_connections": backend.max_connections,
        "max_pending_requests": backend.max_pending,
        "max_requests": backend.max_requests,
        "max_retries": backend.max_requests,
    }
    return with_comment(why, {"thresholds": [threshold]})


def _tls(backend: Backend, host: str) -> Json:
    name = backend.sni or host
    san = {"san_type": "IP_ADDRESS" if is_ip(name) else "DNS", "matcher": {"exact": name}}
    validation = {"trusted_ca": {"filename": backend.ca_file or SYSTEM_CA}, "match_typed_subject_alt_names": [san]}
    common: Json = {"validation_context": validation}
    if backend.client_cert is not None:
        chain, key = backend.client_cert.cert, backend.client_cert.key
        common["tls_certificates"] = [{"certificate_chain": {"filename": chain}, "private_key": {"filename": key}}]
    context: Json = {
        "@type": TYPE + "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": common,
    }
    if not is_ip(name):
        context["sni"] = name
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _header_limits(config: Config) -> Json:
    kib = -(-config.envoy.max_header_bytes // 1024)
    return {"max_headers_count": config.envoy.max_headers, "max_response_headers_kb": kib}


def _http(
    backend: Backend | None, filters: Sequence[Json], retry: Json | None = None, limits: Json | None = None
) -> Json:
    """Return the HTTP options of a cluster.

    ``backend`` is None for an aggregate cluster, whose members have their own protocols.
    """
    options: Json = {"@type": TYPE + HTTP_OPTIONS.removeprefix("envoy.")}
    if limits:
        options["common_http_protocol_options"] = limits
    protocol = backend.protocol if backend is not None else "http1"
    if protocol == "http2":
        options["explicit_http_config"] = {"http2_protocol_options": {}}
    elif protocol == "auto" and backend is not None and str(backend.url).startswith("https:"):
        options["auto_config"] = {"http_protocol_options": {}, "http2_protocol_options": {}}  # chosen by ALPN
    else:
        options["explicit_http_config"] = {"http_protocol_options": {}}
    if filters:
        options["http_filters"] = [*filters, upstream_codec()]
    if retry:
        options["retry_policy"] = retry
    return {"typed_extension_protocol_options": {HTTP_OPTIONS: options}}
