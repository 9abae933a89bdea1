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
    """One protection. ``refused``, ``allowed``: headers of a caller that it refuses, and of one that it lets pass."""

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


def refusals(jwks: str, token: str, authorizer: tuple[str, int]) -> list[Refusal]:
    """Return all protections. ``token`` is a JWT that ``jwks`` verifies; ``authorizer`` is an ext_authz HTTP server."""
    keys = {
        "credentialRefs": [{"group": "", "kind": "Secret", "name": "keys"}],
        "extractFrom": [{"headers": ["x-key"]}],
    }
    provider = {"name": "own", "localJWKS": {"type": "Inline", "inline": jwks}}
    provider |= {"extractFrom": {"headers": [{"name": "x-token"}]}}
    host, port = authorizer
    backend = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Backend",
        "metadata": {"name": "authorizer", "namespace": "default"},
        "spec": {"endpoints": [{"ip": {"address": host, "port": port}}]},
    }
    reference = {"group": GROUP, "kind": "Backend", "name": "authorizer"}
    authorizing = {"http": {"backendRefs": [reference]}, "headersToExtAuth": ["x-pass"]}
    limit = {"type": "Local", "local": {"rules": [{"limit": {"requests": 3, "unit": "Hour"}}]}}
    return [
        Refusal(
            "keys",
            "SecurityPolicy",
            {"apiKeyAuth": keys},
            401,
            allowed={"x-key": "sesame"},
            more=(_secret("keys", {"caller": "sesame"}),),
        ),
        Refusal("jwt", "SecurityPolicy", {"jwt": {"providers": [provider]}}, 401, allowed={"x-token": token}),
        Refusal("extauth", "SecurityPolicy", {"extAuth": authorizing}, 403, allowed={"x-pass": "yes"}, more=(backend,)),
        Refusal(
            "rbac",
            "SecurityPolicy",
            _authorization({"headers": [{"name": "x-team", "values": ["blue"]}]}),
            403,
            allowed={"x-team": "blue"},
        ),
        Refusal("addresses", "SecurityPolicy", _authorization({"clientCIDRs": ["10.9.0.0/16"]}), 403, allowed=None),
        Refusal("limit", "BackendTrafficPolicy", {"rateLimit": limit}, 429, allowed=None),
    ]
