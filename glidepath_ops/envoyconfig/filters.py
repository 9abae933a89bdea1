"""Renders the HTTP filters and the access logs of the live listener and of the shadow listener."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from glidepath import envoy_names, runtime_keys
from glidepath.config.backends import Credential
from glidepath.config.root import Config
from glidepath.errors import ConfigError
from glidepath.served_digest import served_digest
from glidepath_ops.envoyconfig.access_log_tags import TEE_HEADERS, custom_tags, record_filters
from glidepath_ops.envoyconfig.backend_adaptation import client_state, credential_headers, secret_state
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE, grpc_service, seconds, set_headers, typed
from glidepath_ops.envoyconfig.envoy_versions import FILE_CONTENT, lacks
from glidepath_ops.envoyconfig.observing_filters import caller_filters, caller_headers, observing_matcher
from glidepath_ops.envoyconfig.request_reading import reading_filters
from glidepath_ops.envoyconfig.sticky_hash_policy import headers_from_bodies

# These names cannot collide with a filter that the user already has; the type is in typed_config.
EXT_PROC = "glidepath.ext_proc"
CAPTURE = "glidepath.capture"
REMEMBER = "glidepath.remember"
CANDIDATE_HEADERS = "glidepath.candidate_headers"
ROUTER = "envoy.filters.http.router"
MANAGER = "envoy.filters.network.http_connection_manager"
MANAGER_TYPE = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
STORE = "extensions.filters.http.set_filter_state.v3.Config"
DEFERRED_CLOSE = 10.0  # seconds that the messages of an ended request wait for extproc (ADR 0560)
LOG_BUFFER = 2**20  # bytes of entries that wait while Envoy connects to extproc, for each worker thread
LOG_FLUSH_S = 0.1  # the longest time in seconds until an outcome is sent to extproc
REQUEST_ATTRIBUTES = ["xds.cluster_name"]
RESPONSE_ATTRIBUTES = ["response.code_details", "upstream.request_attempt_count", "xds.upstream_host_metadata"]
_FORMATTER_SAFE = re.compile(r"[^%():\s\"'\\]+")


def route_filters(config: Config) -> list[Json]:
    """Return the filters that the routes of workloads need in the filter chain, in this order, before the router.

    No filter changes a request by itself: a route or an entry of a weighted split configures it (``filters_of_route``,
    ``headers_of_candidate``). So the behaviour of other routes stays the same. With an inventory, two of the filters
    observe all routes.
    """
    store = with_comment(
        "Stores the client's headers and the backends' credentials, on the routes of workloads that ask for it.",
        typed(REMEMBER, STORE),
    )
    first = [*caller_filters(config), *reading_filters(config), store]
    return [*first, *record_filters(config), *filters_without_memory(_observed(config))]


def observing_filters(config: Config) -> list[Json]:
    """Return the filters that observe all routes for the inventory, in this order, before the router."""
    return [*caller_filters(config), _capture_filter(_observed(config))]


def _observed(config: Config) -> Json:
    return {} if config.inventory is None else observing_matcher(config.inventory, observer(config))


def filters_without_memory(observed: Json | None = None) -> list[Json]:
    """Return the ``route_filters`` that store nothing.

    The shadow listener has them too, although it does not use them. So an Envoy that lacks one also refuses this
    listener.
    ``observed``: the capture for routes that have no capture of their own.
    """
    return [
        with_comment(
            "Marks the candidate's requests for the access log, and sets their time limit for the first byte: Envoy "
            "reads it before it adds a cluster's headers.",
            typed(CANDIDATE_HEADERS, "extensions.filters.http.header_mutation.v3.HeaderMutation"),
        ),
        _capture_filter(observed or {}),
    ]


def _capture_filter(observed: Json) -> Json:
    text = "Runs ext_proc for the sampled share of a workload's requests; for all others it costs nothing."
    if observed:
        text = "Runs ext_proc for the sampled share of a workload's requests, and of all other inference calls."
    composite = typed("composite", "extensions.filters.http.composite.v3.Composite")
    kind = "extensions.common.matching.v3.ExtensionWithMatcher"
    return with_comment(text, typed(CAPTURE, kind, extension_config=composite, xds_matcher=observed))


def filters_of_route(config: Config, workload: str, *, own_ids: bool = False) -> Json:
    """Return the ``typed_per_filter_config`` of a workload's route, which makes the ``route_filters`` act on it.

    ``own_ids``: see ``ext_proc``.
    """
    return {REMEMBER: _store(_stored_values(config, _kept(config))), CAPTURE: _capture(config, workload, own_ids)}


def filters_of_unsplit_route(config: Config, *, as_sent: bool) -> Json:
    """Return the ``typed_per_filter_config`` of a route to one backend, which stores the credentials.

    ``as_sent``: whether Envoy neither reads nor changes the bodies. The backend then gets the model that the client
    sent.
    """
    values = _stored_values(config, [])
    return {REMEMBER: _store([*values, _state(envoy_names.AS_SENT_STATE, "1")] if as_sent else values)}


def _capture(config: Config, workload: str, own_ids: bool) -> Json:
    """Return the sampled capture of a workload's requests: ext_proc for a share that a runtime key sets.

    See ``sample_percent`` of Envoy's ExecuteFilterAction.
    """
    sample = config.workload(workload).shadow.sample
    action = typed(
        "composite-action",
        "extensions.filters.http.composite.v3.ExecuteFilterAction",
        typed_config=ext_proc(config, workload, own_ids=own_ids),
        sample_percent={
            "default_value": {"numerator": round(sample * 10_000), "denominator": "MILLION"},
            "runtime_key": runtime_keys.shadow_key(workload),
        },
    )
    return {
        "@type": TYPE + "extensions.common.matching.v3.ExtensionWithMatcherPerRoute",
        "xds_matcher": {"on_no_match": {"action": action}},
    }


def tee_filter(config: Config) -> Json:
    """Return the shadow listener's filter that stores the backends' credentials and the headers that mark copies.

    The access log reads the stored headers. The client's headers, which a retry would need, are not stored, because the
    shadow listener never retries.
    """
    return with_comment(
        "Stores the backends' credentials for the clusters' Lua filter. Credential files are watched, so a change "
        "needs no restart. Filter state is never logged and never leaves Envoy.",
        {"name": REMEMBER, "typed_config": _store(_stored_values(config, TEE_HEADERS))},
    )


def _store(values: list[Json]) -> Json:
    return {"@type": TYPE + STORE, "on_request_headers": values}


def _stored_values(config: Config, headers: Sequence[str]) -> list[Json]:
    """Return the values to store: the client's ``headers``, and the credentials of all backends.

    ``backend_adaptation.lua`` reads them.
    """
    values = [_state(client_state(name), f"%REQ({name})%") for name in headers]
    for name, backend in config.backends.items():
        credential = backend.credential
        if credential is not None and not credential.passthrough:
            if credential.file is not None and lacks(config.envoy.version, FILE_CONTENT):
                raise ConfigError(
                    f"backends.{name}.credential.file: Envoy {config.envoy.version} (envoy.version) has no "
                    f"{FILE_CONTENT.name}; {FILE_CONTENT.remedy}"
                )
            values.append(_secret(name, credential))
    return values


def _kept(config: Config) -> list[str]:
    """Return the headers of which a cluster's filter needs the value that the client sent.

    These are the headers that the first attempt may change but a second attempt needs unchanged. The path is one of
    them, because a user's route may rewrite it for its own backend.
    """
    if not any(workload.fallback for workload in config.workloads.values()):
        users = any(config.backends[workload.baseline].cluster for workload in config.workloads.values())
        return [":path"] if users else []
    own = (name.lower() for backend in config.backends.values() for name in backend.headers)
    return list(dict.fromkeys((":path", *credential_headers(config), *own)))


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


def ext_proc(config: Config, workload: str, *, own_ids: bool = False) -> Json:
    """Return the filter that copies every message to extproc. Envoy does not wait for it (``observability_mode``).

    The metadata of each stream contain the workload, because the route may have any name, the served digest, and the
    time at which Envoy received the request, which is also in the request's access log entry (ADR 0575). With
    ``own_ids`` they also contain a new id, because several requests may have the same x-request-id (ADR 0143).
    """
    metadata = {
        envoy_names.HEADER_WORKLOAD: workload,
        envoy_names.HEADER_SERVED: served_digest(config, workload),
        envoy_names.HEADER_STARTED: "%START_TIME(%s%9f)%",
    }
    if own_ids:
        metadata[envoy_names.HEADER_REQUEST_ID] = "%UNIQUE_ID%"
    return _copying(config, metadata)


def observer(config: Config) -> Json:
    """Return the filter that copies messages of requests without a workload to extproc, for the inventory."""
    return _copying(config, {})


def _copying(config: Config, metadata: Mapping[str, str]) -> Json:
    return with_comment(
        "Copies bodies to extproc without waiting for it, and only the headers that it reads. Streams that the circuit "
        f"breaker of cluster {envoy_names.EXTPROC_CLUSTER} rejects count as lost coverage in "
        "http.*.ext_proc.failure_mode_allowed.",
        typed(
            EXT_PROC,
            "extensions.filters.http.ext_proc.v3.ExternalProcessor",
            grpc_service=grpc_service(envoy_names.EXTPROC_CLUSTER, metadata),
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
            forward_rules={"allowed_headers": {"patterns": [{"exact": name} for name in _read_headers(config)]}},
        ),
    )


def _read_headers(config: Config) -> list[str]:
    """Return the headers of requests and responses that extproc reads.

    None of them carries a credential. But with an inventory, the headers that identify callers are included.
    """
    read = (*envoy_names.READ_REQUEST_HEADERS, *envoy_names.READ_RESPONSE_HEADERS)
    sticky = (w.sticky.header.lower() for w in config.workloads.values() if w.sticky and w.sticky.header)
    opting_out = (rule.header for w in config.workloads.values() for rule in w.shadow.opt_out)
    hidden = {*envoy_names.CREDENTIAL_HEADERS, *credential_headers(config)}
    found = dict.fromkeys((*read, *sticky, *headers_from_bodies(config), *opting_out))
    safe = [name for name in found if name not in hidden]
    return [*safe, *(name for name in caller_headers(config) if name not in safe)]


def headers_of_candidate(values: Mapping[str, str]) -> Json:
    """Return the ``typed_per_filter_config`` with which the candidate's entry of a split sets request headers."""
    return {CANDIDATE_HEADERS: set_headers(values)} if values else {}


def bounds_of_candidate(timeout: float) -> dict[str, str]:
    """Return the request headers that limit the wait for the first byte of an attempt to ``timeout`` seconds.

    At this limit, Envoy also asks the baseline without giving up the candidate (hedging). The first answer wins.
    """
    return {
        "x-envoy-upstream-rq-per-try-timeout-ms": str(round(timeout * 1000)),
        "x-envoy-hedge-on-per-try-timeout": "true",
    }


def router_filter() -> Json:
    """Return the router filter. It adds no x-envoy-* headers, so that clients get the backend's headers unchanged."""
    return typed(ROUTER, "extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)


def strip_tee_headers(more: Sequence[Json] = ()) -> Json:
    """Return an early header mutation, which runs before routing and removes every header named ``x-glidepath-*``.

    A client could otherwise forge the headers that mark copies. ``more``: mutations that run after this one.
    """
    ours = {"key_matcher": {"prefix": "x-glidepath-", "ignore_case": True}}
    return typed(
        "envoy.http.early_header_mutation.header_mutation",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[{"remove_on_match": ours}, *more],
    )


def access_log(config: Config, log_name: str) -> Json:
    """Return the access log that sends the outcome of every request to extproc in batches.

    Envoy drops entries instead of waiting for extproc.
    """
    common: Json = {
        "log_name": log_name,
        "transport_api_version": "V3",
        "grpc_service": grpc_service(envoy_names.ACCESS_LOG_CLUSTER),
        "buffer_flush_interval": seconds(min(LOG_FLUSH_S, config.extproc.flush)),
        "buffer_size_bytes": LOG_BUFFER,
    }
    common["custom_tags"] = custom_tags(config, log_name)
    return with_comment(
        "Sends the outcome, the latency and the actual upstream cluster of every request.",
        typed(
            "envoy.access_loggers.http_grpc",
            "extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
            common_config=common,
            additional_response_headers_to_log=["content-type", "grpc-status"],  # there if the answer has no message
            additional_response_trailers_to_log=["grpc-status"],
        ),
    )
