"""Serves the console with uvicorn until a stop signal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import uvicorn

from glidepath.config import Config
from glidepath.errors import UnreachableError
from glidepath.logs import get_logger
from glidepath.redisio import check, connect
from glidepath.stop_signals import on_stop_signals
from glidepath_ops.console.app import close, make_app, make_console

STOP_S = 3  # how long open requests may take after a stop signal
MOST_CONNECTIONS = 1000

log = get_logger()


async def serve(config: Config, redis_place: str, *, demo: bool = False) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP.

    ``redis_place``: the setting that contains the Redis URL. Error messages name it. Raises UnreachableError if Redis
    or the address to listen on cannot be used, and ConfigError if the token cannot be read or is too short.
    """
    redis = connect(config.redis, again=True)  # commands have a connection of their own
    console = make_console(config, redis, demo=demo)
    listener = open_listener(config.console.listen)
    try:
        await check(redis, config.redis, redis_place)
        settings = uvicorn.Config(
            make_app(console),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=STOP_S,
        )
        server = uvicorn.Server(settings)
        vars(server)["capture_signals"] = contextlib.nullcontext  # the handlers below are those of all our processes
        stop = asyncio.Event()
        on_stop_signals(asyncio.get_running_loop(), stop.set, lambda: os._exit(130))
        log.info("console_started", address=config.console.listen)
        serving = asyncio.create_task(server.serve([listener]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await console.live.close()
        server.should_exit = True
        await serving
    finally:
        await close(console)
        listener.close()


def open_listener(address: str) -> socket.socket:
    """Return a listening socket. Raises UnreachableError if the address cannot be used."""
    try:
        if address.startswith("unix:"):
            return _unix_listener(Path(address.removeprefix("unix:")))
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=128)
    except OSError as error:
        raise UnreachableError(f"console.listen cannot listen on {address}: {error.strerror or error}") from error
    # Connections inherit this option. asyncio sets it only for sockets created with a protocol, unlike this one;
    # without it, a page's body waits 40 ms for the acknowledgement of its header (RFC 896, RFC 1122 4.2.3.2).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _unix_listener(path: Path) -> socket.socket:
    """Return a Unix socket for this user and this group only. Replace the socket of a process that has ended."""
    listener = socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) != 0 and path.is_socket():
            path.unlink()
    listener.bind(str(path))
    path.chmod(0o660)
    listener.listen(128)
    return listener
