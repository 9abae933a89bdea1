"""The sockets on which extproc listens.

A Unix socket gets restricted permissions. A TCP port is not shared with another process.
"""

from __future__ import annotations

import errno
import socket
import stat
from pathlib import Path

import grpc

from glidepath import grpc_keepalive
from glidepath.errors import UnreachableError

FOLDER_MODE = 0o750
SOCKET_MODE = (
    0o660  # bodies pass here: only our user and group may connect, and an Envoy in another container has our group
)
PRIVATE_SOCKET_MODE = 0o600  # in a folder of our user, such as the data folder of `up`

OPTIONS = (
    # No limit: Envoy sends chunks as large as its buffer, and extproc limits the bodies by itself.
    ("grpc.max_receive_message_length", -1),
    # With SO_REUSEPORT, two processes could listen on one port unnoticed.
    ("grpc.so_reuseport", 0),
    # Envoy sends keepalive pings even on idle streams: an exchange whose answer has paused, an access log without
    # requests.
    *grpc_keepalive.SERVER_OPTIONS,
)


def prepare_address(address: str) -> None:
    """Create the folder of a Unix socket. Remove an old socket at the same path if no process listens on it.

    Raises UnreachableError if another process listens on the socket, or if the path is not a socket.
    """
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
        raise UnreachableError(f"extproc.listen: {path} exists and is not a socket; it was not removed")
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
    """Bind the server to the address. Raises UnreachableError if the address is not available."""
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise UnreachableError(f"extproc.listen: cannot listen on {address}") from error


def open_to_group(address: str) -> None:
    """Allow a Unix socket's group to connect to the socket, unless only the owner can enter the socket's folder.

    The server must have created the socket before this call.
    """
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        private = not path.parent.stat().st_mode & stat.S_IXGRP
        path.chmod(PRIVATE_SOCKET_MODE if private else SOCKET_MODE)


def remove(address: str) -> None:
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).unlink(missing_ok=True)
