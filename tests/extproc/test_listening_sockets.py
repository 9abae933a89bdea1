"""Unix sockets: created with their folder, replaced after a dead process, never taken from a running one."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import grpc
import pytest

from extproc import listening_sockets
from glidepath.errors import UnreachableError
from glidepath_ops.local.child_process import free_ports
from tests.support.http2_pings import answered_pings


def test_a_socket_in_a_folder_of_its_user_is_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "private" / "x.sock"
    path.parent.mkdir(mode=0o700)
    path.touch()
    listening_sockets.open_to_group(f"unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_only_the_user_and_the_group_may_use_the_folder_and_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "run" / "extproc.sock"
    address = f"unix:{path}"
    listening_sockets.prepare_address(address)
    server = grpc.aio.server()
    listening_sockets.bind(server, address)
    await server.start()
    listening_sockets.open_to_group(address)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o007 == 0
    with pytest.raises(UnreachableError, match="another process listens"):
        listening_sockets.prepare_address(address)
    await server.stop(0)
    listening_sockets.remove(address)
    listening_sockets.remove(address)
    assert not path.exists()


def test_the_socket_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "extproc.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listening_sockets.prepare_address(f"unix:{path}")
    assert not path.exists()


def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "extproc.sock"
    path.write_text("precious")
    with pytest.raises(UnreachableError, match="not a socket"):
        listening_sockets.prepare_address(f"unix:{path}")
    assert path.read_text() == "precious"


async def test_a_port_in_use_is_an_error() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    first, second = (
        grpc.aio.server(options=listening_sockets.OPTIONS),
        grpc.aio.server(options=listening_sockets.OPTIONS),
    )
    listening_sockets.bind(first, address)
    await first.start()
    with pytest.raises(UnreachableError, match="cannot listen"):
        listening_sockets.bind(second, address)
    await first.stop(0)
    await second.stop(0)


async def test_a_connection_without_data_stays_open_at_any_rate_of_pings() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    server = grpc.aio.server(options=listening_sockets.OPTIONS)
    listening_sockets.bind(server, address)
    await server.start()
    answered = await answered_pings(address, 20)
    await server.stop(0)
    assert answered == 20
