"""Tests of the choice of free ports."""

from __future__ import annotations

import contextlib
import random
import socket

from glidepath_ops.local.child_process import PORTS, answers, free_ports


def test_free_ports_are_different_and_below_the_range_of_outgoing_connections() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(20_000 <= port < 32_768 for port in ports)
    assert not any(answers("127.0.0.1", port) for port in ports)


def test_a_taken_port_is_not_offered() -> None:
    first = random.Random(5).choice(PORTS)
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", first)):
        assert answers("127.0.0.1", first)
        assert first not in free_ports(1, random.Random(5))


def test_no_port_is_given_twice_because_its_server_may_start_later() -> None:
    assert not set(free_ports(200)) & set(free_ports(200))
