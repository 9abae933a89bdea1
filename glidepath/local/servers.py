"""The real Redis and the real Envoy as children of this process."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from glidepath.local.process import Child, answers, envoy_binary, redis_binary


def start_redis(folder: Path, port: int, *options: str) -> Child:
    """A Redis or Valkey on loopback, its append-only file in ``folder``; returns once it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", *options]
    child = Child("redis", command, folder / "redis.log")
    child.wait_until(lambda: answers("127.0.0.1", port))
    return child


def start_envoy(bootstrap: Path, admin: str, log: Path, *, concurrency: int | None = None, base_id: int = 0) -> Child:
    """Envoy with ``bootstrap``; returns once its admin API says LIVE. ``admin``: URL of the admin listener."""
    command = [envoy_binary(), "-c", str(bootstrap), "--log-level", "warning", "--disable-hot-restart"]
    if concurrency:
        command += ["--concurrency", str(concurrency)]
    if base_id:
        command += ["--base-id", str(base_id)]
    child = Child("envoy", command, log)
    child.wait_until(lambda: _live(admin))
    return child


def _live(admin: str) -> bool:
    try:
        with urllib.request.urlopen(f"{admin}/ready", timeout=1) as response:  # noqa: S310 - our own loopback URL
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
