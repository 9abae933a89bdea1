"""The listening socket of the console."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from glidepath.errors import UnreachableError
from glidepath_ops.console.server import open_listener


def test_a_page_does_not_wait_for_the_acknowledgement_of_its_header() -> None:
    with (
        closing(open_listener("127.0.0.1:0")) as listener,
        closing(socket.create_connection(listener.getsockname(), timeout=5)),
        closing(listener.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_in_use_is_named() -> None:
    with closing(open_listener("127.0.0.1:0")) as listener:
        address = "{}:{}".format(*listener.getsockname())
        with pytest.raises(UnreachableError, match=f"console.listen cannot listen on {address}"):
            open_listener(address)
