"""Policies of Envoy Gateway's users that refuse callers, on the user's HTTPRoute and on the Gateway."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Target = Literal["HTTPRoute", "Gateway"]
GROUP = "gateway.envoyproxy.io"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One protection.

    ``refused``, ``allowed``: headers of a caller that the protection refuses, and of an allowed caller.
    """

    name: str
    kind: str
    spec: Mapping[str, Any]
    status: int
    refused: Mapping[str, str] = field(default_factory=dict)
    allowed: Mapping[str, str] | None = field(default_factory=dict)
    more: tuple[Mapping[str, Any], ...] = ()

    def documents(self, target: Target) -> list[dict[str, Any]]:
        """Return the resources that put the protection on the user's HTTPRoute ``own`` or on the Gateway ``eg``."""
        name = "own" if target == "HTTPRoute" else "eg"
        reference = {"group": "gateway.networking.k8s.io", "kind": target, "name": name}
        policy = {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": self.kind,
            "metadata": {"name": self.name, "namespace": "default"},
            "spec": {"targetRefs": [reference], **self.spec},
        }
        return [*(dict(one) for one in self.more), policy]


def _secret(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "data": encoded}


def _authorization(principal: Mapping[str, Any]) -> dict[str, Any]:
    rules = [{"name": "known", "action": "Allow", "principal": dict(principal)}]
    return {"authorization": {"defaultAction": "Deny", "rules": rules}}


NAMES = ("keys", "jwt", "extauth", "rbac", "addresses")
LIMIT = Refusal(
    "limit",
    "BackendTrafficPolicy",
    {"rateLimit": {"type": "Local", "local": {"rules": [{"limit": {"requests": 3, "unit": "Hour"}}]}}},
    429,
    allowed=None,
)


def limits(most: int) -> dict[str, Any]:
    """Return a policy that lets ``most`` requests wait and run at the backend of the user's HTTPRoute."""
    breakers = dict.fromkeys(("maxConnections", "maxPendingRequests", "maxParallelRequests"), most)
    (policy,) = Refusal("limits", "BackendTrafficPolicy", {"circuitBreaker": breakers}, 503).documents("HTTPRoute")
    return policy


def cors(target: Target) -> list[dict[str, Any]]:
    """Return a policy that allows the origin https://a.test."""
    spec = {"cors": {"allowOrigins": ["https://a.test"], "allowMethods": ["POST"], "allowHeaders": ["x-user-id"]}}
    return Refusal("cors", "SecurityPolicy", spec, 200).documents(target)


def refusals(jwks: str, token: str, authorizer: tuple[str, int]) -> dict[str, Refusal]:
    """Return the protections by name. ``token`` is a JWT that ``jwks`` verifies; ``authorizer`` serves ext_authz."""
    found = (_keys(), _jwt(jwks, token), _ext_auth(*authorizer), *_authorizations())
    return {one.name: one for one in found}


def _keys() -> Refusal:
    reference = {"group": "", "kind": "Secret", "name": "keys"}
    spec = {"apiKeyAuth": {"credentialRefs": [reference], "extractFrom": [{"headers": ["x-key"]}]}}
    secret = _secret("keys", {"caller": "sesame"})
    return Refusal("keys", "SecurityPolicy", spec, 401, allowed={"x-key": "sesame"}, more=(secret,))


def _jwt(jwks: str, token: str) -> Refusal:
    provider = {
        "name": "own",
        "issuer": "issuer.test",
        "localJWKS": {"type": "Inline", "inline": jwks},
        "extractFrom": {"headers": [{"name": "x-token"}]},
    }
    return Refusal("jwt", "SecurityPolicy", {"jwt": {"providers": [provider]}}, 401, allowed={"x-token": token})


def _ext_auth(host: str, port: int) -> Refusal:
    backend = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Backend",
        "metadata": {"name": "authorizer", "namespace": "default"},
        "spec": {"endpoints": [{"ip": {"address": host, "port": port}}]},
    }
    reference = {"group": GROUP, "kind": "Backend", "name": "authorizer"}
    spec = {"extAuth": {"http": {"backendRefs": [reference]}, "headersToExtAuth": ["x-pass"]}}
    return Refusal("extauth", "SecurityPolicy", spec, 403, allowed={"x-pass": "yes"}, more=(backend,))


def _authorizations() -> tuple[Refusal, Refusal]:
    team = _authorization({"headers": [{"name": "x-team", "values": ["blue"]}]})
    addresses = _authorization({"clientCIDRs": ["10.9.0.0/16"]})
    return (
        Refusal("rbac", "SecurityPolicy", team, 403, allowed={"x-team": "blue"}),
        Refusal("addresses", "SecurityPolicy", addresses, 403, allowed=None),
    )
