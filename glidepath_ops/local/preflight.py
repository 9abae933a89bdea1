"""Check, before processes are started, that configured Envoys and Redis answer and that listen addresses are free."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from glidepath.config import Config
from glidepath.config.loader import locate
from glidepath.errors import UnreachableError, error_text
from glidepath.redisio import check, connect
from glidepath_ops.local.child_process import answers, free_ports

TIMEOUT = 3.0


async def check_envoys(config: Config, path: Path) -> None:
    """Raise UnreachableError unless an Envoy answers at every address in ``envoy.admin``.

    The error names the file and the line of the key.
    """
    for index, url in enumerate(config.envoy.admin):
        problem = await _envoy_problem(url)
        if problem:
            raise UnreachableError(f"{_admin_place(path, index)}: {url}: {problem}")


def _admin_place(path: Path, index: int) -> str:
    return locate(path, "envoy", "admin", index)


async def _envoy_problem(url: str) -> str:
    """Return why no Envoy's admin API answers at ``url``, or "" if one answers."""
    base, connector = url, None
    if url.startswith("unix:"):
        base, connector = "http://envoy", aiohttp.UnixConnector(url.removeprefix("unix:"))
    elif url.startswith("dns://"):
        base = f"http://{urlsplit(url).netloc}"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as http,
            http.get(f"{base}/server_info") as response,
        ):
            info = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return f"no Envoy admin API answers: {error_text(error)}"
    if not isinstance(info, dict) or "version" not in info or "state" not in info:
        return "the server there is not an Envoy admin API"
    return ""


async def check_redis(config: Config, path: Path) -> None:
    """Raise UnreachableError unless a Redis answers at ``redis.url``.

    The error names the file and the line of the key.
    """
    client = connect(config.redis)
    try:
        await check(client, config.redis, locate(path, "redis", "url"))
    finally:
        await client.aclose()


def check_free(config: Config, path: Path) -> None:
    """Raise UnreachableError unless Envoy's TCP listen addresses are free.

    The error names the file and the line of the key.
    """
    for key, address in (("listen", config.envoy.listen), ("shadow_listen", config.envoy.shadow_listen)):
        if address.startswith("unix:"):
            continue
        host, _, port = address.rpartition(":")
        problem = _bind_problem(host.strip("[]"), int(port))
        if problem:
            raise UnreachableError(f"{locate(path, 'envoy', key)}: nothing can listen on {address}: {problem}")


def _bind_problem(host: str, port: int) -> str:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def pick_port(wanted: int) -> int:
    """Return ``wanted`` if this loopback port is free, otherwise any free loopback port."""
    return free_ports(1)[0] if answers("127.0.0.1", wanted) or _bind_problem("127.0.0.1", wanted) else wanted
