"""Filters by which a user's Envoy refuses requests: their configuration for a place, and requests to try them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.users_envoy import TYPE, Json

FILTERS = TYPE + "extensions.filters.http."
ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
ORIGIN, OTHER_ORIGIN = "https://a.test", "https://b.test"
_KEY = b"a key of the test, 32 bytes long"


@dataclass(frozen=True, slots=True)
class Protection:
    """A filter that protects one place in the route table, such as a route.

    - ``filter``: the filter in the chain, where it refuses nothing by itself
    - ``here``: its configuration at this place
    - ``allowed``, ``refused``: the headers of an allowed and of a refused request
    - ``status``: the status of the answer to a refused request
    - ``refused_from``: the client address of a refused request

    The rate limit refuses all requests after the first ``MOST``.
    """

    filter: Json
    here: Json
    status: int
    allowed: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    refused_from: str = "127.0.0.1"

    @property
    def per_filter(self) -> Json:
        return {self.filter["name"]: self.here}


def _filter(name: str, kind: str, *, off: bool = False, **config: object) -> Json:
    """Return a filter of the chain. If ``off``, it is on only at places with their own configuration."""
    return {"name": name, "typed_config": {"@type": FILTERS + kind, **config}, **({"disabled": True} if off else {})}


def _rbac(principal: Json) -> Json:
    policy = {"permissions": [{"any": True}], "principals": [principal]}
    rules = {"action": "ALLOW", "policies": {"known": policy}}
    return {"@type": FILTERS + "rbac.v3.RBACPerRoute", "rbac": {"rules": rules}}


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def json_web_token() -> str:
    """Return a signed token of the issuer ``issuer.test``."""
    head = _part(json.dumps({"alg": "HS256", "kid": "k"}).encode())
    signed = f"{head}.{_part(json.dumps({'iss': 'issuer.test', 'sub': 'client'}).encode())}"
    return f"{signed}.{_part(hmac.digest(_KEY, signed.encode(), hashlib.sha256))}"


def json_web_keys() -> str:
    """Return the key set that verifies ``json_web_token``."""
    return json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": "k", "k": _part(_KEY)}]})


CLIENTS_KEY = "Bearer the-clients-own"
MOST = 54  # requests until the rate limit refuses

PROTECTIONS: dict[str, Protection] = {
    "rbac": Protection(
        _filter("rbac", "rbac.v3.RBAC"),
        _rbac({"header": {"name": "x-team", "string_match": {"exact": "a"}}}),
        403,
        allowed={"x-team": "a", "authorization": CLIENTS_KEY},
        refused={"x-team": "b", "authorization": CLIENTS_KEY},
    ),
    "jwt": Protection(
        _filter(
            "jwt",
            "jwt_authn.v3.JwtAuthentication",
            providers={
                "p": {"issuer": "issuer.test", "local_jwks": {"inline_string": json_web_keys()}, "forward": True}
            },
            requirement_map={"token": {"provider_name": "p"}},
        ),
        {"@type": FILTERS + "jwt_authn.v3.PerRouteConfig", "requirement_name": "token"},
        401,
        allowed={"authorization": f"Bearer {json_web_token()}"},
        refused={"authorization": f"Bearer {json_web_token()[:-4]}AAAA"},
    ),
    "api key": Protection(
        _filter("keys", "api_key_auth.v3.ApiKeyAuth", off=True),
        {
            "@type": FILTERS + "api_key_auth.v3.ApiKeyAuthPerRoute",
            "credentials": [{"key": "the-clients-key", "client": "a"}],
            "key_sources": [{"header": "x-api-key"}],
        },
        401,
        allowed={"x-api-key": "the-clients-key"},
        refused={"x-api-key": "another-key"},
    ),
    "ext_authz": Protection(
        _filter(
            "authz",
            "ext_authz.v3.ExtAuthz",
            off=True,
            http_service={"server_uri": {"uri": "http://authz.test", "cluster": "authz", "timeout": "5s"}},
            allowed_headers={"patterns": [{"exact": "x-pass"}]},
        ),
        {"@type": FILTERS + "ext_authz.v3.ExtAuthzPerRoute", "check_settings": {"context_extensions": {"a": "b"}}},
        451,
        allowed={"x-pass": "yes", "authorization": CLIENTS_KEY},
        refused={"x-pass": "no", "authorization": CLIENTS_KEY},
    ),
    "rate limit": Protection(
        _filter("limit", "local_ratelimit.v3.LocalRateLimit", stat_prefix="limit"),
        {
            "@type": FILTERS + "local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "here",
            "token_bucket": {"max_tokens": MOST, "tokens_per_fill": MOST, "fill_interval": "3600s"},
            "filter_enabled": ALWAYS,
            "filter_enforced": ALWAYS,
        },
        429,
    ),
    "ip allow-list": Protection(
        _filter("rbac", "rbac.v3.RBAC"),
        _rbac({"remote_ip": {"address_prefix": "127.0.0.1", "prefix_len": 32}}),
        403,
        refused_from="127.0.0.9",
    ),
}

CORS = Protection(
    _filter("cors", "cors.v3.Cors"),
    {
        "@type": FILTERS + "cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": ORIGIN}],
        "allow_methods": "POST",
        "allow_headers": "x-user",
        "filter_enabled": ALWAYS,
    },
    200,
    allowed={"origin": ORIGIN, "access-control-request-method": "POST"},
    refused={"origin": OTHER_ORIGIN, "access-control-request-method": "POST"},
)
