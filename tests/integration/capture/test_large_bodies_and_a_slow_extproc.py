"""Clients with bodies of any size never wait for extproc, and Envoy's buffers for extproc are bounded and counted."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bench.body_backend_and_clients import BackendConnection, ClientConnection, Load, chat_body
from glidepath import envoy_names
from glidepath_ops.envoyconfig.envoy_api_builders import HTTP_OPTIONS
from tests.support.envoy_collector import Collector
from tests.support.running_envoy import RunningEnvoy, running_envoy
from tests.support.waiting import eventually

MIB = 2**20
SIZES = (16 * 2**10, 256 * 2**10, 2 * MIB, 30 * MIB)
# SETTINGS with SETTINGS_INITIAL_WINDOW_SIZE, and WINDOW_UPDATE for the connection (RFC 9113, 6.5 and 6.9)
LARGEST_WINDOWS = bytes.fromhex("00000604000000000000047fffffff0000040800000000007fff0000")
CONFIG = """
backends: {{today: {{url: "http://127.0.0.1:{port}"}}, other: {{url: "http://127.0.0.1:{port}"}}}}
extproc: {{listen: "unix:{folder}/extproc.sock"{extproc}}}
workloads:
  chat: {{match: {{path: /v1/chat/completions}}, baseline: today, candidate: other, shadow: {{same_side: 0}}}}
"""


@contextmanager
def never_reading(path: Path) -> Iterator[None]:
    """Listen as a frozen extproc does: the kernel accepts connections and some bytes, but no process reads them."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(64)
        yield


@contextmanager
def reading_a_byte_a_second(path: Path) -> Iterator[None]:
    """Listen as an HTTP/2 server that grants the largest windows, and reads one byte a second from each connection."""
    stop, connections = threading.Event(), list[socket.socket]()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(64)
        server.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                with suppress(TimeoutError):
                    connection, _ = server.accept()
                    connection.setblocking(False)
                    connection.sendall(LARGEST_WINDOWS)
                    connections.append(connection)
                for one in connections:
                    with suppress(OSError):
                        one.recv(1)
                stop.wait(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            for one in connections:
                one.close()


@contextmanager
def not_there(path: Path) -> Iterator[None]:
    yield


def without_pings(bootstrap: dict[str, Any]) -> None:
    """Let Envoy never detect that extproc is frozen, so that a wait for extproc never ends."""
    for cluster in bootstrap["static_resources"]["clusters"]:
        if cluster["name"] in (envoy_names.EXTPROC_CLUSTER, envoy_names.ACCESS_LOG_CLUSTER):
            options = cluster["typed_extension_protocol_options"][HTTP_OPTIONS]
            del options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"]


@asynccontextmanager
async def envoy_before_a_backend(folder: Path, workers: int = 1, extproc: str = "") -> AsyncIterator[RunningEnvoy]:
    server = await asyncio.get_running_loop().create_server(lambda: BackendConnection(0), "127.0.0.1", 0)
    async with server:
        text = CONFIG.format(port=server.sockets[0].getsockname()[1], folder=folder, extproc=extproc)
        with running_envoy(text, folder, concurrency=workers, edit=without_pings) as envoy:
            yield envoy


async def exchange(envoy: RunningEnvoy, size: int) -> bool:
    """Send a request, with bodies of ``size`` bytes in both directions. Return whether its status is 200."""
    load = Load("one", 1, chat_body(size), size, 0)
    port = int(envoy.live.rpartition(":")[2])
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: ClientConnection(load.request()), "127.0.0.1", port
    )
    try:
        async with asyncio.timeout(60):
            return await connection.ask()
    finally:
        connection.transport.close()


def memory_of(envoy: RunningEnvoy) -> int:
    pages = Path(f"/proc/{envoy.child.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("extproc", [never_reading, reading_a_byte_a_second, not_there])
async def test_requests_of_any_size_are_answered_without_waiting_for_extproc(
    tmp_path: Path, extproc: Callable[[Path], Any], workers: int
) -> None:
    with ExitStack() as stack:
        stack.enter_context(extproc(tmp_path / "extproc.sock"))
        # with a long max_body, the limit of one copy is above the limits at which Envoy makes clients wait by default
        async with envoy_before_a_backend(tmp_path, workers, ", max_body: 24MiB") as envoy:
            for size in SIZES:
                answered = await asyncio.gather(*(exchange(envoy, size) for _ in range(3)))
                assert all(answered), size
            counted = envoy.stats(r"ext_proc\.(streams_started|failure_mode_allowed)$")
            started = sum(value for name, value in counted.items() if name.endswith("streams_started"))
            refused = sum(value for name, value in counted.items() if name.endswith("failure_mode_allowed"))
            assert started == 3 * len(SIZES)
            assert refused == (started if extproc is not_there else 0)


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_copies_that_envoy_holds_for_a_frozen_extproc_are_bounded(tmp_path: Path, workers: int) -> None:
    size, requests, limit = 3 * MIB, 64, 8 * MIB
    own = 64 * MIB  # the requests of clients in flight, and memory that is freed but not given back
    with never_reading(tmp_path / "extproc.sock"):
        async with envoy_before_a_backend(tmp_path, workers, ", envoy_memory: 8MiB") as envoy:
            assert await exchange(envoy, 1000)
            before = memory_of(envoy)
            for _ in range(requests // 4):
                assert all(await asyncio.gather(*(exchange(envoy, size) for _ in range(4))))
            assert memory_of(envoy) - before < workers * limit + own < requests * 2 * size


async def test_a_copy_that_is_too_long_ends_with_an_empty_message_and_the_next_one_is_whole(tmp_path: Path) -> None:
    kept = 2 * 64 * 2**10 + 64 * 2**10  # twice max_body, and some for the messages that are not bodies
    async with (
        Collector(tmp_path / "extproc.sock") as collector,
        envoy_before_a_backend(tmp_path, extproc=", max_body: 64KiB") as envoy,
    ):
        assert await exchange(envoy, MIB)
        await eventually(lambda: bool(collector.streams and collector.streams[0]))
        cut = collector.streams[0]
        await eventually(lambda: cut[-1].ByteSize() == 0)
        assert sum(len(message.request_body.body) for message in cut) <= kept
        assert [message for message in cut if not message.ByteSize()] == [cut[-1]]
        assert await exchange(envoy, 60_000)
        await eventually(lambda: any(m.response_body.end_of_stream for one in collector.streams[1:] for m in one))
        whole = collector.streams[1]
        assert sum(len(message.request_body.body) for message in whole) == 60_000
        assert sum(len(message.response_body.body) for message in whole) == 60_000


async def test_streams_that_have_ended_no_longer_count(tmp_path: Path) -> None:
    """The limit is reached several times. Every copy is complete, because extproc has ended the earlier streams."""
    async with (
        Collector(tmp_path / "extproc.sock", ends_streams=True) as collector,
        envoy_before_a_backend(tmp_path, extproc=", envoy_memory: 1MiB") as envoy,
    ):
        for number in range(1, 9):
            assert await exchange(envoy, 200_000)
            await eventually(lambda n=number: len(collector.streams) == n and collector.ended == n)  # type: ignore[misc]
        assert all(message.ByteSize() for stream in collector.streams for message in stream)
