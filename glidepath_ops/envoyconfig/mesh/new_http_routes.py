"""Renders the Gateway API resources for a workload without an HTTPRoute of the user: an HTTPRoute, and its Backend.

Even without Glidepath's patches, the HTTPRoute serves the baseline correctly: with the baseline's host and TLS, no
limit on the whole answer, and none of the client's credentials, unless the baseline needs them. Envoy Gateway applies
the user's policies on the Gateway (JWT, rate limits) to it.
"""

from __future__ import annotations

import re
from copy import deepcopy
from urllib.parse import urlsplit

from glidepath import envoy_names
from glidepath.config.request_match import Match
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.backend_adaptation import (
    REQUEST_CREDENTIALS,
    credential_headers,
    host_of,
    keeps_client_credential,
)
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_api_builders import is_ip
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import RouteCopy, copies_of_new_route
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import GeneratedRoutes
from glidepath_ops.envoyconfig.mesh.kubernetes_objects import kubernetes_name, kubernetes_object

GATEWAY_VERSION = "gateway.networking.k8s.io/v1"
ENVOY_VERSION = "gateway.envoyproxy.io/v1alpha1"
_HOSTNAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")  # host names that the Gateway API allows in a rewrite
MAX_REMOVED = 16  # maximum headers that a RequestHeaderModifier may remove: Gateway API, HTTPHeaderFilter
GATEWAY_GROUP, ENVOY_GROUP = "gateway.networking.k8s.io", "gateway.envoyproxy.io"


def generated_routes(config: Config, workload: str, namespace: str) -> list[tuple[GeneratedRoutes, RouteCopy]]:
    """Return the Envoy routes of a workload's new HTTPRoute, one for each of its rules, with the purpose of the rule.

    Raises ConfigError for an invalid Kubernetes name.
    """
    name = _route_name(workload)
    copies = copies_of_new_route(config, workload)
    return [(GeneratedRoutes(namespace, name, index), copy) for index, copy in enumerate(copies)]


def _route_name(workload: str) -> str:
    return kubernetes_name(f"glidepath-{workload}", f"workloads.{workload}")


def new_http_routes(
    config: Config, workloads: list[str], gateway: str, listeners: list[str], namespace: str
) -> list[Json]:
    """Return an HTTPRoute for each of ``workloads``, then the Backends of all of them.

    Raises InputError for a baseline that has no URL.
    """
    parents = [
        {"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway, "sectionName": section} for section in listeners
    ]
    found = [_http_route(config, name, parents, namespace) for name in workloads]
    baselines = dict.fromkeys(config.workloads[name].baseline for name in workloads)
    return found + [one for name in baselines for one in _backend(config, name, namespace)]


def _http_route(config: Config, name: str, parents: list[Json], namespace: str) -> Json:
    workload = config.workloads[name]
    baseline = config.backends[workload.baseline]
    removed = [envoy_names.HEADER_BACKEND]
    if not keeps_client_credential(baseline, candidate=False):
        known = frozenset(REQUEST_CREDENTIALS)
        named = [header for header in credential_headers(config) if header not in known]
        removed = [*removed, *named, *REQUEST_CREDENTIALS][:MAX_REMOVED]  # the configured ones first
    backend = {
        "group": ENVOY_GROUP,
        "kind": "Backend",
        "name": _backend_name(workload.baseline),
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": removed}}],
    }
    rule: Json = {"matches": [_match(workload.match)], "timeouts": {"request": "0s"}, "backendRefs": [backend]}
    host = host_of(baseline).partition(":")[0]
    if _HOSTNAME.fullmatch(host) and not is_ip(host):  # Envoy Gateway refuses the HTTPRoute for an address
        rule["filters"] = [{"type": "URLRewrite", "urlRewrite": {"hostname": host}}]
    rules = [deepcopy(rule) for _ in copies_of_new_route(config, name)]
    spec: Json = {"parentRefs": parents, "rules": rules}
    if workload.match.host is not None:
        spec = {"hostnames": [workload.match.host], **spec}
    note = (
        f"Workload {name}, which had no HTTPRoute. Without the patches, each rule serves the baseline. The "
        "filter of the backendRef makes Envoy Gateway generate weighted clusters, which the patches complete."
    )
    if len(rules) > 1:
        note += " The rules are equal. The patches turn them into the split, the reading of requests, and the rest."
    return kubernetes_object("HTTPRoute", GATEWAY_VERSION, _route_name(name), namespace, note, spec=spec)


def _match(match: Match) -> Json:
    kind, value = ("Exact", match.path) if match.path is not None else ("PathPrefix", match.path_prefix)
    headers = [{"type": "Exact", "name": name.lower(), "value": text} for name, text in match.headers.items()]
    found: Json = {"method": "POST", "path": {"type": kind, "value": value}}
    return {**found, "headers": headers} if headers else found


def _backend_name(backend: str) -> str:
    return kubernetes_name(f"glidepath-{backend}", f"backends.{backend}")


def _backend(config: Config, name: str, namespace: str) -> list[Json]:
    backend = config.backends[name]
    if backend.url is None:
        raise InputError(f"--new-route: backends.{name} needs a url, because no route of yours serves the baseline")
    url = urlsplit(backend.url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    endpoint = {"ip": {"address": host, "port": port}} if is_ip(host) else {"fqdn": {"hostname": host, "port": port}}
    object_name = _backend_name(name)
    note = f"{name}, as used without the patches: without the backend's path, model and credential."
    found = [
        kubernetes_object("Backend", ENVOY_VERSION, object_name, namespace, note, spec={"endpoints": [endpoint]}),
    ]
    if url.scheme == "https":
        spec = {
            "targetRefs": [{"group": ENVOY_GROUP, "kind": "Backend", "name": object_name}],
            "validation": {"wellKnownCACertificates": "System", "hostname": backend.sni or host},
        }
        note = f"Connections to {name} use TLS, and its certificate is verified."
        found.append(kubernetes_object("BackendTLSPolicy", GATEWAY_VERSION, object_name, namespace, note, spec=spec))
    return found
