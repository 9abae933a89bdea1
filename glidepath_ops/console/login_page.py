"""The pages to log in with the token, and to log out."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glidepath.logs import get_logger
from glidepath_ops.console.access import COOKIE, SESSION_S, Visitor, person_name
from glidepath_ops.console.authorized_endpoints import facts_of
from glidepath_ops.console.running_console import Console

WRONG_TOKEN_S = 0.5  # the answer to a wrong token is delayed by this time
MOST_WAITING = 8  # wrong tokens at the same time; further ones are refused at once
_MOST_FORM = 4096
_ANONYMOUS = Visitor()

log = get_logger()


def routes(console: Console) -> list[Route]:
    waiting = asyncio.Semaphore(MOST_WAITING)

    async def form(request: Request) -> Response:
        visitor = console.access.visitor(facts_of(request), time.time())
        return console.page(
            request, "login.html", visitor, next=_next(request.query_params.get("next", "")), problem=""
        )

    async def login(request: Request) -> Response:
        fields = await _fields(request)
        name, target = person_name(fields.get("name", "")), _next(fields.get("next", ""))
        if not _same_site(request):
            return _again(console, request, target, "the request comes from another site", 403)
        if not console.access.is_token(fields.get("token", "").strip()):
            console.metrics.refused.inc()
            log.warning("login_refused", peer=facts_of(request).peer)
            if waiting.locked():
                return _again(console, request, target, "too many attempts; try again in a moment", 429)
            async with waiting:
                await asyncio.sleep(WRONG_TOKEN_S)
            return _again(console, request, target, "this is not the token", 403)
        if not name:
            text = "a name has letters, digits, spaces and . _ @ + -, and at most 64 characters"
            return _again(console, request, target, text, 400)
        answer = RedirectResponse(target, 303)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        value = console.access.session(name, time.time())
        answer.set_cookie(COOKIE, value, max_age=SESSION_S, httponly=True, samesite="strict", secure=secure)
        return answer

    async def logout(request: Request) -> Response:
        answer = RedirectResponse("/", 303)
        if _same_site(request):  # another site's page cannot end a session
            answer.delete_cookie(COOKIE)
        return answer

    return [
        Route("/login", form, methods=["GET"]),
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
    ]


def _again(console: Console, request: Request, target: str, problem: str, code: int) -> Response:
    return console.page(request, "login.html", _ANONYMOUS, code, next=target, problem=problem)


async def _fields(request: Request) -> dict[str, str]:
    """Return the fields of a form, or no fields if the form is too large."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MOST_FORM:
            return {}
    try:
        found = parse_qs(data.decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _same_site(request: Request) -> bool:
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _next(path: str) -> str:
    """Return the path to go to after the login. It never leads to another host."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and "\n" not in path else "/"
