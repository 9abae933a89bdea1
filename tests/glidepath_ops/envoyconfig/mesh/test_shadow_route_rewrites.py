"""Copies to the baseline get the same changes as the requests on the user's VirtualService or HTTPRoute."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath_ops.envoyconfig.bootstrap import shadow_listener
from glidepath_ops.envoyconfig.commented_yaml import without_comments
from glidepath_ops.envoyconfig.mesh.continued_http_routes import complete_http_routes
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import complete_virtual_services
from glidepath_ops.envoyconfig.mesh.envoy_gateway import GatewayRoutes, GatewayTarget, gateway_resources
from glidepath_ops.envoyconfig.mesh.istio import IstioTarget, istio_resources

HOST = "llm.models.svc.cluster.local"
OUTBOUND, GENERATED = f"outbound|8000||{HOST}", "httproute/apps/vs/rule/1/backend/0"
OVERWRITE, APPEND = "OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD"


def config(cluster: str, match: dict[str, Any] | None = None, fallback: bool = True) -> Config:
    workload = {"match": match or {"path": "/v1/chat"}, "baseline": "cloud", "candidate": "onprem"}
    backends = {"cloud": {"cluster": cluster, "host": HOST}, "onprem": {"url": "http://127.0.0.1:9"}}
    return parse_config(
        yaml.safe_dump({"backends": backends, "workloads": {"chat": {**workload, "fallback": fallback}}})
    )


def istio(entry: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    """Return the shadow listener's routes to the baseline in Istio's EnvoyFilter, for the user's HTTP route."""
    route = {"destination": {"host": HOST, "port": {"number": 8000}}, **entry.pop("destination", {})}
    spec = {"hosts": ["*"], "http": [{"route": [route], **entry}]}
    text = yaml.safe_dump({"kind": "VirtualService", "metadata": {"name": "vs", "namespace": "apps"}, "spec": spec})
    used = config(OUTBOUND, **settings)
    routes = complete_virtual_services(text, used, "vs.yaml")
    (envoy_filter,) = without_comments(istio_resources(used, IstioTarget(), routes))
    (listener,) = [
        one["patch"]["value"] for one in envoy_filter["spec"]["configPatches"] if one["applyTo"] == "LISTENER"
    ]
    return to_baseline(listener)


def envoy_gateway(rule: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    """Return the shadow listener's routes to the baseline in the EnvoyPatchPolicy, for the user's rule."""
    spec = {"rules": [{"backendRefs": [{"name": "llm", "port": 8000}], "timeouts": {"request": "0s"}, **rule}]}
    text = yaml.safe_dump({"kind": "HTTPRoute", "metadata": {"name": "vs", "namespace": "apps"}, "spec": spec})
    used = config(GENERATED, **settings)
    continued = complete_http_routes(text, used, "route.yaml", "apps", {}).continued
    found = without_comments(gateway_resources(used, GatewayTarget(), GatewayRoutes(continued)))
    (policy,) = [one for one in found if one["kind"] == "EnvoyPatchPolicy"]
    patches = policy["spec"]["jsonPatches"]
    (listener,) = [one["operation"]["value"] for one in patches if one["name"] == "glidepath-shadow"]
    return to_baseline(listener)


def to_baseline(listener: dict[str, Any]) -> list[dict[str, Any]]:
    (network_filter,) = listener["filter_chains"][0]["filters"]
    (host,) = network_filter["typed_config"]["route_config"]["virtual_hosts"]
    return [one for one in host["routes"] if one["name"] == "glidepath/chat/shadow/cloud"]


def added(route: dict[str, Any]) -> list[tuple[str, str, str]]:
    rules = route["request_headers_to_add"]
    return [(one["header"]["key"], one["header"]["value"], one["append_action"]) for one in rules]


def path_after(route: dict[str, Any], path: str) -> str:
    """Return the path, without its query, that Envoy sends if ``route`` matches and rewrites ``path``."""
    match, action = route["match"], route["route"]
    if "prefix_rewrite" in action:
        matched = match.get("path") or match.get("path_separated_prefix") or match["prefix"]
        return str(action["prefix_rewrite"]) + path[len(matched) :]
    rule = action["regex_rewrite"]
    return re.sub(rule["pattern"]["regex"], rule["substitution"], path)


def test_copies_have_the_rewrite_and_the_header_rules_of_a_virtual_services_route() -> None:
    headers = {"request": {"set": {"authorization": "Bearer a"}, "add": {"x-team": "b"}, "remove": ["cookie"]}}
    destination = {"headers": {"request": {"set": {"x-side": "c"}}}}
    rewrite = {"uri": "/api/", "authority": "models.example.com"}
    match = [{"uri": {"prefix": "/v1/"}, "headers": {"x-kind": {"exact": "y"}}}]
    first, rest = istio({"match": match, "rewrite": rewrite, "headers": headers, "destination": destination})
    assert first["match"]["path"] == "/v1/chat"
    assert {one["name"] for one in first["match"]["headers"]} == {
        ":path",
        "x-glidepath-workload",
        "x-glidepath-target",
    }
    assert path_after(first, "/v1/chat") == "/api/chat"
    assert (first["route"]["cluster"], first["route"]["host_rewrite_literal"]) == ("cloud", "models.example.com")
    assert "cookie" in first["request_headers_to_remove"]
    assert "x-glidepath-target" in first["request_headers_to_remove"]
    assert added(first) == [
        ("authorization", "Bearer a", OVERWRITE),
        ("x-team", "b", APPEND),
        ("x-side", "c", OVERWRITE),
    ]
    assert rest["match"]["prefix"] == "/"


def test_a_virtual_services_prefix_and_regex_rewrites_and_its_host_header_hold_for_copies() -> None:
    below = {"path_prefix": "/v1"}
    routes = istio({"match": [{"uri": {"prefix": "/v1"}}], "rewrite": {"uri": "/api"}}, match=below)[:-1]
    by_match = {one["match"].get("path", one["match"].get("prefix")): one for one in routes}
    assert {key: path_after(one, f"{key}") for key, one in by_match.items()} == {"/v1": "/api", "/v1/": "/api/"}
    regex = {"match": "/v1/(.*)", "rewrite": r"/x/\1"}
    headers = {"request": {"set": {"Host": "models.example.com", "x-a": "b"}}}
    first, _ = istio({"rewrite": {"uriRegexRewrite": regex}, "headers": headers})
    assert path_after(first, "/v1/chat") == "/x/chat"
    assert first["route"]["host_rewrite_literal"] == "models.example.com"
    assert added(first) == [("x-a", "b", OVERWRITE)]


def test_copies_have_the_filters_of_an_http_routes_rule() -> None:
    changes = {"set": [{"name": "authorization", "value": "Bearer %REQ(x-b)%"}], "remove": ["cookie"]}
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": changes},
        {"type": "URLRewrite", "urlRewrite": {"hostname": "models.example.com"}},
    ]
    of_backend = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "x-a", "value": "b"}]}}]
    backend = {"name": "llm", "port": 8000, "filters": of_backend}
    first, rest = envoy_gateway({"filters": filters, "backendRefs": [backend]}, fallback=False)
    assert (first["match"]["path"], first["route"]["host_rewrite_literal"]) == ("/v1/chat", "models.example.com")
    assert "cookie" in first["request_headers_to_remove"]
    assert added(first) == [("x-a", "b", APPEND), ("authorization", "Bearer %REQ(x-b)%", OVERWRITE)]
    assert rest["match"]["prefix"] == "/"


@pytest.mark.parametrize(
    ("match", "theirs", "rewrite", "paths"),
    [
        ({"path": "/v1/chat"}, "/v1", {"replacePrefixMatch": "/api"}, {"/v1/chat": "/api/chat"}),
        ({"path": "/v1/chat"}, "/v1", {"replacePrefixMatch": "/"}, {"/v1/chat": "/chat"}),
        ({"path_prefix": "/v1"}, "/v1", {"replacePrefixMatch": "/api"}, {"/v1": "/api", "/v1/chat": "/api/chat"}),
        ({"path_prefix": "/v1"}, "/v1", {"replacePrefixMatch": "/"}, {"/v1": "/", "/v1/chat": "/chat"}),
        ({"path_prefix": "/"}, "/", {"replacePrefixMatch": "/api"}, {"/": "/api/", "/chat": "/api/chat"}),
        ({"path_prefix": "/v1"}, "/", {"replaceFullPath": "/all"}, {"/v1/chat": "/all"}),
    ],
)
def test_copies_have_the_path_that_an_http_routes_rewrite_makes(
    match: dict[str, str], theirs: str, rewrite: dict[str, str], paths: dict[str, str]
) -> None:
    kind = "ReplaceFullPath" if "replaceFullPath" in rewrite else "ReplacePrefixMatch"
    filters = [{"type": "URLRewrite", "urlRewrite": {"path": {"type": kind, **rewrite}}}]
    conditions = [{"path": {"type": "PathPrefix", "value": theirs}}]
    first, _ = envoy_gateway({"matches": conditions, "filters": filters}, match=match)
    assert {path: path_after(first, path) for path in paths} == paths


def test_without_a_file_copies_are_sent_unchanged() -> None:
    (only,) = to_baseline(without_comments(shadow_listener(config(OUTBOUND))))
    assert only["match"]["prefix"] == "/"
    assert "request_headers_to_add" not in only
