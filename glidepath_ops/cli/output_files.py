"""Writes a file that the user names. ``-`` is standard output. A device, a FIFO or a descriptor is never replaced."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import typer

from glidepath.errors import InputError

STANDARD_OUTPUT = Path("-")
PRIVATE = 0o600  # mode of a file that only its owner may read
_SHARED = 0o666  # mode of a new file, before the process' umask
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_DESCRIPTORS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


def check_output(path: Path, option: str) -> None:
    """Raise InputError if ``path`` is a directory, or if its directory is missing. The error names ``option``."""
    if is_standard_output(path) or _descriptor(path) is not None:
        return
    if path.is_dir():
        raise InputError(f"{option}: {path}: cannot be written: is a directory")
    folder = _target(path).parent
    if not folder.is_dir():
        raise InputError(f"{option}: {path}: cannot be written: there is no directory {folder}")


def check_in_place(path: Path) -> None:
    """Raise InputError if ``path`` exists but is not a regular file, because it could not be changed in place."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is not a regular file, so it cannot be changed in place")


def write_output(path: Path, text: str | bytes, *, mode: int | None = None, keep_existing: bool = False) -> None:
    """Write ``text`` to ``path``. Raises InputError if this fails.

    ``-`` and /dev/stdout are standard output. A regular file is replaced at once when its new content is complete, so
    no reader sees a part of it. It keeps its mode and its owner. Any other kind of file (a device, a FIFO, a descriptor
    such as /dev/fd/3) is written to, not replaced.

    ``mode``: the mode of a new file; None: the mode that the umask gives.
    ``keep_existing``: whether it is an error if the regular file exists.
    """
    data = text.encode() if isinstance(text, str) else text
    if is_standard_output(path):
        typer.echo(data, nl=False)
        return
    try:
        descriptor = _descriptor(path)
        if descriptor is not None:
            _write_all(os.dup(descriptor), data)
        elif (found := _status(path)) is None or stat.S_ISREG(found.st_mode):
            _replace(_target(path), data, found, mode, keep_existing=keep_existing)
        else:
            _write_all(os.open(path, os.O_WRONLY), data)
    except FileExistsError as error:
        raise InputError(f"{path}: already exists and was not overwritten") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def is_standard_output(path: Path) -> bool:
    """Return whether ``path`` is ``-``, /dev/stdout or another name of this process' standard output."""
    return path == STANDARD_OUTPUT or _descriptor(path) == 1


def is_special(path: Path) -> bool:
    """Return whether ``path`` is standard output, a descriptor, or a special file such as a device or a FIFO."""
    if is_standard_output(path) or _descriptor(path) is not None:
        return True
    return path.exists() and not path.is_file() and not path.is_dir()


def _descriptor(path: Path) -> int | None:
    """Return the number of the descriptor of this process that ``path`` names, such as 3 for /dev/fd/3, or None.

    Opening such a path again would write at the start of a file that the shell has opened for appending.
    """
    match = _DESCRIPTOR.fullmatch(str(path))
    return int(match[1]) if match else _DESCRIPTORS.get(str(path))


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _replace(path: Path, data: bytes, found: os.stat_result | None, mode: int | None, *, keep_existing: bool) -> None:
    if keep_existing and found is not None:
        raise FileExistsError
    if found is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        if found is not None:
            with suppress(PermissionError):  # only root may give a file away
                os.fchown(handle, found.st_uid, found.st_gid)
        os.fchmod(handle, _mode(found, mode))
        _write_all(handle, data, sync=True)
        if keep_existing:
            os.link(draft, path)  # unlike a rename, it fails if the file has appeared since
            draft.unlink()
        else:
            draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _mode(found: os.stat_result | None, mode: int | None) -> int:
    if found is not None:
        return stat.S_IMODE(found.st_mode)
    if mode is not None:
        return mode
    umask = os.umask(0)
    os.umask(umask)
    return _SHARED & ~umask


def _write_all(descriptor: int, data: bytes, *, sync: bool = False) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())
