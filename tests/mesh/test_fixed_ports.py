"""Tests that a control plane is not started if its ports are taken, so that its test fails with the reason."""

from __future__ import annotations

import socket

import pytest

from tests.mesh.fixed_ports import wait_until_free


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named(address: str) -> None:
    with socket.create_server((address, 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(AssertionError, match=rf"\[{taken}\]"):
            wait_until_free((taken,), within=0)


def test_free_ports_are_no_reason_to_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    wait_until_free((port,), within=0)
