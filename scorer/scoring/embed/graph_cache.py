"""Built graphs on disk, one directory a fingerprint, in a cache of this user alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_ABANDONED_S = 3600
_SETTLED_S = 2.0  # longer than any file system's clock ticks

Build = Callable[[Path], None]
"""Writes its files into the empty directory it is given."""


def cache_root() -> Path:
    """``$XDG_CACHE_HOME/glidepath``, by default ``~/.cache/glidepath`` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "glidepath"


@contextmanager
def cached_graph(fingerprint: str, build: Build, root: Path | None = None) -> Iterator[Path]:
    """The directory with what ``build`` wrote, now or in an earlier process.

    Several processes may build at once: each in a directory of its own, renamed into place when complete; the first
    wins and the others use its result. Where no private cache can be kept (read-only file system, somebody else's
    directory) the files live in a temporary directory for as long as the context.
    """
    try:
        place = _private(root if root is not None else cache_root()) / fingerprint
        if not place.is_dir():
            _build_into(place, build)
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        with tempfile.TemporaryDirectory(prefix="glidepath-") as temporary:
            build(Path(temporary))
            yield Path(temporary)
    else:
        yield place


def cached_by_stat(path: Path, find: Callable[[Path], str], root: Path | None = None) -> str:
    """``find(path)``, found once for a file that stays as it is: same place, size, inode and times of its last change.

    Found anew each time where no private cache can be kept, and for a file so fresh that it may change unnoticed.
    """
    status = path.stat()
    if status.st_mtime > time.time() - _SETTLED_S:
        return find(path)
    state = (path.resolve(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    name = "known-" + hashlib.sha256(repr(state).encode()).hexdigest()[:32]
    try:
        place = _private(root if root is not None else cache_root()) / name
        with contextlib.suppress(FileNotFoundError):
            return place.read_text()
        found = find(path)
        draft = place.with_name(f".{name}-{os.getpid()}")
        draft.write_text(found)
        draft.rename(place)
    except (OSError, RuntimeError):
        return find(path)
    return found


def _private(root: Path) -> Path:
    """``root``, made if need be with mode 0700. Raises PermissionError when others could have written to it."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = root.stat()
    if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{root}: others may write here")
    return root


def _build_into(place: Path, build: Build) -> None:
    for left in place.parent.glob(".building-*"):  # by a process that was killed
        if left.stat().st_mtime < time.time() - _ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=".building-", dir=place.parent))
    try:
        build(draft)
        for file in draft.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())  # a crash must not leave a complete-looking directory with empty files
        with contextlib.suppress(OSError):  # ENOTEMPTY: another process was first, with the same content
            draft.rename(place)
        if not place.is_dir():
            raise OSError(f"{place}: cannot be written")
    finally:
        shutil.rmtree(draft, ignore_errors=True)
