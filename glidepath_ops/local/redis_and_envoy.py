"""Starts Redis and Envoy as child processes."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import redis
from redis.exceptions import RedisError

from glidepath_ops.local.child_process import Child, envoy_binary
from glidepath_ops.local.choose_redis_server import redis_binary
from glidepath_ops.local.private_files import UMASK, naming


def spawn_redis(
    folder: Path, port: int, *options: str, settings: Path | None = None, binary: str | None = None
) -> Child:
    """Start a Redis or Valkey on loopback, with its data in ``folder``. Do not wait until it answers.

    ``settings``: a configuration file of Redis. ``binary``: a server to use instead of the first one that is installed.
    Only the user may read the data.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        binary or redis_binary(),
        *([str(settings)] if settings else []),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(folder),
        "--save",
        "",
    ]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", *options]
    return Child("redis", command, folder / "redis.log", umask=UMASK)


def start_redis(folder: Path, port: int, *options: str) -> Child:
    """Start a Redis or Valkey on loopback, with its data in ``folder``, and wait until it answers."""
    child = spawn_redis(folder, port, *options)
    child.wait_until(lambda: redis_answers(port))
    return child


def redis_answers(port: int, password: str | None = None) -> bool:
    """Return whether the Redis at a loopback port has loaded its data and answers commands."""
    client = redis.Redis(port=port, password=password, socket_timeout=1, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()


def spawn_envoy(bootstrap: Path, log: Path, *, concurrency: int | None = None, binary: Path | None = None) -> Child:
    """Start Envoy with the file ``bootstrap``, and do not wait until it is ready.

    ``concurrency`` is the number of Envoy's worker threads; by default one per processor. ``binary`` is an Envoy other
    than the installed one.
    """
    command = [str(binary or envoy_binary()), "-c", str(bootstrap), "--log-level", "warning", "--disable-hot-restart"]
    if concurrency:
        command += ["--concurrency", str(concurrency)]
    return Child("envoy", command, log)


def start_envoy(
    bootstrap: Path, admin: str, log: Path, *, concurrency: int | None = None, binary: Path | None = None
) -> Child:
    """Start Envoy with the file ``bootstrap``, and wait until it is ready.

    ``admin``: the URL of its admin API. ``binary``: an Envoy other than the installed one.
    """
    child = spawn_envoy(bootstrap, log, concurrency=concurrency, binary=binary)
    child.wait_until(lambda: answers_ok(f"{admin}/ready"))
    return child


def answers_ok(url: str) -> bool:
    """Return whether the server at the loopback ``url`` answers a GET with status 200."""
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310 - our own loopback URL
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
