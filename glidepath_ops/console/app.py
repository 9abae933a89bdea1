"""The web application of the console: its routes, and the headers of all its answers."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from glidepath.config import Config
from glidepath.errors import error_text, error_text_with_type
from glidepath.logs import get_logger
from glidepath.metric_families import ProcessRegistry
from glidepath.redisio import RedisClient
from glidepath_ops.console import (
    actions_page,
    feedback_endpoint,
    fleet_page,
    history_page,
    html,
    login_page,
    openapi,
    pairs_page,
    report_page,
    workload_page,
)
from glidepath_ops.console.access import Access
from glidepath_ops.console.live_updates import EVERY_S, LiveViews
from glidepath_ops.console.metrics import ConsoleMetrics
from glidepath_ops.console.pair_store import PairStore
from glidepath_ops.console.running_console import Console
from glidepath_ops.console.security_headers import SecurityHeaders

log = get_logger()


def make_console(config: Config, redis: RedisClient, *, demo: bool = False, every_s: float = EVERY_S) -> Console:
    """Return the parts of a console. Raises ConfigError if the token cannot be read or is too short."""
    metrics = ConsoleMetrics(ProcessRegistry())

    def failed(error: Exception) -> None:
        metrics.view_errors.inc()
        log.warning("view_failed", reason=error_text_with_type(error)[:300], effect="open pages keep what they show")

    live = LiveViews(failed, every_s)
    metrics.show_pages(live)
    return Console(config, redis, Access.of(config.console), live, metrics, demo=demo)


def make_app(console: Console) -> Starlette:
    """Return the application. Its attribute ``state.console`` is ``console``."""
    routes = [
        *fleet_page.routes(console),
        *workload_page.routes(console),
        *pairs_page.routes(console, PairStore(console.config, console.redis)),
        *history_page.routes(console),
        *report_page.routes(console),
        *actions_page.routes(console),
        *feedback_endpoint.routes(console),
        *openapi.routes(console),
        *login_page.routes(console),
        *_process_routes(console),
        Mount("/static", StaticFiles(directory=html.STATIC), name="static"),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(SecurityHeaders)])
    app.state.console = console
    return app


def _process_routes(console: Console) -> list[Route]:
    """Return the routes for supervisors and Prometheus. They reveal nothing about requests and answers."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        reason = ""
        try:
            await console.redis.ping()
        except (RedisError, OSError) as error:
            reason = f"Redis: {error_text(error)}"
        return JSONResponse({"status": "not ready" if reason else "ok", "reason": reason}, 503 if reason else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(console.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


async def close(console: Console) -> None:
    """End the streams to open pages, and close the connection to Redis."""
    await console.live.close()
    with suppress(RedisError, OSError):
        await console.redis.aclose()
