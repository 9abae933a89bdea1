"""Create folders and files that only the user may read: they hold prompts, answers and passwords."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

FOLDER_MODE, FILE_MODE = 0o700, 0o600
UMASK = 0o077  # of a process whose new files and folders only the user may read


def make_private_folder(folder: Path) -> None:
    """Create the folder if it is missing. In both cases only the user may use it afterwards."""
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    folder.chmod(FOLDER_MODE)


def write_private(path: Path, text: str) -> None:
    """Write the file. Only the user may read it, also if it existed with another mode."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), FILE_MODE)
        file.write(text)


def append_private(path: Path) -> IO[bytes]:
    """Open the file to append to it. Only the user may read it, also if it existed with another mode."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE), "ab")
    os.fchmod(file.fileno(), FILE_MODE)
    return file
