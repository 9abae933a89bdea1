"""Emulation of Envoy Gateway: the xDS that it generates from HTTPRoutes, and how it applies an EnvoyPatchPolicy.

The shapes follow the expected outputs of its translator's tests (snake case, as in patches). The semantics follow
internal/utils/jsonpatch and internal/xds/translator/jsonpatch. A feature that Glidepath's resources do not use raises
an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from tests.support.meshes.static_bootstrap import Json, Xds

_TYPE = "type.googleapis.com/envoy."
_EXT = _TYPE + "extensions."
_RBAC = "envoy.filters.http.rbac"
_JSON_PATH = re.compile(
    r"\.\.(?P<key>\w+)\[\?\(@\.name ?(?P<op>==|=~) ?'(?P<text>[^']*)'"
    r"(?P<absent> && @\.route\.hash_policy exists false)?\)\](?P<rest>(\.\w+)*)"
)
KINDS = {
    _TYPE + "config.cluster.v3.Cluster": "clusters",
    _TYPE + "config.listener.v3.Listener": "listeners",
    _TYPE + "config.route.v3.RouteConfiguration": "routes",
}


def pointers(document: Any, json_path: str) -> list[str]:
    """Return the JSON pointers of the elements that match ``json_path``, for the forms that Glidepath uses."""
    match = _JSON_PATH.fullmatch(json_path)
    assert match is not None, json_path
    rest = match["rest"].replace(".", "/")

    def fits(element: Any) -> bool:
        name = element.get("name", "") if isinstance(element, dict) else ""
        if match["absent"] and "hash_policy" in element.get("route", {}):
            return False
        return name == match["text"] if match["op"] == "==" else re.search(match["text"], name) is not None

    return [
        f"{where}/{match['key']}/{index}{rest}"
        for where, section in _mappings(document, "")
        if isinstance(section.get(match["key"]), list)
        for index, element in enumerate(section[match["key"]])
        if fits(element) and _there(element, match["rest"])
    ]


def _there(element: Any, rest: str) -> bool:
    for key in rest.split(".")[1:]:
        if not isinstance(element, dict) or key not in element:
            return False
        element = element[key]
    return True


def _mappings(value: Any, where: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield where, value
        for key, one in value.items():
            yield from _mappings(one, f"{where}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _mappings(one, f"{where}/{index}")


def patch(document: Json, op: str, pointer: str, value: Any) -> None:
    """Apply an RFC 6902 ``add`` or ``replace``; missing parents are created (EnsurePathExistsOnAdd)."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    target: Any = document
    for place, part in enumerate(parents):
        if isinstance(target, list):
            target = target[int(part)]
            continue
        following = parents[place + 1] if place + 1 < len(parents) else last
        if part not in target:
            if op != "add":
                raise KeyError(pointer)
            target[part] = [] if following == "-" or following.isdigit() else {}
        target = target[part]
    if isinstance(target, list):
        if op == "add":
            target.insert(len(target) if last == "-" else int(last), deepcopy(value))
        else:
            target[int(last)] = deepcopy(value)
        return
    if op == "replace" and last not in target:
        raise KeyError(pointer)
    target[last] = deepcopy(value)


def apply_policy(xds: Xds, policy: Json) -> None:
    """Apply the policy. Every operation must match and leave the resource valid; Envoy Gateway skips any other."""
    assert policy["spec"]["type"] == "JSONPatch"
    for one in policy["spec"]["jsonPatches"]:
        kind, operation = KINDS[one["type"]], one["operation"]
        assert operation["op"] in ("add", "replace")
        where, path, value = operation.get("jsonPath", ""), operation["path"], operation["value"]
        if not where and not path:
            assert value["name"] == one["name"]
            getattr(xds, kind).append(deepcopy(value))
            continue
        document = xds.named(kind, one["name"])
        found = pointers(document, where) if where else [""]
        assert found, f"nothing at {where}"
        for pointer in found:
            patch(document, operation["op"], pointer + path, value)
        _check_routes(document)


def _check_routes(document: Json) -> None:
    """Check that each oneof has exactly one field. protojson rejects two fields, and validation a missing one."""
    for host in document.get("virtual_hosts", []):
        for route in host["routes"]:
            action = route["route"]
            assert len(action.keys() & {"cluster", "weighted_clusters", "cluster_header"}) == 1, route["name"]


def apply_proxy(xds: Xds, proxy: Json) -> None:
    for one in proxy["spec"]["bootstrap"]["jsonPatches"]:
        patch(xds.bootstrap, one["op"], one["path"], one["value"])


def bootstrap() -> Json:
    """Return the bootstrap of Envoy Gateway's template, with the pod's name as node id and no TLS to its server."""
    return {
        "node": {"id": "envoy-default-eg-5c7-abc", "cluster": "default/eg"},
        "admin": {
            "access_log": [
                {
                    "name": "envoy.access_loggers.file",
                    "typed_config": {"@type": _EXT + "access_loggers.file.v3.FileAccessLog", "path": "/dev/null"},
                }
            ],
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 19000}},
        },
        "layered_runtime": {
            "layers": [
                {
                    "name": "global_config",
                    "static_layer": {
                        "re2.max_program_size.error_level": 4294967295,
                        "re2.max_program_size.warn_level": 1000,
                    },
                }
            ]
        },
        "dynamic_resources": {
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {"clusters": []},
    }


def _generated(route: Json) -> list[Json]:
    """Return the Envoy routes of one HTTPRoute, one per match and host."""
    prefix = f"httproute/{route['metadata']['namespace']}/{route['metadata']['name']}"
    found = []
    for index, rule in enumerate(route["spec"]["rules"]):
        for number, match in enumerate(rule.get("matches", [{}])):
            for host in route["spec"].get("hostnames", ["*"]):
                name = f"{prefix}/rule/{index}/match/{number}/{host.replace('.', '_')}"
                found.append(_generated_route(name, f"{prefix}/rule/{index}", rule, match))
    return found


def _generated_route(name: str, cluster: str, rule: Json, match: Json) -> Json:
    path = match.get("path", {"type": "PathPrefix", "value": "/"})
    key = {"Exact": "path", "PathPrefix": "path_separated_prefix"}[path["type"]]
    action = _destination(cluster, rule["backendRefs"]) | {"upgrade_configs": [{"upgrade_type": "websocket"}]}
    if "timeouts" in rule:
        action["timeout"] = rule["timeouts"]["request"]
    one: Json = {
        "name": name,
        "match": {key: path["value"]} if path["value"] != "/" else {"prefix": "/"},
        "route": action,
        "metadata": {"filter_metadata": {"envoy-gateway": {"resources": [{"kind": "HTTPRoute"}]}}},
        "typed_per_filter_config": {_RBAC: _team_only()},
    }
    for one_filter in rule.get("filters", []):
        _apply_filter(one_filter, one)
    if headers := _header_matches(match):
        one["match"]["headers"] = headers
    return one


def _destination(cluster: str, references: list[Json]) -> Json:
    """Return the destination of a rule: weighted clusters if its backendRef has a filter, else one cluster."""
    (reference,) = references
    if not reference.get("filters"):
        return {"cluster": cluster}
    entry: Json = {"name": f"{cluster}/backend/0", "weight": 1}
    for one in reference["filters"]:
        entry["request_headers_to_remove"] = one["requestHeaderModifier"]["remove"]
    return {"weighted_clusters": {"clusters": [entry]}, "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR"}


def _apply_filter(one: Json, route: Json) -> None:
    if one["type"] == "URLRewrite":
        route["route"]["host_rewrite_literal"] = one["urlRewrite"]["hostname"]
        return
    assert one["type"] == "RequestHeaderModifier"
    changes = one["requestHeaderModifier"]
    route["request_headers_to_remove"] = changes.get("remove", [])
    route["request_headers_to_add"] = [
        {"header": {"key": h["name"], "value": h["value"]}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for h in changes.get("set", [])
    ]


def _header_matches(match: Json) -> list[Json]:
    headers = [{"name": ":method", "string_match": {"exact": match["method"]}}] if "method" in match else []
    for one in match.get("headers", []):
        kind = (
            {"safe_regex": {"regex": one["value"]}} if one["type"] == "RegularExpression" else {"exact": one["value"]}
        )
        headers.append({"name": one["name"], "string_match": kind})
    return headers


def _precedence(route: Json) -> tuple[int, int, int]:
    match = route["match"]
    path = match.get("path") or match.get("path_separated_prefix") or ""
    return ("path" in match, len(path), len(match.get("headers", [])))


def _team_only() -> Json:
    """Return the part that a SecurityPolicy adds to every route: requests need the header x-team."""
    principal = {"header": {"name": "x-team", "present_match": True}}
    rules = {"action": "ALLOW", "policies": {"team": {"permissions": [{"any": True}], "principals": [principal]}}}
    return {"@type": _EXT + "filters.http.rbac.v3.RBACPerRoute", "rbac": {"rules": rules}}


def _manager(http_filters: list[Json], routes: str) -> Json:
    return {
        "@type": _EXT + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "access_log": [
            {
                "name": "envoy.access_loggers.file",
                "typed_config": {"@type": _EXT + "access_loggers.file.v3.FileAccessLog", "path": "/dev/null"},
            }
        ],
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "http_filters": http_filters,
        "merge_slashes": True,
        "normalize_path": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "rds": {
            "config_source": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
            "route_config_name": routes,
        },
        "server_header_transformation": "PASS_THROUGH",
        "stat_prefix": "http-10080",
        "use_remote_address": True,
    }


def of_kind(resources: list[Json], kind: str) -> list[Json]:
    return [one for one in resources if one["kind"] == kind]


def translate(http_routes: list[Json], port: int, backends: Mapping[str, Json], tls_chain: bool = False) -> Xds:
    """Return the xDS of the Gateway's listener ``http``. ``backends``: name of a backendRef → its endpoint."""
    name = "default/eg/http"
    routes = [one for route in http_routes for one in _generated(route)]
    routes.sort(key=_precedence, reverse=True)
    chain = [{"name": _RBAC, "typed_config": {"@type": _EXT + "filters.http.rbac.v3.RBAC"}}]
    router = {"@type": _EXT + "filters.http.router.v3.Router", "suppress_envoy_headers": True}
    chain.append({"name": "envoy.filters.http.router", "typed_config": router})
    manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": _manager(chain, name)}
    filters: Json = (
        {"filter_chains": [{"filters": [manager]}]} if tls_chain else {"default_filter_chain": {"filters": [manager]}}
    )
    listener = {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "per_connection_buffer_limit_bytes": 32768,
        **filters,
    }
    host = {"name": f"{name}/*", "domains": ["*"], "routes": routes}
    table = {"name": name, "ignore_port_in_host_matching": True, "virtual_hosts": [host]}
    endpoints = dict(_endpoints(http_routes, backends))
    return Xds(bootstrap(), [listener], [table], [_eds(cluster) for cluster in endpoints], endpoints)


def _endpoints(http_routes: list[Json], backends: Mapping[str, Json]) -> Iterator[tuple[str, list[Json]]]:
    for route in http_routes:
        for index, rule in enumerate(route["spec"]["rules"]):
            prefix = f"httproute/{route['metadata']['namespace']}/{route['metadata']['name']}/rule/{index}"
            (reference,) = rule["backendRefs"]
            yield f"{prefix}/backend/0" if reference.get("filters") else prefix, [backends[reference["name"]]]


def _eds(name: str) -> Json:
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3"}, "service_name": name},
        "connect_timeout": "10s",
        "lb_policy": "LEAST_REQUEST",
        "per_connection_buffer_limit_bytes": 32768,
    }
