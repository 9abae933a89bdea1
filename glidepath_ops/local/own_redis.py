"""The Redis that ``glidepath up`` and the demo start for themselves: its password, its settings and its server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glidepath.errors import UnreachableError
from glidepath_ops.local.choose_redis_server import ServerVersion, WrittenBy, choose, installed_servers
from glidepath_ops.local.data_folder import REDIS
from glidepath_ops.local.private_files import make_private_folder, read_text, write_private
from glidepath_ops.local.redis_and_envoy import redis_answers, spawn_redis
from glidepath_ops.local.services import Service
from glidepath_ops.local.stack import Stack


def redis_password_file(folder: Path) -> Path:
    """Return the file with the password of the data folder's Redis. It is created once, and Redis reads it, too."""
    path = folder / REDIS / "password"
    if not path.exists():
        make_private_folder(path.parent)
        write_private(path, secrets.token_urlsafe(32) + "\n")
    return path


def _password(folder: Path) -> str:
    return read_text(redis_password_file(folder)).strip()


def redis_settings_file(folder: Path) -> Path:
    """Write settings that must stay secret to a file, because all users can read a command line. Return its path."""
    path = folder / REDIS / "redis.conf"
    write_private(path, f"requirepass {_password(folder)}\n")
    return path


def start_own_redis(stack: Stack, folder: Path, port: int) -> None:
    """Start the data folder's Redis or Valkey with its password, and wait until it has loaded its data.

    If several servers are installed, the one that can read the data is started. A file in the folder records which
    server wrote it. Raises UnreachableError with the cause if the server does not start.
    """
    password, settings = _password(folder), redis_settings_file(folder)
    record = WrittenBy(folder / REDIS)
    written = record.read()
    server = choose(installed_servers(), written)
    service = Service(
        "redis",
        lambda: spawn_redis(folder / REDIS, port, settings=settings, binary=server.path),
        lambda: redis_answers(port, password),
    )
    with _explained(folder, server.version, written):
        stack.start(service)
    record.write(server.version)


@contextmanager
def _explained(folder: Path, server: ServerVersion, written: ServerVersion | None) -> Iterator[None]:
    """Add to the error of a failed start which server wrote the data, if ``server`` may be unable to read them."""
    try:
        yield
    except UnreachableError as error:
        if written is None or server.reads(written):
            raise
        raise UnreachableError(
            f"{folder / REDIS}: {written} wrote this data, and {server} did not start with it; install {written} or a "
            f"newer {written.kind}, or name another folder with --data\n{error}"
        ) from error
