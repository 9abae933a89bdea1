"""Resources by which users of Istio refuse callers: for the gateway's workload, or for the user's route.

With the scope ``route``, a resource applies to the paths of the user's route. A filter that an EnvoyFilter of the user
adds then applies to the whole virtual host of the route.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.mesh.base_resources import ISTIO_PORT, PREFIX
from tests.support.users_protections import json_web_keys, json_web_token

Scope = Literal["workload", "route"]
SELECTOR = {"matchLabels": {"istio": "ingressgateway"}}
OTHER_ADDRESS = "127.0.0.9"  # of a client that the policy by address lets pass
_FILTERS = "type.googleapis.com/envoy.extensions.filters.http."


@dataclass(frozen=True, slots=True)
class Protection:
    """One protection. ``refused``, ``allowed``: headers of a refused and of an allowed caller.

    ``status``: the status for a refused caller. ``from_other_address``: whether the allowed caller is at OTHER_ADDRESS.
    """

    documents: list[dict[str, Any]]
    status: int
    refused: Mapping[str, str] = field(default_factory=dict)
    allowed: Mapping[str, str] = field(default_factory=dict)
    from_other_address: bool = False


def _resource(group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": f"own-{kind.lower()}", "namespace": "istio-system"}
    return {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec}


def _denied(scope: Scope, **other_than: Any) -> dict[str, Any]:
    """Return an AuthorizationPolicy that denies requests by negative conditions, such as ``notValues`` of a header."""
    rule: dict[str, Any] = dict(other_than)
    if scope == "route":
        rule["to"] = [{"operation": {"paths": [f"{PREFIX}/*"]}}]
    spec = {"selector": SELECTOR, "action": "DENY", "rules": [rule]}
    return _resource("security.istio.io/v1", "AuthorizationPolicy", spec)


def _header(scope: Scope, _: int) -> Protection:
    policy = _denied(scope, when=[{"key": "request.headers[x-team]", "notValues": ["blue"]}])
    return Protection([policy], 403, refused={"x-team": "red"}, allowed={"x-team": "blue"})


def _address(scope: Scope, _: int) -> Protection:
    policy = _denied(scope, **{"from": [{"source": {"notRemoteIpBlocks": [OTHER_ADDRESS]}}]})
    return Protection([policy], 403, from_other_address=True)


def _token_missing(scope: Scope, _: int) -> Protection:
    policy = _denied(scope, **{"from": [{"source": {"notRequestPrincipals": ["*"]}}]})
    return Protection([_authentication(), policy], 403, allowed={"x-token": json_web_token()})


def _token_forged(scope: Scope, _: int) -> Protection:
    policy = _denied(scope, **{"from": [{"source": {"notRequestPrincipals": ["*"]}}]})
    forged, right = f"{json_web_token()[:-4]}AAAA", json_web_token()
    return Protection([_authentication(), policy], 401, refused={"x-token": forged}, allowed={"x-token": right})


def _authentication() -> dict[str, Any]:
    rule = {"issuer": "issuer.test", "jwks": json_web_keys(), "fromHeaders": [{"name": "x-token"}]}
    spec = {"selector": SELECTOR, "jwtRules": [rule]}
    return _resource("security.istio.io/v1", "RequestAuthentication", spec)


def _authorizer(scope: Scope, port: int) -> Protection:
    """Return the protection by ext_authz, which an EnvoyFilter of the user adds.

    ``port``: the port of a server that allows requests with x-pass: yes.
    """
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    cluster = {
        "name": "authorizer",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "authorizer",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    service = {
        "server_uri": {"uri": "http://authorizer", "cluster": "authorizer", "timeout": "5s"},
        "authorization_request": {"allowed_headers": {"patterns": [{"exact": "x-pass"}]}},
    }
    listener = {"http_service": service}
    per_route = {
        "@type": f"{_FILTERS}ext_authz.v3.ExtAuthzPerRoute",
        "check_settings": {"disable_request_body_buffering": True},
    }
    name = "envoy.filters.http.ext_authz"
    patches = _envoy_filter(scope, name, f"{_FILTERS}ext_authz.v3.ExtAuthz", listener, per_route)
    patches["spec"]["configPatches"].append(
        {"applyTo": "CLUSTER", "match": {"context": "GATEWAY"}, "patch": {"operation": "ADD", "value": cluster}}
    )
    return Protection([patches], 403, refused={"x-pass": "no"}, allowed={"x-pass": "yes"})


def rate_limit(scope: Scope, requests: int) -> list[dict[str, Any]]:
    """Return an EnvoyFilter of the user's with a local rate limit: ``requests`` requests per hour."""
    everyone = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    limit = {
        "stat_prefix": "own_limit",
        "token_bucket": {"max_tokens": requests, "tokens_per_fill": requests, "fill_interval": "3600s"},
        "filter_enabled": everyone,
        "filter_enforced": everyone,
    }
    kind = f"{_FILTERS}local_ratelimit.v3.LocalRateLimit"
    return [_envoy_filter(scope, "envoy.filters.http.local_ratelimit", kind, limit, {"@type": kind, **limit})]


def _envoy_filter(
    scope: Scope, name: str, kind: str, settings: Mapping[str, Any], per_route: Mapping[str, Any]
) -> dict[str, Any]:
    """Return an EnvoyFilter with a filter for all requests, or for those of the user's virtual host only."""
    one = {
        "name": name,
        "typed_config": {"@type": kind, **settings},
        **({"disabled": True} if scope == "route" else {}),
    }
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "subFilter": {"name": "envoy.filters.http.router"},
    }
    where = {"context": "GATEWAY", "listener": {"portNumber": ISTIO_PORT, "filterChain": {"filter": manager}}}
    patches: list[dict[str, Any]] = [
        {"applyTo": "HTTP_FILTER", "match": where, "patch": {"operation": "INSERT_BEFORE", "value": one}}
    ]
    if scope == "route":
        host = {"context": "GATEWAY", "routeConfiguration": {"vhost": {"name": f"*:{ISTIO_PORT}"}}}
        enabled = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": dict(per_route)}
        value = {"typed_per_filter_config": {name: enabled}}
        patches.append({"applyTo": "VIRTUAL_HOST", "match": host, "patch": {"operation": "MERGE", "value": value}})
    spec = {"workloadSelector": {"labels": {"istio": "ingressgateway"}}, "configPatches": patches}
    return _resource("networking.istio.io/v1alpha3", "EnvoyFilter", spec)


PROTECTIONS: Mapping[str, Callable[[Scope, int], Protection]] = {
    "policy by header": _header,
    "policy by address": _address,
    "token missing": _token_missing,
    "token forged": _token_forged,
    "ext_authz": _authorizer,
}
