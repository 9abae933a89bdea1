"""Clusters: one a backend, a composite for each pair with fallback, and our own servers."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from glidepath import keys
from glidepath.config.backends import Backend
from glidepath.config.root import Config, Workload
from glidepath.errors import ConfigError
from glidepath_ops.envoyconfig.backend_adaptation import (
    Attempt,
    credential_headers,
    keeps_client_credential,
    upstream_filters,
)
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_messages import TYPE, address, assignment, is_ip, seconds, socket_address

SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# See ADR 0073.
_LISTENS = {
    "timeout": "1s",
    "interval": "1s",
    "no_traffic_interval": "1s",
    "unhealthy_threshold": 1,
    "healthy_threshold": 1,
    "tcp_health_check": {},
}
# See ADR 0010.
RETRY_ON = "5xx,reset,connect-failure,gateway-error,retriable-status-codes"
BUSY = [429]
# See ADR 0094.
DENIED = [401, 403]  # no fault of the client's where the client's own credential does not go there


def clusters(config: Config) -> list[Json]:
    credentials = credential_headers(config)
    found = [backend_cluster(config, name, credentials) for name in config.backends]
    done: set[str] = set()
    for workload in config.workloads.values():
        name = keys.fallback_cluster(workload.candidate, workload.baseline)
        if workload.fallback and name not in done:
            done.add(name)
            found += _fallback(config, workload)
    found.append(_extproc(config))
    if config.envoy.actuator == "rtds":
        found.append(_rtds(config))
    _refuse_doubles([cluster["name"] for cluster in found], config)
    return found


def _refuse_doubles(names: Sequence[str], config: Config) -> None:
    for name in config.backends:
        if names.count(name) > 1:
            raise ConfigError(f"backends.{name}: Envoy has a cluster of this name already; give the backend another")


def backend_cluster(config: Config, name: str, credentials: Sequence[str]) -> Json:
    """The backend by itself. Whether a client's own credential headers may come here is the route's to say."""
    backend = config.backends[name]
    turn = Attempt(name, backend, keep=keeps_client_credential(backend, candidate=_is_candidate_alone(config, name)))
    url = urlsplit(backend.url)
    text = f"{name}: {url.scheme}://{url.hostname}{url.path}" + (f", model {backend.model}" if backend.model else "")
    return with_comment(text, {**_endpoints(name, backend), **_http(backend, upstream_filters([turn], credentials))})


def _is_candidate_alone(config: Config, name: str) -> bool:
    """Live requests come here directly, and only as a candidate's: a route cannot clean their query strings."""
    workloads = config.workloads.values()
    serves = name == config.envoy.default_backend or any(w.baseline == name for w in workloads)
    return not serves and any(w.candidate == name and not w.fallback for w in workloads)


def _fallback(config: Config, workload: Workload) -> list[Json]:
    candidate, baseline = config.backends[workload.candidate], config.backends[workload.baseline]
    rescue = keys.rescue_cluster(workload.candidate, workload.baseline)
    turns = [
        Attempt(workload.candidate, candidate, keeps_client_credential(candidate, candidate=True)),
        Attempt(workload.baseline, baseline, keeps_client_credential(baseline, candidate=False)),
    ]
    return [
        with_comment(
            f"{workload.baseline} again, under the name that tells a failover in stats and logs.",
            {**_endpoints(rescue, baseline), **_http(baseline, [])},
        ),
        _composite(workload, upstream_filters(turns, credential_headers(config)), turns, [workload.candidate, rescue]),
    ]


def _composite(workload: Workload, adapt: Sequence[Json], turns: Sequence[Attempt], members: Sequence[str]) -> Json:
    """First try: the candidate; second: the baseline. Filters of the members do not run here, so they stand here."""
    name = keys.fallback_cluster(workload.candidate, workload.baseline)
    candidate = turns[0].backend
    retry = {
        "retry_on": RETRY_ON,
        "num_retries": 1,
        "retriable_status_codes": BUSY if turns[0].keep else DENIED + BUSY,
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"},
    }
    config = {
        "@type": TYPE + "extensions.clusters.composite.v3.ClusterConfig",
        "clusters": [{"name": member} for member in members],
    }
    return with_comment(
        f"Tries {members[0]}, then {members[1]}: before the first byte only; after it an error passes through.",
        {
            "name": name,
            "connect_timeout": seconds(candidate.connect_timeout),
            "lb_policy": "CLUSTER_PROVIDED",
            "cluster_type": {"name": "envoy.clusters.composite", "typed_config": config},
            "circuit_breakers": _breakers(
                turns[1].backend,
                "Retries count here. Envoy's default of 3 at a time would turn a candidate's outage into errors.",
            ),
            **_http(None, adapt, retry),
        },
    )


def _endpoints(name: str, backend: Backend) -> Json:
    url = urlsplit(backend.url)
    host = url.hostname or ""
    port = url.port or (443 if url.scheme == "https" else 80)
    cluster: Json = {
        "name": name,
        "type": "STATIC" if is_ip(host) else "STRICT_DNS",
        "connect_timeout": seconds(backend.connect_timeout),
        "load_assignment": assignment(name, [socket_address(host, port)]),
        "circuit_breakers": _breakers(
            backend, "Past these Envoy answers 503 at once (flag UO, never retried): size them to what it can hold."
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
    context: Json = {
        "@type": TYPE + "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {"validation_context": validation},
    }
    if not is_ip(name):
        context["sni"] = name
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _http(backend: Backend | None, filters: Sequence[Json], retry: Json | None = None) -> Json:
    """``backend``: None for a composite, whose members know their protocols."""
    options: Json = {"@type": TYPE + HTTP_OPTIONS.removeprefix("envoy.")}
    if backend is not None and backend.url.startswith("https:"):
        options["auto_config"] = {"http_protocol_options": {}, "http2_protocol_options": {}}  # by ALPN
    else:
        options["explicit_http_config"] = {"http_protocol_options": {}}
    if filters:
        codec = {
            "name": "envoy.filters.http.upstream_codec",
            "typed_config": {"@type": TYPE + "extensions.filters.http.upstream_codec.v3.UpstreamCodec"},
        }
        options["http_filters"] = [*filters, codec]
    if retry:
        options["retry_policy"] = retry
    return {"typed_extension_protocol_options": {HTTP_OPTIONS: options}}


def _own(name: str, addresses: Sequence[str], max_requests: int, why: str) -> Json:
    """A gRPC server of ours: HTTP/2, endpoints on Unix sockets or TCP."""
    endpoints = [_reachable(address(one)) for one in addresses]
    hosts = [one["socket_address"]["address"] for one in endpoints if "socket_address" in one]
    options = {
        "@type": TYPE + HTTP_OPTIONS.removeprefix("envoy."),
        "explicit_http_config": {
            "http2_protocol_options": {"connection_keepalive": {"interval": "2s", "timeout": "2s"}}
        },
    }
    return {
        "name": name,
        "type": "STATIC" if all(is_ip(host) for host in hosts) else "STRICT_DNS",
        "connect_timeout": "0.25s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": assignment(name, endpoints),
        "circuit_breakers": with_comment(why, {"thresholds": [{"max_requests": max_requests, "max_retries": 3}]}),
        "typed_extension_protocol_options": {HTTP_OPTIONS: options},
    }


def _reachable(where: Json) -> Json:
    """A server that listens everywhere is called on loopback."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    if "socket_address" in where:
        socket = where["socket_address"]
        return socket_address(local.get(socket["address"], socket["address"]), socket["port_value"])
    return where


def _extproc(config: Config) -> Json:
    why = "Bounds what a frozen extproc can cost: streams past this are not captured, and counted."
    section = _own(keys.EXTPROC_CLUSTER, config.extproc.addresses, config.extproc.max_streams, why)
    return with_comment("extproc: copies of bodies, and the access log.", section)


def _rtds(config: Config) -> Json:
    where = config.envoy.rtds_address or config.envoy.rtds_listen
    section = _own(keys.RTDS_CLUSTER, [where], 16, "One stream.")
    if config.envoy.rtds_address is not None:
        section |= {
            "health_checks": [with_comment("Only the scorer that steers listens.", dict(_LISTENS))],
            "close_connections_on_host_health_failure": True,  # a leader whose machine is gone says no goodbye
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},  # one of many is healthy, and that is right
        }
    return with_comment("Weights by RTDS.", section)
