"""Tests of the choice of free ports."""

from __future__ import annotations

import random
import socket

from glidepath_ops.local.child_process import answers, free_ports


def test_free_ports_are_different_and_below_the_range_of_outgoing_connections() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(20_000 <= port < 32_768 for port in ports)
    assert not any(answers("127.0.0.1", port) for port in ports)


def test_a_taken_port_is_not_offered() -> None:
    port = free_ports(1, random.Random(5))[0]
    with socket.create_server(("127.0.0.1", port)):
        assert answers("127.0.0.1", port)
        assert port not in free_ports(1, random.Random(5))
