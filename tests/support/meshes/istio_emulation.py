"""Emulation of Istio: the configuration that istiod pushes, and the changes that it makes for an EnvoyFilter.

The form of the configuration follows Istio's public documentation and its bootstrap template. Extensions that only
Istio's own proxy has (istio.alpn, istio.metadata_exchange, istio.stats) are left out, because stock Envoy cannot load
them.

The semantics follow pilot/pkg/networking/core/envoyfilter. A feature that Glidepath's resources do not use raises an
error.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from tests.support.meshes.static_bootstrap import Json, Xds

HCM = "envoy.filters.network.http_connection_manager"
_TYPE = "type.googleapis.com/envoy.extensions."


def merge(into: Json, value: Json) -> None:
    """Merge JSON as proto.Merge does: messages are merged, repeated fields appended, scalars replaced."""
    for key, one in value.items():
        if isinstance(one, dict) and isinstance(into.get(key), dict):
            merge(into[key], one)
        elif isinstance(one, list) and isinstance(into.get(key), list):
            into[key] += deepcopy(one)
        else:
            into[key] = deepcopy(one)


def apply(xds: Xds, context: str, resources: list[Json], labels: dict[str, str]) -> None:
    """Apply every EnvoyFilter that selects a pod with these labels, in order."""
    for resource in resources:
        assert (resource["apiVersion"], resource["kind"]) == ("networking.istio.io/v1alpha3", "EnvoyFilter")
        spec = resource["spec"]
        if spec["workloadSelector"]["labels"].items() <= labels.items():
            for patch in spec["configPatches"]:
                if patch["match"]["context"] in (context, "ANY"):
                    _apply_one(xds, patch)


def _apply_one(xds: Xds, patch: Json) -> None:
    kind, operation, value = patch["applyTo"], patch["patch"]["operation"], deepcopy(patch["patch"]["value"])
    match (kind, operation):
        case ("CLUSTER", "ADD"):
            xds.clusters.append(value)
        case ("LISTENER", "ADD"):
            xds.listeners.append(value)
        case ("BOOTSTRAP", "MERGE"):
            merge(xds.bootstrap, value)
        case ("NETWORK_FILTER", "MERGE"):
            for one in _network_filters(xds, patch["match"]):
                assert one["typed_config"]["@type"] == value["typed_config"]["@type"]
                merge(one["typed_config"], value["typed_config"])
        case ("HTTP_FILTER", "INSERT_BEFORE"):
            for one in _network_filters(xds, patch["match"]):
                _insert_before(one["typed_config"]["http_filters"], patch["match"], value)
        case ("HTTP_ROUTE", "MERGE"):
            for route in _routes_named(xds, patch["match"]["routeConfiguration"]["vhost"]["route"]["name"]):
                if "weighted_clusters" in value.get("route", {}):
                    del route["route"]["cluster"]  # both are in one oneof
                merge(route, value)
        case _:
            raise NotImplementedError(f"{operation} of a {kind}")


def _network_filters(xds: Xds, match: Json) -> Iterator[Json]:
    wanted = match["listener"]
    for listener in xds.listeners:
        if _is_from_glidepath(listener):
            continue
        port = listener["address"]["socket_address"]["port_value"]
        if wanted.get("portNumber", port) != port:
            continue
        for chain in listener.get("filter_chains", []):
            for one in chain["filters"]:
                if one["name"] == wanted["filterChain"]["filter"]["name"]:
                    yield one


def _is_from_glidepath(listener: Json) -> bool:
    """Return whether the listener is Glidepath's. Such a listener is added after the other listeners were patched."""
    return str(listener["name"]).startswith("glidepath")


def _insert_before(chain: list[Json], match: Json, value: Json) -> None:
    name = match["listener"]["filterChain"]["filter"]["subFilter"]["name"]
    for place, one in enumerate(chain):
        if one["name"] == name:
            chain.insert(place, deepcopy(value))
            return


def _routes_named(xds: Xds, name: str) -> Iterator[Json]:
    for table in xds.routes:
        for host in table["virtual_hosts"]:
            for route in host["routes"]:
                if route["name"] == name:
                    yield route


def apply_virtual_services(xds: Xds, services: list[Json], labels: dict[str, str]) -> None:
    """Give each virtual host the routes of the VirtualService with the same host, as ``TranslateRoute`` does."""
    for service in services:
        for table in xds.routes:
            for host in table["virtual_hosts"]:
                if set(service["spec"]["hosts"]) & set(host["domains"]):
                    host["routes"] = list(_translated(service, labels))


def _translated(service: Json, labels: dict[str, str]) -> Iterator[Json]:
    for entry in service["spec"]["http"]:
        for condition in entry.get("match", [{}]):
            if condition.get("sourceLabels", {}).items() <= labels.items():
                yield _translated_route(entry, condition)


def _translated_route(entry: Json, condition: Json) -> Json:
    (destination,) = entry["route"]
    where = destination["destination"]
    port = where.get("port", {}).get("number", 8000)
    found = _route(f"outbound|{port}|{where.get('subset', '')}|{where['host']}", **_match(condition))
    found["name"] = entry["name"]
    found["metadata"] = {"filter_metadata": {"istio": {"config": "/virtual-service"}}}
    if "timeout" in entry:
        found["route"]["timeout"] = entry["timeout"]
    for direction, added in (("request", "request_headers_to_add"), ("response", "response_headers_to_add")):
        rules = entry.get("headers", {}).get(direction, {}).get("set", {})
        if rules:
            found[added] = [
                {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
                for key, value in rules.items()
            ]
    if "corsPolicy" in entry:
        policy = entry["corsPolicy"]
        found["typed_per_filter_config"] = {
            "envoy.filters.http.cors": {
                "@type": _TYPE + "filters.http.cors.v3.CorsPolicy",
                "allow_origin_string_match": policy["allowOrigins"],
                "allow_methods": ",".join(policy["allowMethods"]),
            }
        }
    return found


def _match(condition: Json) -> Json:
    uri = condition.get("uri", {"prefix": "/"})
    found: Json = {"path": uri["exact"]} if "exact" in uri else {"prefix": uri["prefix"]}
    headers = {":method": condition["method"]} if "method" in condition else {}
    headers |= condition.get("headers", {})
    if headers:
        found["headers"] = [{"name": name, "string_match": one} for name, one in headers.items()]
    return found


def bootstrap() -> Json:
    """Return Istio's rendered bootstrap without stats tags and XDS connection details.

    Source: tools/packaging/common/envoy_bootstrap.json.
    """
    return {
        "node": {
            "id": "router~10.0.0.7~istio-ingressgateway-5f7.istio-system~istio-system.svc.cluster.local",
            "cluster": "istio-ingressgateway.istio-system",
            "metadata": {"ISTIO_VERSION": "1.30.0", "LABELS": {"istio": "ingressgateway"}},
        },
        "layered_runtime": {
            "layers": [
                {
                    "name": "global config",
                    "static_layer": {
                        "overload.global_downstream_max_connections": "2147483647",
                        "re2.max_program_size.error_level": "32768",
                    },
                },
                {"name": "admin", "admin_layer": {}},
            ]
        },
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {
                    "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
                    "type_url": _TYPE + "bootstrap.internal_listener.v3.InternalListener",
                    "value": {"buffer_size_kb": 64},
                },
            }
        ],
        "admin": {
            "profile_path": "/var/lib/istio/data/envoy.prof",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 15000}},
        },
        "dynamic_resources": {
            "lds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
            "cds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "prometheus_stats",
                    "type": "STATIC",
                    "connect_timeout": "0.250s",
                    "lb_policy": "ROUND_ROBIN",
                    "load_assignment": {
                        "cluster_name": "prometheus_stats",
                        "endpoints": [{"lb_endpoints": [_socket("127.0.0.1", 15000)]}],
                    },
                }
            ]
        },
    }


def _socket(host: str, port: int) -> Json:
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}


def _manager(stats: str, routes: str, gateway: bool) -> Json:
    found: Json = {
        "@type": _TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": stats,
        "rds": {
            "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
            "route_config_name": routes,
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.grpc_stats",
                "typed_config": {
                    "@type": _TYPE + "filters.http.grpc_stats.v3.FilterConfig",
                    "emit_filter_state": True,
                    "stats_for_all_methods": False,
                },
            },
            {"name": "envoy.filters.http.fault", "typed_config": {"@type": _TYPE + "filters.http.fault.v3.HTTPFault"}},
            {"name": "envoy.filters.http.cors", "typed_config": {"@type": _TYPE + "filters.http.cors.v3.Cors"}},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": _TYPE + "filters.http.router.v3.Router"}},
        ],
        "access_log": [
            {
                "name": "envoy.access_loggers.file",
                "typed_config": {"@type": _TYPE + "access_loggers.file.v3.FileAccessLog", "path": "/dev/null"},
            }
        ],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "0s",
        "normalize_path": True,
        "request_id_extension": {
            "typed_config": {
                "@type": _TYPE + "request_id.uuid.v3.UuidRequestIdConfig",
                "use_request_id_for_trace_sampling": True,
            }
        },
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
    }
    if gateway:
        found |= {
            "use_remote_address": True,
            "forward_client_cert_details": "SANITIZE_SET",
            "server_name": "istio-envoy",
        }
    else:
        found |= {"use_remote_address": False}
    return found


def _listener(name: str, port: int, manager: Json) -> Json:
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "traffic_direction": "OUTBOUND",
        "filter_chains": [{"filters": [{"name": HCM, "typed_config": manager}]}],
    }


def _route(cluster: str, **match: Any) -> Json:
    return {
        "name": "default",
        "match": match or {"prefix": "/"},
        "route": {
            "cluster": cluster,
            "timeout": "0s",
            "retry_policy": {
                "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
                "num_retries": 2,
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": {"@type": _TYPE + "retry.host.previous_hosts.v3.PreviousHostsPredicate"},
                    }
                ],
                "host_selection_retry_max_attempts": "5",
                "retriable_status_codes": [503],
            },
            "max_grpc_timeout": "0s",
        },
        "decorator": {"operation": f"{cluster}:80/*"},
    }


def _eds(name: str) -> Json:
    source = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": source, "service_name": name},
        "connect_timeout": "10s",
        "circuit_breakers": {
            "thresholds": [{"max_connections": 4294967295, "max_requests": 4294967295, "track_remaining": True}]
        },
    }


APP = "outbound|80||app.default.svc.cluster.local"


def gateway(port: int, users: dict[str, Json]) -> Xds:
    """Return the xDS of an ingress gateway with two hosts. ``users``: cluster of the user → its endpoint."""
    host = {
        "name": "*:80",
        "domains": ["*"],
        "routes": [_route(APP, prefix="/")],
        "include_request_attempt_count": True,
    }
    other = {"name": "shop.example.com:80", "domains": ["shop.example.com"], "routes": [_route(APP, prefix="/")]}
    return Xds(
        bootstrap(),
        [_listener("0.0.0.0_8080", port, _manager("outbound_0.0.0.0_8080", "http.8080", gateway=True))],
        [{"name": "http.8080", "virtual_hosts": [host, other], "validate_clusters": False}],
        [_eds(name) for name in users],
        {name: [one] for name, one in users.items()},
    )


def sidecar(port: int, users: dict[str, Json]) -> Xds:
    """Return the xDS of an application's sidecar, with services on port 8000. All other traffic is passed through."""
    model = next(name for name in users if name != APP)
    hosts = [
        {
            "name": f"{name}.models.svc.cluster.local:8000",
            "domains": [f"{name}.models.svc.cluster.local", f"{name}.models", name],
            "routes": [_route(cluster, prefix="/")],
            "include_request_attempt_count": True,
        }
        for name, cluster in (("llm", model), ("other", APP))
    ]
    allow_any = {
        "name": "allow_any",
        "domains": ["*"],
        "routes": [{"name": "allow_any", "match": {"prefix": "/"}, "route": {"cluster": "PassthroughCluster"}}],
    }
    passthrough = {"name": "PassthroughCluster", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"}
    found = bootstrap()
    found["node"]["id"] = "sidecar~10.0.0.8~assistant-7d9.apps~apps.svc.cluster.local"
    return Xds(
        found,
        [_listener("0.0.0.0_8000", port, _manager("outbound_0.0.0.0_8000", "8000", gateway=False))],
        [{"name": "8000", "virtual_hosts": [*hosts, allow_any], "validate_clusters": False}],
        [*(_eds(name) for name in users), passthrough],
        {name: [one] for name, one in users.items()},
    )
