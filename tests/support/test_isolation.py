"""Tests of the isolation itself: it observes every attempt to contact another machine, and every written file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.isolation import run_isolated

pytestmark = pytest.mark.process

PROGRAM = """
import contextlib, socket, sys
def connect(family, address, port):
    with socket.socket(family) as one, contextlib.suppress(OSError):
        one.settimeout(0.2)
        one.connect((address, port))
connect(socket.AF_INET, "192.0.2.1", 443)
connect(socket.AF_INET6, "2001:db8::1", 8443)
connect(socket.AF_INET, "127.0.0.1", 9)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
    question.sendto(b"?", ("192.0.2.53", 53))
for place in sys.argv[1:]:
    open(place, "w").write("x")
print("done")
"""


def test_every_contact_and_every_file_is_seen_and_nothing_has_an_effect(tmp_path: Path) -> None:
    places = [str(tmp_path / "here"), "/var/tmp/glidepath-isolation-test"]
    seen = run_isolated(tmp_path / "view", [sys.executable, "-c", PROGRAM, *places], cwd=Path.cwd())
    assert (seen.status, seen.output) == (0, "done\n")
    assert seen.outside() == [("tcp", "192.0.2.1", 443), ("tcp", "2001:db8::1", 8443), ("udp", "192.0.2.53", 53)]
    assert seen.loopback_ports() == {9}
    assert seen.written_outside(tmp_path) == [places[1]]
    assert seen.written == tuple(sorted(places))
    assert not any(Path(place).exists() for place in places)
