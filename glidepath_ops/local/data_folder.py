"""The data folder of ``glidepath up``: its permissions and its lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from glidepath.errors import InputError
from glidepath_ops.local.private_files import FILE_MODE, FOLDER_MODE, make_private_folder, naming

DEFAULT_FOLDER = Path(".glidepath")
LOCK_FILE = "up.lock"
REDIS, LOGS = "redis", "logs"


@dataclass(frozen=True, slots=True)
class Holder:
    """The ``glidepath up`` that holds the lock: its process, and the configuration that it was started with."""

    pid: int
    config: Path


def parse_holder(text: str) -> Holder | None:
    """Return the holder that a lock file names, or None if its ``up`` has just started and has not written it yet."""
    pid, _, config = text.partition("\n")
    return Holder(int(pid), Path(config.rstrip("\n"))) if pid.isdigit() and config else None


def running_holder(folder: Path) -> Holder | None:
    """Return the ``up`` that uses the data folder now, or None."""
    try:
        holder = parse_holder((folder / LOCK_FILE).read_text())
    except OSError:
        return None
    return holder if holder is not None and _is_alive(holder.pid) else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


@contextmanager
def locked_data_folder(folder: Path, config: Path) -> Iterator[None]:
    """Create the data folder, and hold its lock. The system releases the lock if the process is killed.

    The lock file names this process and ``config``, the configuration that it was started with. The folder gets mode
    0700 if it is created here. Its subfolders always get this mode. Raises InputError if the folder cannot be
    used, or if another process holds the lock; the error then names the id of that process.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    for part in (REDIS, LOGS):
        make_private_folder(folder / part)
    path = folder / LOCK_FILE
    with naming(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    with os.fdopen(descriptor, "r+") as lock:
        with naming(path):
            _take(lock, folder)
            lock.truncate(0)
            os.write(lock.fileno(), f"{os.getpid()}\n{config.resolve()}\n".encode())
        yield
        lock.truncate(0)


def _take(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = parse_holder(lock.read())
        raise InputError(
            f"--data: {folder} is in use by another `glidepath up` "
            f"(process {holder.pid if holder else 'unknown'}); stop that process, or name another folder"
        ) from error
