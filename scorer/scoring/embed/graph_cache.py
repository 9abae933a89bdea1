"""A cache on disk for ONNX graphs that were built from a model's weights.

The graph of each model fingerprint has one directory, to which only this user can write.
"""

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

_ABANDONED_S = 3600  # a build directory that is older belongs to a process that was killed
_SETTLED_S = 2.0  # a second change within one clock tick of the file system would not change the file's times

Build = Callable[[Path], None]
"""A function that writes the files of a graph into the given empty directory."""


def cache_root() -> Path:
    """Return ``$XDG_CACHE_HOME/glidepath``, by default ``~/.cache/glidepath`` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "glidepath"


@contextmanager
def cached_graph(fingerprint: str, build: Build, root: Path | None = None) -> Iterator[Path]:
    """Yield the directory of the graph with this fingerprint. If it is missing, create it with ``build``.

    Several processes may build at the same time. Each process builds in a directory of its own, which it renames to the
    final name when the graph is complete. The first process succeeds, and the others use its directory. If no private
    cache is possible (read-only file system, directory of another user), the graph is built in a temporary directory,
    which is deleted when the context ends.
    """
    try:
        place = _private(root if root is not None else cache_root()) / fingerprint
        if not place.is_dir():
            _build_into(place, build)
    except (OSError, RuntimeError):  # RuntimeError: this user has no home directory
        with tempfile.TemporaryDirectory(prefix="glidepath-") as temporary:
            build(Path(temporary))
            yield Path(temporary)
    else:
        yield place


def cached_by_stat(path: Path, find: Callable[[Path], str], root: Path | None = None) -> str:
    """Return ``find(path)``. The result comes from the cache if the file has not changed since it was stored there.

    The file counts as unchanged if its path, device, inode, size and times are the same. The cache is not used if no
    private cache is possible. It is also not used if the file was changed less than 2 s ago, because a second change
    soon after the first might leave the file's times the same.
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
    """Return the directory ``root``, after creating it with mode 0700 if it is missing.

    Raises PermissionError if the directory belongs to another user or if other users may write to it.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = root.stat()
    if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{root}: other users may write here")
    return root


def _build_into(place: Path, build: Build) -> None:
    for abandoned in place.parent.glob(".building-*"):
        if abandoned.stat().st_mtime < time.time() - _ABANDONED_S:
            shutil.rmtree(abandoned, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=".building-", dir=place.parent))
    try:
        build(draft)
        for file in filter(Path.is_file, draft.rglob("*")):
            with file.open("rb") as handle:
                os.fsync(handle.fileno())  # a crash must not leave a directory that looks complete but has empty files
        with contextlib.suppress(OSError):  # ENOTEMPTY: another process was first and wrote the same files
            draft.rename(place)
        if not place.is_dir():
            raise OSError(f"{place}: cannot be written")
    finally:
        shutil.rmtree(draft, ignore_errors=True)
