"""Checks, before processes are started, that configured Envoys and Redis answer and that listen addresses are free."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from glidepath.config import Config
from glidepath.config.listen_addresses import conflicts, listen_addresses
from glidepath.config.loader import locate
from glidepath.errors import ConfigError, DependencyError, UnreachableError, error_text
from glidepath.redisio import check, connect
from glidepath_ops.local.child_process import answers, envoy_binary, free_ports
from glidepath_ops.local.choose_redis_server import redis_binary
from scorer.scoring.embed.missing_packages import missing_package

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


def check_packages(config: Config, *, envoy: bool = True, redis: bool = True) -> None:
    """Raise DependencyError if a package is missing that this machine needs. The message contains the install command.

    ``envoy``, ``redis``: whether an Envoy and a Redis run here, too.
    """
    if envoy:
        envoy_binary()
    if redis:
        redis_binary()
    missing = missing_package(config.scorer.embedder)
    if missing is not None:
        raise DependencyError(f"{'.'.join(missing.key)}: {missing.message}")


def check_free(config: Config, path: Path, *, envoy: bool) -> None:
    """Check that all processes can listen on their addresses, on this machine and at the same time.

    ``envoy``: whether Envoy is one of these processes. Raises ConfigError if two addresses exclude each other, and
    UnreachableError if an address is not free. The error names the file and the line of the key.
    """
    listeners = [one for one in listen_addresses(config) if envoy or one.process != "envoy"]
    for conflict in conflicts(listeners, on_one_machine=True):
        raise ConfigError(f"{locate(path, *conflict.second.key)}: {conflict.message}; here they must differ")
    for one in listeners:
        problem = _listen_problem(one.address)
        if problem:
            raise UnreachableError(f"{locate(path, *one.key)}: nothing can listen on {one.address}: {problem}")


def _listen_problem(address: str) -> str:
    if address.startswith("unix:"):
        return "another process listens there" if _is_served(address.removeprefix("unix:")) else ""
    host, _, port = address.rpartition(":")
    return _bind_problem(host.strip("[]"), int(port))


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(path) == 0


def _bind_problem(host: str, port: int) -> str:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def pick_port(wanted: int) -> int:
    """Return ``wanted`` if this loopback port is free, otherwise any free loopback port."""
    return free_ports(1)[0] if answers("127.0.0.1", wanted) or _bind_problem("127.0.0.1", wanted) else wanted
