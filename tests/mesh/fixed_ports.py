"""The ports on which control planes and their Envoys always listen, so only one test at a time can use them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence

from tests.mesh.base_resources import HTTP_PORT, HTTPS_PORT, ISTIO_PORT, SIDECAR_PORT

ADMIN_PORT = 19200  # of Envoy Gateway's Envoy; on a cluster 19000, on one machine Envoy Gateway lets the system choose
ENVOY_GATEWAY = (8081, 18000, 18002, 19000, 19001, 19003, ADMIN_PORT, HTTP_PORT, HTTPS_PORT)
ISTIO = (ISTIO_PORT, SIDECAR_PORT)
API_SERVER = (16379, 16380, 16443)


def wait_until_free(ports: Sequence[int], within: float = 20) -> None:
    """Wait until nothing listens on ``ports``: a server of the previous test may still be stopping.

    Raises AssertionError with the taken ports after ``within`` seconds.
    """
    deadline = time.monotonic() + within
    while taken := [port for port in ports if not _is_free(port)]:
        assert time.monotonic() < deadline, f"another program listens on the ports {taken}, which this test needs"
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    with socket.socket() as one, contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("", port))
        return True
    return False
