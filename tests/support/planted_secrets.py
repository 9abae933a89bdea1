"""Names under which clients send credentials, and requests that carry a credential under each name."""

from __future__ import annotations

from urllib.parse import quote

SECRET = "TOPSECRET"
PARAMETERS = (
    "key", "api_key", "api-key", "apikey", "x-api-key", "X-API-Key", "subscription-key", "Ocp-Apim-Subscription-Key",
    "code", "sig", "signature", "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential", "X-Goog-Signature",
    "access_token", "access-token", "token", "auth", "authorization", "client_secret", "secret", "password", "jwt",
    "session", "sas", "t0ken", "my-own-name", "api%5Fkey", "%6Bey", "api-version%00", "key[]", "",
)  # fmt: skip
HEADERS = (
    "authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key",
    "x-amz-security-token", "ocp-apim-subscription-key", "x-functions-key", "cf-aig-authorization", "helicone-auth",
    "x-portkey-api-key", "x-litellm-api-key", "x-auth-token", "x-forwarded-access-token",
)  # fmt: skip


def query_of_secrets() -> str:
    """Return a query with SECRET under each of PARAMETERS, and in the value of a parameter that may stay."""
    named = [f"{name if '%' in name else quote(name)}={SECRET}" for name in PARAMETERS]
    return "&".join([*named, f"version={SECRET}%20{SECRET}"])


def headers_of_secrets() -> dict[str, str]:
    return dict.fromkeys(HEADERS, f"Bearer {SECRET}")
