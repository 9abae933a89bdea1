"""Creates folders and files that only the user may read, because they contain prompts, answers and passwords.

Each function raises InputError, which names the file or the folder, if the system refuses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from glidepath.errors import InputError

FOLDER_MODE, FILE_MODE = 0o700, 0o600
UMASK = 0o077  # only the user may read new files and folders of a process with this umask


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn an OSError into an InputError that names ``path``. (Some OSErrors name no file, for example a full disk.)"""
    try:
        yield
    except OSError as error:
        raise InputError(f"{error.filename or path}: cannot be used: {error.strerror}") from error


def make_private_folder(folder: Path) -> None:
    """Create the folder if it is missing, and make sure that only the user may use it."""
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        folder.chmod(FOLDER_MODE)


def write_private(path: Path, text: str) -> None:
    """Write the file, and make sure that only the user may read it, whatever mode it had before."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with naming(path), os.fdopen(os.open(path, flags, FILE_MODE), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), FILE_MODE)
        file.write(text)


def read_text(path: Path) -> str:
    """Return the file's text, with a replacement character for each byte that is not UTF-8."""
    with naming(path):
        return path.read_text(encoding="utf-8", errors="replace")


def append_private(path: Path) -> IO[bytes]:
    """Open the file for appending, and make sure that only the user may read it, whatever mode it had before."""
    with naming(path):
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE), "ab")
        os.fchmod(file.fileno(), FILE_MODE)
    return file
