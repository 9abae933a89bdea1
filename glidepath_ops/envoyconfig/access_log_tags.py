"""Renders the custom tags of the access logs, which tell extproc the workload, the chosen cluster and the backend.

Envoy 1.36 has no tag with a format (``CustomTag.value``). For this version, tags read metadata instead: that of the
route and of the endpoint, and dynamic metadata, which a header-to-metadata filter sets. Each entry of the weighted
split gives this filter the name of its cluster. (A tag cannot read it from the metadata of the cluster: for an
aggregate cluster, Envoy gives the metadata of the endpoint's own cluster.) See ADR 0145.
"""

from __future__ import annotations

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath_ops.envoyconfig.backend_adaptation import client_state
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE, typed
from glidepath_ops.envoyconfig.envoy_versions import TAG_VALUE, lacks
from glidepath_ops.envoyconfig.request_reading import reads_any

RECORD = "glidepath.record"
TEE_HEADERS = (envoy_names.HEADER_WORKLOAD, envoy_names.HEADER_TARGET, envoy_names.HEADER_ORIGIN)
_TO_METADATA = "extensions.filters.http.header_to_metadata.v3.Config"


def custom_tags(config: Config, log_name: str) -> list[Json]:
    """Return the custom tags of the access log ``log_name``."""
    if lacks(config.envoy.version, TAG_VALUE):
        return _tags_from_metadata(config, log_name)
    # The entry's upstream_cluster is empty if no host was reached (circuit breaker); this tag is not.
    # %UPSTREAM_CLUSTER% would give the cluster's name for statistics, if it has one.
    endpoint = f"%UPSTREAM_METADATA({envoy_names.METADATA}:{envoy_names.ENDPOINT_BACKEND})%"
    tags: list[Json] = [
        {"tag": envoy_names.CHOSEN_CLUSTER_TAG, "value": "%UPSTREAM_CLUSTER_RAW%"},
        {"tag": envoy_names.BACKEND_TAG, "value": endpoint},
    ]
    served = f"%METADATA(ROUTE:{envoy_names.METADATA}:{envoy_names.ROUTE_SERVED})%"
    tags.append({"tag": envoy_names.SERVED_TAG, "value": served})
    # An older Envoy does not know US_RX_BODY_BEG and writes "-"; then only the time of the headers is known.
    tags.append({"tag": envoy_names.BODY_BEGIN_TAG, "value": "%COMMON_DURATION(DS_RX_BEG:US_RX_BODY_BEG:us)%"})
    if log_name == envoy_names.LIVE_LOG:
        place = f"%METADATA(ROUTE:{envoy_names.METADATA}:{envoy_names.ROUTE_WORKLOAD})%"
        tags.append({"tag": envoy_names.WORKLOAD_TAG, "value": place})
        tags += [_tag(name, "request", name) for name in _noted_by_lua(config)]
        tags += _tags_of_pinned(config)
        if config.inventory is not None:
            tags.append({"tag": envoy_names.CALLER_TAG, "value": f"%FILTER_STATE({envoy_names.CALLER_STATE}:PLAIN)%"})
        # If Envoy has no cluster with the chosen name, it removes no header and can name no cluster.
        tags.append({"tag": envoy_names.CHOSEN_ENTRY_TAG, "value": f"%REQ({envoy_names.HEADER_CHOSEN_ENTRY})%"})
    if log_name == envoy_names.SHADOW_LOG:
        # The headers are removed before the request is sent to the backend, so they come from filter state.
        tags += [{"tag": name, "value": f"%FILTER_STATE({client_state(name)}:PLAIN)%"} for name in TEE_HEADERS]
    return tags


def _noted_by_lua(config: Config) -> list[str]:
    """Return the tags whose values the clusters' Lua filter (backend_adaptation.lua) writes into dynamic metadata."""
    strips = any(backend.foreign_reasoning == "strip" for backend in config.backends.values())
    return [envoy_names.NOT_RENAMED_TAG, envoy_names.REFUSED_TAG, *([envoy_names.STRIPPED_TAG] if strips else [])]


def _tags_of_pinned(config: Config) -> list[Json]:
    """Return the tags for requests that always go to the baseline, without a split: their workload, and the reason."""
    if not reads_any(config):
        return []
    why = {"key": envoy_names.REQUEST_FACTS, "path": [{"key": "why"}]}
    return [
        _tag(envoy_names.PINNED_TAG, "route", envoy_names.ROUTE_PINNED),
        {"tag": envoy_names.PINNED_WHY_TAG, "metadata": {"kind": {"request": {}}, "metadata_key": why}},
        _tag(envoy_names.PINNED_BY_ROUTE_TAG, "route", envoy_names.ROUTE_PINNED_WHY),
    ]


def _tags_from_metadata(config: Config, log_name: str) -> list[Json]:
    tags = [
        _tag(envoy_names.CHOSEN_CLUSTER_TAG, "request", envoy_names.CHOSEN_CLUSTER_TAG),
        _tag(envoy_names.BACKEND_TAG, "host", envoy_names.ENDPOINT_BACKEND),
        _tag(envoy_names.SERVED_TAG, "route", envoy_names.ROUTE_SERVED),
    ]
    if log_name == envoy_names.LIVE_LOG:
        tags.append(_tag(envoy_names.WORKLOAD_TAG, "route", envoy_names.ROUTE_WORKLOAD))
        tags += [_tag(name, "request", name) for name in _noted_by_lua(config)]
        tags += _tags_of_pinned(config)
    if log_name == envoy_names.SHADOW_LOG:
        tags += [_tag(name, "request", name) for name in TEE_HEADERS]
    return tags


def _tag(name: str, kind: str, key: str) -> Json:
    """Return a tag with the value at ``key`` of Glidepath's metadata. ``kind``: request (dynamic), host or route."""
    place = {"key": envoy_names.METADATA, "path": [{"key": key}]}
    return {"tag": name, "metadata": {"kind": {kind: {}}, "metadata_key": place}}


def record_filters(config: Config) -> list[Json]:
    """Return the filters that the tags need in the live listener: one filter for Envoy 1.36, else none."""
    return [_filter([])] if lacks(config.envoy.version, TAG_VALUE) else []


def record_filters_of_copies(config: Config) -> list[Json]:
    """Return the filters that the tags need in the shadow listener. They also record the headers that mark copies."""
    if not lacks(config.envoy.version, TAG_VALUE):
        return []
    return [_filter([{"header": name, "on_header_present": _entry(name)} for name in TEE_HEADERS])]


def _filter(rules: list[Json]) -> Json:
    more = {"request_rules": rules} if rules else {}
    text = "Keeps values that the access log reports to extproc, for the entries of weighted splits that set them."
    return with_comment(text, typed(RECORD, _TO_METADATA, **more))


def record_of_entry(config: Config, cluster: str) -> Json:
    """Return the ``typed_per_filter_config`` with which an entry of a split records its cluster for the access log.

    It is {} for Envoy versions that use ``mark_of_candidate`` instead.
    """
    if not lacks(config.envoy.version, TAG_VALUE):
        return {}
    kept = _entry(envoy_names.CHOSEN_CLUSTER_TAG) | {"value": cluster}
    rule = {"header": ":path", "on_header_present": kept}  # every request has a path
    return {RECORD: {"@type": TYPE + _TO_METADATA, "request_rules": [rule]}}


def mark_of_candidate(config: Config, cluster: str) -> dict[str, str]:
    """Return the request header that marks the candidate's entry of a split for the access log.

    It is {} for Envoy versions that use ``record_of_entry`` instead.
    """
    return {} if lacks(config.envoy.version, TAG_VALUE) else {envoy_names.HEADER_CHOSEN_ENTRY: cluster}


def _entry(key: str) -> Json:
    return {"metadata_namespace": envoy_names.METADATA, "key": key}
