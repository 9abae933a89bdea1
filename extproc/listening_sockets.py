"""Where Envoy finds us: Unix sockets with the right permissions, or TCP ports that are ours alone."""

from __future__ import annotations

import errno
import socket
import stat
from pathlib import Path

import grpc

from glidepath.errors import UnreachableError

FOLDER_MODE = 0o750
SOCKET_MODE = 0o660  # bodies pass here: our user and group (Envoy's, in another container), nobody else

OPTIONS = (
    # Envoy sends a chunk as large as its buffer; bodies are bounded by ourselves.
    ("grpc.max_receive_message_length", -1),
    # Two processes on one port would share it silently.
    ("grpc.so_reuseport", 0),
    # The access log's streams are quiet when nobody asks anything.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


def prepare_address(address: str) -> None:
    """Make a Unix socket's folder, remove what a dead process left. Raises UnreachableError for one that is in use."""
    if not address.startswith("unix:"):
        return
    path = Path(address.removeprefix("unix:"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnreachableError(f"extproc.listen: {path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise UnreachableError(f"extproc.listen: {path} is there and is no socket; it is left alone")
    if _in_use(path):
        raise UnreachableError(f"extproc.listen: another process listens on {path}")
    path.unlink(missing_ok=True)


def _in_use(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
        return True


def bind(server: grpc.aio.Server, address: str) -> None:
    """Raises UnreachableError where the address cannot be had."""
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise UnreachableError(f"extproc.listen: cannot listen on {address}") from error


def open_to_group(address: str) -> None:
    """After the server has made its socket."""
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).chmod(SOCKET_MODE)


def remove(address: str) -> None:
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).unlink(missing_ok=True)
