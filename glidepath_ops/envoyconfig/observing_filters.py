"""Renders the filters that observe all traffic for the inventory: the caller, and a sample of inference calls' bodies.

Neither filter changes a request, and no request waits for extproc. A workload's route with its own capture uses that
instead of the sample. See ADR 0360 and ADR 0361.
"""

from __future__ import annotations

import re

from glidepath import envoy_names, runtime_keys
from glidepath.call_classes import INFERENCE_PATHS
from glidepath.config.inventory import InventorySection
from glidepath.config.root import Config
from glidepath.inventory.callers import CallerNames
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE, typed

CALLER = "glidepath.caller"
_LONGEST = 4096  # bytes kept of a header's value: tokens (JWT) are long
_STORE = "extensions.filters.http.set_filter_state.v3.Config"
_HEADER = "type.matcher.v3.HttpRequestHeaderMatchInput"


def caller_headers(config: Config) -> tuple[str, ...]:
    """Return the request headers that identify callers, or none without an inventory."""
    section = config.inventory
    return () if section is None else CallerNames(section.callers, section.fingerprint).sources


def caller_filters(config: Config) -> list[Json]:
    """Return the filter that keeps the client's values of ``caller_headers`` for the access log, if there are any.

    The access log cannot read the headers itself: when an entry is written, the headers have the values for the
    backend.
    """
    headers = caller_headers(config)
    if not headers:
        return []
    values = "\n".join(f"%REQ({name}):{_LONGEST}%" for name in headers)
    state = {
        "object_key": envoy_names.CALLER_STATE,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": values}, "omit_empty_values": True},
    }
    text = (
        "Keeps the headers that tell callers apart, until the access log entry is sent to extproc, which keeps only a "
        "digest of a credential. Filter state never leaves Envoy otherwise."
    )
    store = {"@type": TYPE + _STORE, "on_request_headers": [state]}
    return [with_comment(text, {"name": CALLER, "typed_config": store})]


def observing_matcher(section: InventorySection, ext_proc: Json) -> Json:
    """Return the ``xds_matcher`` that runs ``ext_proc`` for a sample of the inference calls, except WebSocket calls."""
    action = typed(
        "composite-action",
        "extensions.filters.http.composite.v3.ExecuteFilterAction",
        typed_config=ext_proc,
        sample_percent={
            "default_value": {"numerator": round(section.sample * 10_000), "denominator": "MILLION"},
            "runtime_key": runtime_keys.INVENTORY_SAMPLE,
        },
    )
    further = "".join(
        f"|{re.sub(r'[^A-Za-z0-9/_-]', lambda c: chr(92) + c[0], path)}(\\?.*)?" for path in section.paths
    )
    both = [_header(":method", {"exact": "POST"}), _header(":path", _regex(INFERENCE_PATHS + further))]
    matcher = {"predicate": {"and_matcher": {"predicate": both}}, "on_match": {"action": action}}
    return {"matcher_list": {"matchers": [matcher]}}


def _regex(pattern: str) -> Json:
    return {"safe_regex": {"google_re2": {}, "regex": pattern}}


def _header(name: str, test: Json) -> Json:
    return {"single_predicate": {"input": typed(name, _HEADER, header_name=name), "value_match": test}}
