"""Wraps each page of the console in an endpoint that checks what a visitor may do, and that shows the page's errors."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from glidepath.errors import CommandRefusedError, GlidepathError, UnknownWorkloadError, UnreachableError, error_text
from glidepath_ops.console.access import ACT_HEADER, COOKIE, ArrivingRequest, Visitor, forged
from glidepath_ops.console.json_request_body import TooLargeError
from glidepath_ops.console.running_console import Console

_ENDED = "your login has ended: reload the page and log in again"


Handler = Callable[[Request, Visitor], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def facts_of(request: Request) -> ArrivingRequest:
    """Return the facts about a request. Headers with the same name are joined by a comma.

    So if the proxy's header occurs twice, its joined value identifies nobody. That is intended: the first value may
    come from the client, if the proxy adds its own header without removing the client's.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    peer = request.client.host if request.client else ""
    return ArrivingRequest(headers, request.cookies.get(COOKIE, ""), peer)


def reading(console: Console, handler: Handler) -> Endpoint:
    """Return the endpoint that calls ``handler`` for visitors who may read, and shows its errors as a page or JSON."""

    async def checked(request: Request, visitor: Visitor) -> Response:
        facts = facts_of(request)
        if not console.access.is_known_host(facts):
            return _problem(console, request, Visitor(), 421, "this host name does not belong to the console")
        if not visitor.may_read:
            return _login_first(console, request, facts)
        return await handler(request, visitor)

    return _endpoint(console, checked)


def _endpoint(console: Console, handler: Handler) -> Endpoint:
    """Return the endpoint that calls ``handler``, shows its errors as a page or JSON, and measures its time."""

    async def endpoint(request: Request) -> Response:
        visitor = console.access.visitor(facts_of(request), time.time())
        started = time.perf_counter()
        try:
            return await handler(request, visitor)
        except (GlidepathError, RedisError, OSError) as error:
            status, text = _status_of(error)
            return _problem(console, request, visitor, status, text)
        finally:
            route = getattr(request.scope.get("route"), "path", "other")
            console.metrics.seconds.labels(route).observe(time.perf_counter() - started)

    return endpoint


def receiving_feedback(console: Console, handler: Handler) -> Endpoint:
    """Return the endpoint that calls ``handler`` for visitors who have ``console.feedback_token`` or may act."""

    async def checked(request: Request, visitor: Visitor) -> Response:
        facts = facts_of(request)
        if console.access.may_send_feedback(facts):
            return await handler(request, visitor)
        if not console.access.takes_feedback:
            why = "this console takes no feedback: set console.feedback_token in its configuration"
            return _problem(console, request, visitor, 403, why)
        if not visitor.may_act:
            if "authorization" in facts.headers:
                console.metrics.refused.inc()
            why = "feedback needs the token of console.feedback_token: Authorization: Bearer TOKEN"
            return _problem(console, request, visitor, 401, why)
        if visitor.by_session and (why := forged(facts)):
            return _problem(console, request, visitor, 403, why)
        return await handler(request, visitor)

    return _endpoint(console, checked)


def acting(console: Console, handler: Handler) -> Endpoint:
    """Return the endpoint that calls ``handler`` for visitors who may act.

    The endpoint refuses a request that a page of another site may have sent.
    """

    async def checked(request: Request, visitor: Visitor) -> Response:
        if visitor.may_act and visitor.by_session and (why := forged(facts_of(request))):
            return _problem(console, request, visitor, 403, why)
        return await handler(request, visitor)

    return confirming(console, checked)


def confirming(console: Console, handler: Handler) -> Endpoint:
    """Return the endpoint that calls ``handler`` for visitors who may act. ``handler`` must not change anything."""

    async def checked(request: Request, visitor: Visitor) -> Response:
        if visitor.may_act:
            return await handler(request, visitor)
        if console.access.takes_token and _by_script(request):  # only people who may act see buttons
            return _problem(console, request, visitor, 403, _ENDED)
        why = "give the token: Authorization: Bearer TOKEN" if console.access.takes_token else "it is read-only"
        return _problem(console, request, visitor, 403, f"this console changes nothing for you: {why}")

    return reading(console, checked)


def _status_of(error: Exception) -> tuple[int, str]:
    if isinstance(error, TooLargeError):
        return 413, str(error)
    if isinstance(error, UnknownWorkloadError):
        return 404, str(error)
    if isinstance(error, CommandRefusedError):
        return 409, str(error)
    if isinstance(error, UnreachableError):
        return 504, str(error)
    if isinstance(error, GlidepathError):
        return 400, str(error)
    return 503, f"Redis does not answer: {error_text(error)}"


def _login_first(console: Console, request: Request, facts: ArrivingRequest) -> Response:
    if "authorization" in facts.headers:
        console.metrics.refused.inc()
    if console.access.takes_token and _by_script(request):
        return _problem(console, request, Visitor(), 401, _ENDED)
    if is_api(request) or not console.access.takes_token:
        how = "Authorization: Bearer TOKEN" if console.access.takes_token else "the proxy in front names no person"
        return _problem(console, request, Visitor(), 401, f"you may not read here: {how}")
    return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)


def is_api(request: Request) -> bool:
    return str(request.url.path).startswith(("/api/", "/live/", "/feedback"))


def _by_script(request: Request) -> bool:
    """Return whether the script of an open page sent the request. People would not see a page that answers a script."""
    return ACT_HEADER in request.headers or "hx-request" in request.headers


def _problem(console: Console, request: Request, visitor: Visitor, status: int, text: str) -> Response:
    if is_api(request) or _by_script(request):
        headers = {"www-authenticate": "Bearer"} if status == 401 and console.access.takes_token else None
        return JSONResponse({"error": text}, status, headers=headers)
    return console.page(request, "problem.html", visitor, status, status=status, text=text)
