"""Checks how Envoy treats copies that extproc reads too slowly, and how many requests were not captured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from glidepath import envoy_names
from glidepath.config import Config
from glidepath_ops.doctor.facts import RENDER, EnvoyFacts, Finding, fail, ok, warn
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.commented_yaml import without_comments
from glidepath_ops.envoyconfig.envoy_api_builders import HTTP_OPTIONS

MAX_LOST = 0.01  # a share of requests above which a warning is shown
_BUFFER = ("per_connection_buffer_limit_bytes",)
_HTTP2 = ("typed_extension_protocol_options", HTTP_OPTIONS, "explicit_http_config", "http2_protocol_options")
_WINDOW = (*_HTTP2, "initial_stream_window_size")
_FILTERS = ("typed_extension_protocol_options", HTTP_OPTIONS, "http_filters")


def examine_capture(subject: str, config: Config, envoy: EnvoyFacts) -> Iterator[Finding]:
    running = envoy.cluster_config(envoy_names.EXTPROC_CLUSTER)
    if running is None:
        return  # another check reports this
    wanted = next(one for one in without_comments(clusters(config)) if one["name"] == envoy_names.EXTPROC_CLUSTER)
    yield _slow_extproc(subject, wanted, running)
    yield _captured(subject, envoy)


def _slow_extproc(subject: str, wanted: Any, running: Any) -> Finding:
    """Report whether a slow extproc could delay clients or fill Envoy's memory with copies (ADR 0150)."""
    check = "slow extproc"
    if any(_at(running, path) != _at(wanted, path) for path in (_BUFFER, _WINDOW)):
        detail = "the limits of its connection differ from the configuration, so clients may have to wait for extproc"
        return fail(subject, check, detail, RENDER)
    if _lua(running) != _lua(wanted):
        detail = "the filter that limits the bytes of copies in Envoy's memory is missing, or has another configuration"
        return fail(subject, check, detail, RENDER)
    return ok(subject, check, "no client waits for it, and the copies in Envoy's memory are limited")


def _at(section: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        section = section.get(key, {})
    return section


def _lua(cluster: Any) -> str:
    first = (_at(cluster, _FILTERS) or [{}])[0]
    return str(_at(first, ("typed_config", "default_source_code", "inline_string")))


def _captured(subject: str, envoy: EnvoyFacts) -> Finding:
    check = "captured"
    started, lost = (
        sum(value for name, value in envoy.stats.items() if name.endswith(f"ext_proc.{counter}"))
        for counter in ("streams_started", "failure_mode_allowed")
    )
    if not started:
        return ok(subject, check, "no request yet")
    detail = f"{started - lost} of {started} sampled requests since Envoy's start"
    if lost > MAX_LOST * started:
        remedy = "check that extproc runs, and extproc.max_streams: requests that are not captured are not evidence"
        return warn(subject, check, detail, remedy)
    return ok(subject, check, detail)
