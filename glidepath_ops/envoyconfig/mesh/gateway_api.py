"""Gateway API: an HTTPRoute pair a workload. Alone they serve the baseline; the patches make splits of them.

Two routes, since one is captured and one is not. Envoy Gateway makes their Envoy routes, with whatever policies the
user has on the Gateway (JWT, rate limits), so ours never slip past them. What orders the pair, and puts both before the
user's own HTTPRoute of the same path, is the Gateway API's precedence: method before headers, more headers first.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from glidepath import keys
from glidepath.config.root import Config, Match, Workload
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_messages import is_ip
from glidepath_ops.envoyconfig.mesh.kubernetes_objects import kubernetes_name, kubernetes_object

GATEWAY_VERSION = "gateway.networking.k8s.io/v1"
ENVOY_VERSION = "gateway.envoyproxy.io/v1alpha1"
GATEWAY_GROUP, ENVOY_GROUP = "gateway.networking.k8s.io", "gateway.envoyproxy.io"
# Every request has one: Envoy gives it before it looks for a route. Being one condition more, it comes first.
_ALWAYS = {"type": "RegularExpression", "name": "x-request-id", "value": ".+"}


def route_object(workload: str, captured: bool) -> str:
    """The HTTPRoute's name. Raises ConfigError for a workload that Kubernetes cannot name."""
    name = f"glidepath-{workload}-captured" if captured else f"glidepath-{workload}"
    return kubernetes_name(name, f"workloads.{workload}")


def generated_route(namespace: str, workload: str, captured: bool) -> str:
    """How Envoy Gateway's name of that route begins: httproute/NAMESPACE/NAME/rule/0/match/0/HOST."""
    return f"httproute/{namespace}/{route_object(workload, captured)}/rule/0/"


def http_routes(config: Config, gateway: str, section: str | None, namespace: str) -> list[Json]:
    """For each workload the captured route, then the other, then the Backends they name."""
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
        "the share that is captured." if captured else "the rest. Without the patches both serve the baseline alone."
    )
    return kubernetes_object("HTTPRoute", GATEWAY_VERSION, route_object(name, captured), namespace, note, spec=spec)


def _match(match: Match, captured: bool) -> Json:
    kind, value = ("Exact", match.path) if match.path is not None else ("PathPrefix", match.path_prefix)
    headers: list[Json] = [
        {"type": "Exact", "name": name.lower(), "value": text} for name, text in match.headers.items()
    ]
    if captured:
        headers.append(_ALWAYS)
    found: Json = {"method": "POST", "path": {"type": kind, "value": value}}
    return {**found, "headers": headers} if headers else found


def _backend_name(backend: str) -> str:
    return kubernetes_name(f"glidepath-{backend}", f"backends.{backend}")


def _backend(config: Config, name: str, namespace: str) -> list[Json]:
    url = urlsplit(config.backends[name].url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    endpoint = {"ip": {"address": host, "port": port}} if is_ip(host) else {"fqdn": {"hostname": host, "port": port}}
    called = _backend_name(name)
    note = f"{name}, for the time when the patches are off: no path, model or credential of its own is set then."
    found = [
        kubernetes_object("Backend", ENVOY_VERSION, called, namespace, note, spec={"endpoints": [endpoint]}),
    ]
    if url.scheme == "https":
        spec = {
            "targetRefs": [{"group": ENVOY_GROUP, "kind": "Backend", "name": called}],
            "validation": {"wellKnownCACertificates": "System", "hostname": config.backends[name].sni or host},
        }
        note = f"{name} is reached by TLS and verified."
        found.append(kubernetes_object("BackendTLSPolicy", GATEWAY_VERSION, called, namespace, note, spec=spec))
    return found


def captured_routes(config: Config) -> list[tuple[str, bool, str]]:
    """(workload, captured, Envoy route's name) of every HTTPRoute made here."""
    return [
        (name, captured, keys.route_name(name, captured)) for name in config.workloads for captured in (True, False)
    ]
