"""Render the Gateway API resources: two HTTPRoutes per workload, and their Backends.

One HTTPRoute is for requests that are captured, and the other for all other requests. Without Glidepath's patches, both
serve only the baseline. Envoy Gateway applies the user's policies on the Gateway (JWT, rate limits) to both, so
requests cannot bypass these policies. The precedence rules of the Gateway API (method before headers, more headers
first) give the HTTPRoute for captured requests precedence over the other one. They give both precedence over the user's
own HTTPRoute for the same path.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from glidepath import envoy_names
from glidepath.config.root import Config, Match, Workload
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_api_builders import is_ip
from glidepath_ops.envoyconfig.mesh.kubernetes_objects import kubernetes_name, kubernetes_object

GATEWAY_VERSION = "gateway.networking.k8s.io/v1"
ENVOY_VERSION = "gateway.envoyproxy.io/v1alpha1"
GATEWAY_GROUP, ENVOY_GROUP = "gateway.networking.k8s.io", "gateway.envoyproxy.io"
# Every request has this header, because Envoy sets it before it selects a route. One more condition gives precedence.
_ANY_REQUEST_ID = {"type": "RegularExpression", "name": "x-request-id", "value": ".+"}


def route_object(workload: str, captured: bool) -> str:
    """Return the name of a workload's HTTPRoute. Raises ConfigError if it is not a valid Kubernetes name."""
    name = f"glidepath-{workload}-captured" if captured else f"glidepath-{workload}"
    return kubernetes_name(name, f"workloads.{workload}")


def generated_route(namespace: str, workload: str, captured: bool) -> str:
    """Return the start of the name that Envoy Gateway gives to the Envoy route of a workload's HTTPRoute.

    The whole name is httproute/NAMESPACE/NAME/rule/0/match/0/HOST.
    """
    return f"httproute/{namespace}/{route_object(workload, captured)}/rule/0/"


def http_routes(config: Config, gateway: str, section: str | None, namespace: str) -> list[Json]:
    """Return two HTTPRoutes for each workload, then the Backends of all HTTPRoutes.

    One of the two HTTPRoutes is for captured requests, the other for all other requests.
    """
    parent: Json = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway}
    if section is not None:
        parent["sectionName"] = section
    found = [
        _http_route(name, workload, parent, namespace, captured=captured)
        for name, workload in config.workloads.items()
        for captured in (True, False)
    ]
    baselines = dict.fromkeys(workload.baseline for workload in config.workloads.values())
    return found + [one for name in baselines for one in _backend(config, name, namespace)]


def _http_route(name: str, workload: Workload, parent: Json, namespace: str, *, captured: bool) -> Json:
    match = _match(workload.match, captured)
    backend = {"group": ENVOY_GROUP, "kind": "Backend", "name": _backend_name(workload.baseline)}
    spec: Json = {
        "parentRefs": [parent],
        "rules": [{"matches": [match], "backendRefs": [backend]}],
    }
    if workload.match.host is not None:
        spec = {"hostnames": [workload.match.host], **spec}
    note = f"Workload {name}: " + (
        "requests that are captured."
        if captured
        else "all other requests. Without the patches both routes serve only the baseline."
    )
    return kubernetes_object("HTTPRoute", GATEWAY_VERSION, route_object(name, captured), namespace, note, spec=spec)


def _match(match: Match, captured: bool) -> Json:
    kind, value = ("Exact", match.path) if match.path is not None else ("PathPrefix", match.path_prefix)
    headers: list[Json] = [
        {"type": "Exact", "name": name.lower(), "value": text} for name, text in match.headers.items()
    ]
    if captured:
        headers.append(_ANY_REQUEST_ID)
    found: Json = {"method": "POST", "path": {"type": kind, "value": value}}
    return {**found, "headers": headers} if headers else found


def _backend_name(backend: str) -> str:
    return kubernetes_name(f"glidepath-{backend}", f"backends.{backend}")


def _backend(config: Config, name: str, namespace: str) -> list[Json]:
    url = urlsplit(config.backends[name].url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    endpoint = {"ip": {"address": host, "port": port}} if is_ip(host) else {"fqdn": {"hostname": host, "port": port}}
    object_name = _backend_name(name)
    note = f"{name}, as used without the patches: no path, model or credential of the backend is set then."
    found = [
        kubernetes_object("Backend", ENVOY_VERSION, object_name, namespace, note, spec={"endpoints": [endpoint]}),
    ]
    if url.scheme == "https":
        spec = {
            "targetRefs": [{"group": ENVOY_GROUP, "kind": "Backend", "name": object_name}],
            "validation": {"wellKnownCACertificates": "System", "hostname": config.backends[name].sni or host},
        }
        note = f"Connections to {name} use TLS, and its certificate is verified."
        found.append(kubernetes_object("BackendTLSPolicy", GATEWAY_VERSION, object_name, namespace, note, spec=spec))
    return found


def captured_routes(config: Config) -> list[tuple[str, bool, str]]:
    """Return, for every HTTPRoute, its workload, whether its requests are captured, and the name of its Envoy route."""
    return [
        (name, captured, envoy_names.route_name(name, captured))
        for name in config.workloads
        for captured in (True, False)
    ]
