"""The data folder of ``glidepath up``: its permissions, its lock, and the password of the Redis that keeps its data."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glidepath.errors import InputError
from glidepath_ops.local.private_files import FILE_MODE, FOLDER_MODE, make_private_folder, write_private

LOCK_FILE = "up.lock"
REDIS, LOGS = "redis", "logs"


@contextmanager
def locked_data_folder(folder: Path) -> Iterator[None]:
    """Create the data folder, and hold its lock. The system releases the lock if the process is killed.

    The folder gets mode 0700 if it is created here. Its subfolders always get this mode. Raises InputError if another
    process holds the lock, with its process id, or if the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        for part in (REDIS, LOGS):
            make_private_folder(folder / part)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, FILE_MODE)
    except OSError as error:
        raise InputError(f"--data: {error.filename or folder} cannot be used: {error.strerror}") from error
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = lock.read().strip() or "unknown"
            raise InputError(
                f"--data: {folder} is in use by another `glidepath up` (process {holder}); "
                "stop that process, or name another folder"
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def redis_password_file(folder: Path) -> Path:
    """Return the file with the password of the data folder's Redis. It is created once, and Redis reads it too."""
    path = folder / REDIS / "password"
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(32) + "\n")
    return path


def redis_settings_file(folder: Path) -> Path:
    """Write the settings that must not be on Redis' command line, which all users can read, and return their file."""
    path = folder / REDIS / "redis.conf"
    write_private(path, f"requirepass {redis_password_file(folder).read_text().strip()}\n")
    return path
