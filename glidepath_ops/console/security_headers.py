"""The security headers. They restrict the console's pages to its own scripts and host, and forbid frames."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_BYTES = re.compile(rb"[\x80-\xff]")  # a browser quotes them; Starlette cannot read them
_CACHED = "/static/"


class SecurityHeaders:
    """Adds the headers to every response.

    Pages must not be cached, because they contain prompts. Static files may be cached.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["query_string"] = _BYTES.sub(lambda one: b"%%%02X" % one[0][0], scope.get("query_string", b""))
        cached = scope["path"].startswith(_CACHED)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "public, max-age=3600" if cached else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
