"""Render the HTTP filters and the access logs of the live listener and of the shadow listener."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from glidepath import envoy_names
from glidepath.config.backends import Credential
from glidepath.config.root import Config
from glidepath.errors import ConfigError
from glidepath_ops.envoyconfig.backend_adaptation import client_state, credential_headers, secret_state
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE, grpc_service, seconds, set_header, typed

# These names cannot collide with a filter that the user already has; the type is in typed_config.
EXT_PROC = "glidepath.ext_proc"
REMEMBER = "glidepath.remember"
HEADER_MUTATION = "glidepath.first_byte_bound"
ROUTER = "envoy.filters.http.router"
MANAGER = "envoy.filters.network.http_connection_manager"
MANAGER_TYPE = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
DEFERRED_CLOSE = 2.0
LOG_FLUSH_S = 0.1  # most seconds until an outcome is sent to extproc
REQUEST_ATTRIBUTES = ["xds.cluster_name", "xds.route_name"]
RESPONSE_ATTRIBUTES = [
    "xds.cluster_name",
    "upstream.address",
    "response.flags",
    "response.code_details",
    "upstream.request_attempt_count",
    "upstream.cx_pool_ready_duration",
]
TEE_HEADERS = (envoy_names.HEADER_WORKLOAD, envoy_names.HEADER_TARGET, envoy_names.HEADER_ORIGIN)
_FORMATTER_SAFE = re.compile(r"[^%():\s\"'\\]+")


def remember_filter(config: Config) -> Json:
    """Return the live listener's filter that stores the client's headers and the backends' credentials.

    ``backend_adaptation.lua`` reads the stored values.
    """
    return _store(config, _headers_for_retries(config))


def tee_filter(config: Config) -> Json:
    """Return the shadow listener's filter that stores the backends' credentials and the headers that mark copies.

    The access log reads the stored headers. Client headers are not stored, because the shadow listener never
    retries.
    """
    return _store(config, [*TEE_HEADERS])


def _store(config: Config, names: list[str]) -> Json:
    values = [_state(client_state(name), f"%REQ({name})%") for name in names]
    for name, backend in config.backends.items():
        credential = backend.credential
        if credential is not None and not credential.passthrough:
            values.append(_secret(name, credential))
    chain = "extensions.filters.http.set_filter_state.v3.Config"
    return with_comment(
        "Stores the client's headers and the backends' credentials for the clusters' Lua filter. Credential files are "
        "watched, so a change needs no restart. Filter state is never logged and never leaves Envoy.",
        typed(REMEMBER, chain, on_request_headers=values),
    )


def _headers_for_retries(config: Config) -> list[str]:
    """Return the headers that the first attempt of a request may change, but that a second attempt needs unchanged."""
    if not any(workload.fallback for workload in config.workloads.values()):
        return []
    own = (name.lower() for backend in config.backends.values() for name in backend.headers)
    return list(dict.fromkeys((*credential_headers(config), *own)))


def _state(key: str, text: str, formatters: list[Json] | None = None) -> Json:
    format_string: Json = {"text_format_source": {"inline_string": text}, "omit_empty_values": True}
    if formatters:
        format_string["formatters"] = formatters
    return {"object_key": key, "factory_key": "envoy.string", "format_string": format_string, "skip_if_empty": True}


def _secret(backend: str, credential: Credential) -> Json:
    if credential.file is None:
        return _state(secret_state(backend), f"%ENVIRONMENT({credential.env})%")
    path = credential.file
    if not _FORMATTER_SAFE.fullmatch(path) or not path.startswith("/"):
        allowed = "an absolute path without spaces, quotes, %, :, ( and )"
        raise ConfigError(
            f"backends.{backend}.credential.file: Envoy cannot read this path (got {path!r}; allowed: {allowed})"
        )
    watched = PurePosixPath(path).parent
    formatter = typed("envoy.formatter.file_content", "extensions.formatter.file_content.v3.FileContent")
    return _state(secret_state(backend), f"%FILE_CONTENT({path}:{watched})%", [formatter])


def ext_proc_filter(config: Config) -> Json:
    """Return the filter that copies every message to extproc. Envoy does not wait for it (``observability_mode``)."""
    hidden = dict.fromkeys((*envoy_names.CREDENTIAL_HEADERS, *credential_headers(config)))
    patterns = [{"exact": name} for name in hidden]
    return with_comment(
        "Copies bodies to extproc without waiting for it. Credentials are not copied. Streams that the circuit "
        f"breaker of cluster {envoy_names.EXTPROC_CLUSTER} rejects count as lost coverage in "
        "http.*.ext_proc.failure_mode_allowed.",
        typed(
            EXT_PROC,
            "extensions.filters.http.ext_proc.v3.ExternalProcessor",
            grpc_service=grpc_service(envoy_names.EXTPROC_CLUSTER),
            observability_mode=True,
            failure_mode_allow=True,
            deferred_close_timeout=seconds(DEFERRED_CLOSE),
            processing_mode={
                "request_header_mode": "SEND",
                "response_header_mode": "SEND",
                "request_body_mode": "STREAMED",
                "response_body_mode": "STREAMED",
                "request_trailer_mode": "SEND",
                "response_trailer_mode": "SEND",
            },
            request_attributes=REQUEST_ATTRIBUTES,
            response_attributes=RESPONSE_ATTRIBUTES,
            forward_rules={"disallowed_headers": {"patterns": patterns}},
        ),
    )


def ext_proc_off() -> Json:
    """Return the ``typed_per_filter_config`` of a route whose requests are not captured."""
    return {EXT_PROC: {"@type": TYPE + "extensions.filters.http.ext_proc.v3.ExtProcPerRoute", "disabled": True}}


def header_mutation_filter() -> Json:
    """Return a header mutation filter.

    The filter sets no header by itself. A route or an entry of a weighted split configures what it sets. Outside a
    mesh, only the candidate's entry does so.
    """
    return with_comment(
        "Sets the candidate's time limit for the first byte: Envoy reads it before it adds a cluster's own headers.",
        typed(HEADER_MUTATION, "extensions.filters.http.header_mutation.v3.HeaderMutation"),
    )


def first_byte_bound(timeout: float) -> Json:
    """Return the ``typed_per_filter_config`` that limits a weighted cluster's wait for the first byte, in seconds."""
    return {HEADER_MUTATION: set_header("x-envoy-upstream-rq-per-try-timeout-ms", str(round(timeout * 1000)))}


def router_filter() -> Json:
    """Return the router filter. It adds no x-envoy-* headers, so answers arrive as the backend sent them."""
    return typed(ROUTER, "extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)


def strip_tee_headers() -> Json:
    """Return an early header mutation, which runs before routing and removes every header named ``x-glidepath-*``.

    A client could otherwise forge the headers that mark copies.
    """
    ours = {"key_matcher": {"prefix": "x-glidepath-", "ignore_case": True}}
    return typed(
        "envoy.http.early_header_mutation.header_mutation",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[{"remove_on_match": ours}],
    )


def access_log(config: Config, log_name: str) -> Json:
    """Return the access log that sends the outcome of every request to extproc in batches.

    Envoy drops entries instead of waiting for extproc.
    """
    common: Json = {
        "log_name": log_name,
        "transport_api_version": "V3",
        "grpc_service": grpc_service(envoy_names.EXTPROC_CLUSTER),
        "buffer_flush_interval": seconds(min(LOG_FLUSH_S, config.extproc.flush)),
    }
    # The entry's upstream_cluster is empty if no host was reached (circuit breaker); this tag is not.
    common["custom_tags"] = [{"tag": envoy_names.CHOSEN_CLUSTER_TAG, "value": "%UPSTREAM_CLUSTER%"}]
    if log_name == envoy_names.SHADOW_LOG:
        # The headers are removed before the request is sent to the backend, so they come from filter state.
        common["custom_tags"] += [
            {"tag": name, "value": f"%FILTER_STATE({client_state(name)}:PLAIN)%"} for name in TEE_HEADERS
        ]
    return with_comment(
        "Sends the outcome, the latency and the actual upstream cluster of every request.",
        typed(
            "envoy.access_loggers.http_grpc",
            "extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
            common_config=common,
            additional_response_headers_to_log=["content-type"],
        ),
    )
