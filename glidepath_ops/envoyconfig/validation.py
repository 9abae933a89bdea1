"""Checks an Envoy bootstrap: its fields, and its weighted splits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from glidepath import runtime_keys
from glidepath.config.yaml_source import not_yaml
from glidepath.errors import InputError, error_text
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_message_parser import StrictParser
from glidepath_ops.envoyconfig.route_metadata import workload_of_route

_UNTYPED = "Can't unpack unregistered type: None"  # envoy-data-plane's message about an Any without a type
MAX_BYTES = 16 * 2**20
_TYPE = re.compile(r"type\.googleapis\.com/((?:envoy|xds|google|udpa)(?:\.[a-z0-9_]+)+)\.([A-Za-z0-9]+)")


def load_envoy_file(path: Path) -> Json:
    """Return an Envoy configuration file (YAML or JSON) as data. Raises InputError if it cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: is too long: {len(raw)} bytes (allowed: {MAX_BYTES})")
    try:
        data = yaml.safe_load(raw)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(not_yaml(path, error)) from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: is not an Envoy bootstrap: must be a mapping such as {{static_resources: …}}")
    return data


def check_strict(bootstrap: Json) -> None:
    """Raise InputError if the bootstrap has a field that is not in Envoy's API, or a typed message without its type.

    These are the rules by which Istio accepts an EnvoyFilter. Envoy alone accepts an empty message without a type. The
    error names the listener or the cluster. The package envoy-data-plane parses the bootstrap, so no Envoy is
    needed.
    """
    from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap  # imported here: it takes 0.7 s
    from envoy_data_plane.envoy.config.cluster.v3 import Cluster
    from envoy_data_plane.envoy.config.listener.v3 import Listener

    resources, checked = bootstrap.get("static_resources"), StrictParser(_import_type)
    for kind, message in (("listeners", Listener), ("clusters", Cluster)):
        entries = resources.get(kind, []) if isinstance(resources, dict) else []
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            name = entry.get("name", index) if isinstance(entry, dict) else index
            _parse(checked, message, entry, f"static_resources.{kind}[{name}]")
    _parse(checked, Bootstrap, _without_listeners_and_clusters(bootstrap), "bootstrap")


def _without_listeners_and_clusters(bootstrap: Json) -> Json:
    resources = bootstrap.get("static_resources")
    if not isinstance(resources, dict):
        return bootstrap
    rest = {k: v for k, v in resources.items() if k not in ("listeners", "clusters") or not isinstance(v, list)}
    return {**bootstrap, "static_resources": rest}


def _parse(parser: StrictParser, message: Any, data: Any, place: str) -> None:
    try:
        parser.parse(message, data)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        reason = error_text(error).strip('"').replace(_UNTYPED, "a typed message has no @type")
        raise InputError(f"{place}: does not match Envoy's API: {reason}") from error


def _import_type(url: str) -> None:
    """Import the module of a message type, because envoy-data-plane can parse only imported types.

    Raises InputError for a type that is not in Envoy's API.
    """
    match = _TYPE.fullmatch(url)
    if match is None:
        raise InputError(f"@type {url!r} is not a type of Envoy's API")
    try:
        module = import_module(f"envoy_data_plane.{match[1]}")
    except ModuleNotFoundError as error:
        raise InputError(f"@type {url!r} is not a type of Envoy's API") from error
    if match[2].lower() not in {name.lower() for name in dir(module)}:  # the package spells RBAC as Rbac
        raise InputError(f"@type {url!r} is not a type of Envoy's API")


def check_splits(bootstrap: Json) -> list[str]:
    """Return the workloads in the bootstrap, after checking the weighted split of each.

    A split must have two clusters, the candidate's first, and weights that add up to 10,000. Raises InputError for any
    other split.
    """
    found: list[str] = []
    for route in _routes(bootstrap):
        weighted = (route.get("route") or {}).get("weighted_clusters")
        workload = workload_of_route(route)
        if workload is None or not isinstance(weighted, dict):
            continue
        _check_split(str(route.get("name") or f"of workload {workload}"), workload, weighted)
        if workload not in found:
            found.append(workload)
    return found


def _check_split(route: str, workload: str, weighted: Json) -> None:
    clusters = weighted.get("clusters") or []
    names = [str(entry.get("name")) for entry in clusters]
    weights = [entry.get("weight", 0) for entry in clusters]
    prefix = runtime_keys.weight_prefix(workload)
    if len(clusters) != 2:
        raise InputError(f"route {route}: must split between two clusters (got {len(clusters)})")
    if (
        any(isinstance(w, bool) or not isinstance(w, int) or w < 0 for w in weights)
        or sum(weights) != runtime_keys.FULL_WEIGHT
    ):
        got = " + ".join(str(w) for w in weights)
        raise InputError(
            f"route {route}: the weights must be basis points with the sum {runtime_keys.FULL_WEIGHT} (got {got})"
        )
    if weighted.get("runtime_key_prefix") != prefix:
        other = weighted.get("runtime_key_prefix")
        raise InputError(f"route {route}: runtime_key_prefix must be {prefix} (got {other})")
    if names[1].endswith(f"-or-{names[0]}"):
        raise InputError(f"route {route}: the candidate must come first ({names[1]} before {names[0]})")


def _routes(value: Any) -> Iterator[Json]:
    """Yield every route of every virtual host, at any depth in ``value``."""
    if isinstance(value, dict):
        for host in value.get("virtual_hosts") or []:
            routes = host.get("routes") if isinstance(host, dict) else None
            yield from (route for route in routes or [] if isinstance(route, dict))
        for key, child in value.items():
            if key != "typed_per_filter_config":  # most of a large configuration, without routes
                yield from _routes(child)
    elif isinstance(value, list):
        for child in value:
            yield from _routes(child)
