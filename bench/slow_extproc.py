"""Measure how a frozen, slow or dead extproc affects clients: ``make bench-slow-extproc``.

Clients with small bodies and clients with large bodies, in requests and answers, share an Envoy that captures all
requests. The arms differ in extproc: not used (a sample of 0 %), healthy, frozen (SIGSTOP), slow (SIGSTOP for 380 ms of
every 400), a server that reads one byte a second, and dead. The results are the latencies of both kinds of client, the
peak of Envoy's resident memory, and Envoy's counters of the capture.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.body_backend_and_clients import Load, Measured, backend_command, chat_body, quantile, run_loads
from glidepath import runtime_keys
from glidepath.config import Config
from glidepath.errors import UnreachableError
from glidepath_ops.local.child_process import Child, answers, free_ports
from glidepath_ops.local.services import Service, local_services, redis_service
from glidepath_ops.local.stack import Stack

ARMS = ("off", "well", "frozen", "slow", "trickle", "dead")
KIB, MIB = 2**10, 2**20
SIZES = {"16 KiB": 16 * KIB, "256 KiB": 256 * KIB, "2 MiB": 2 * MIB, "30 MiB": 30 * MIB}
SMALL = 16 * KIB
DUTY, PERIOD = 0.02, 0.4  # seconds for which the slow extproc runs, of each period


def bench_config(ports: list[int], folder: Path, workers: int) -> Config:
    return Config.model_validate(
        {
            "envoy": {
                "admin": [f"http://127.0.0.1:{ports[0]}"],
                "listen": f"127.0.0.1:{ports[1]}",
                "shadow_listen": f"127.0.0.1:{ports[2]}",
                "concurrency": workers,
            },
            "redis": {"url": f"redis://127.0.0.1:{ports[3]}/0"},
            "extproc": {"listen": f"unix:{folder}/extproc.sock", "metrics": f"127.0.0.1:{ports[4]}"},
            "scorer": {"metrics": f"127.0.0.1:{ports[5]}"},
            "backends": {
                "today": {"url": f"http://127.0.0.1:{ports[6]}"},
                "other": {"url": f"http://127.0.0.1:{ports[6]}"},
            },
            "workloads": {
                "chat": {
                    "match": {"path": "/v1/chat/completions"},
                    "baseline": "today",
                    "candidate": "other",
                    "shadow": {"sample": 100, "same_side": 0},
                }
            },
        }
    )


class MemoryPeak:
    """The peak of a process' resident memory, in bytes, read every 20 ms until the end of the block."""

    def __init__(self, pid: int) -> None:
        self._status, self._stop = Path(f"/proc/{pid}/statm"), threading.Event()
        self.start = self.peak = self._now()
        self._thread = threading.Thread(target=self._watch)

    def _now(self) -> int:
        return int(self._status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._now())

    def __enter__(self) -> MemoryPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextlib.contextmanager
def mostly_stopped(pid: int) -> Iterator[None]:
    """Let the process run ``DUTY`` of every ``PERIOD`` seconds."""
    stop = threading.Event()

    def alternate() -> None:
        while not stop.wait(DUTY):
            os.kill(pid, signal.SIGSTOP)
            stop.wait(PERIOD - DUTY)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=alternate)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        os.kill(pid, signal.SIGCONT)


_SETTINGS = bytes.fromhex("000000040000000000")  # the preface of an HTTP/2 server, with the default windows


@contextlib.contextmanager
def trickle(path: Path) -> Iterator[None]:
    """Listen on the Unix socket. Read one byte a second from each connection, and answer no ping."""
    stop, threads = threading.Event(), []

    def read_slowly(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(_SETTINGS)
            while connection.recv(1) and not stop.wait(1):
                pass

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(0.1)
        accepting = threading.Thread(target=_accept, args=(server, stop, read_slowly, threads))
        accepting.start()
        try:
            yield
        finally:
            stop.set()
            for thread in (accepting, *threads):
                thread.join()


def _accept(server: socket.socket, stop: threading.Event, serve: Any, threads: list[threading.Thread]) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            connection, _ = server.accept()
            connection.settimeout(2)
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()


@contextlib.contextmanager
def in_state(arm: str, extproc: Child, socket_path: Path) -> Iterator[None]:
    pid = extproc.process.pid
    if arm == "frozen":
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
    elif arm == "slow":
        with mostly_stopped(pid):
            yield
    elif arm in ("dead", "trickle"):
        extproc.kill()
        socket_path.unlink(missing_ok=True)
        with trickle(socket_path) if arm == "trickle" else contextlib.nullcontext():
            yield
    else:
        yield


def admin(url: str, path: str, method: str = "GET") -> str:
    request = urllib.request.Request(url + path, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())


def counters(url: str) -> dict[str, int]:
    text = admin(url, "/stats?filter=ext_proc")
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(": ")
        key = name.rpartition(".")[2]
        found[key] = found.get(key, 0) + (int(value) if value.isdigit() else 0)
    return found


def one_arm(arm: str, size: int, workers: int, options: argparse.Namespace) -> dict[str, Any]:
    """Start all processes for one arm, measure it, and return its results."""
    with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name, Stack() as stack:
        folder, ports = Path(name), free_ports(7)
        config = bench_config(ports, folder, workers)
        backend = backend_command(ports[6], options.delay)
        stack.start(
            Service(
                "backend",
                lambda: Child("backend", backend, folder / "backend.log"),
                lambda: answers("127.0.0.1", ports[6]),
            ),
            redis_service(folder / "redis", ports[3]),
        )
        stack.start(*(part for part in local_services(config, folder) if part.name != "scorer"))
        url, envoy = config.envoy.admin[0], stack.children["envoy"]
        sample = 0 if arm == "off" else 100
        extra = "".join(f"&{one}" for one in options.runtime)
        admin(url, f"/runtime_modify?{runtime_keys.shadow_key('chat')}={sample}{extra}", "POST")
        pause = max(0.05, size / options.large_rate * options.clients)
        loads = [
            Load("small", 4, chat_body(SMALL), SMALL, 0.02),
            Load("large", options.clients, chat_body(size), size, pause),
        ]
        with in_state(arm, stack.children["extproc"], folder / "extproc.sock"), MemoryPeak(envoy.process.pid) as peak:
            measured = run_loads(ports[1], loads, options.seconds)
            counted = counters(url)
        return figures(measured) | {
            "memory_mib": round(peak.peak / MIB),
            "added_mib": round((peak.peak - peak.start) / MIB),
            "streams": counted.get("streams_started", 0),
            "not_captured": counted.get("failure_mode_allowed", 0),
        }


def tried_twice(arm: str, size: int, workers: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run an arm. If a server does not start, run it once more: another process may have taken its port."""
    try:
        return one_arm(arm, size, workers, options)
    except UnreachableError:
        return one_arm(arm, size, workers, options)


def figures(measured: dict[str, Measured]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in measured.items():
        found |= {
            f"{name}_n": len(one.latencies_ms),
            f"{name}_errors": one.errors,
            f"{name}_p50": round(quantile(one.latencies_ms, 0.5), 1),
            f"{name}_p99": round(quantile(one.latencies_ms, 0.99), 1),
            f"{name}_max": round(max(one.latencies_ms, default=float("nan")), 1),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="seconds per arm")
    parser.add_argument("--delay", type=float, default=0.005, help="seconds that the backend takes")
    parser.add_argument("--clients", type=int, default=3, help="clients with large bodies")
    parser.add_argument("--large-rate", type=float, default=20 * MIB, help="bytes a second of large bodies, each way")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="worker threads of Envoy")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=SIZES)
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=ARMS)
    parser.add_argument("--runtime", nargs="*", default=[], help="further runtime values KEY=VALUE")
    options = parser.parse_args()
    print(
        f"{'workers':>7} {'large body':>10} {'extproc':8} |{'small: n':>9}{'err':>4}{'p50':>8}{'p99':>8}{'max':>8} |"
        f"{'large: n':>9}{'err':>4}{'p50':>8}{'p99':>8}{'max':>8} | Envoy MiB (added) | streams, not captured"
    )
    rows = []
    for workers in options.workers:
        for size in options.sizes:
            for arm in options.arms:
                started = time.monotonic()
                row = tried_twice(arm, SIZES[size], workers, options)
                rows.append({"workers": workers, "size": size, "arm": arm} | row)
                cells = [
                    f"{row[f'{kind}_n']:9}{row[f'{kind}_errors']:4}"
                    + "".join(f"{row[f'{kind}_{what}']:8.1f}" for what in ("p50", "p99", "max"))
                    for kind in ("small", "large")
                ]
                print(
                    f"{workers:7} {size:>10} {arm:8} |{cells[0]} |{cells[1]} | {row['memory_mib']:6}"
                    f" ({row['added_mib']:4})     | {row['streams']}, {row['not_captured']}"
                    f"   [{time.monotonic() - started:.0f} s]",
                    flush=True,
                )
    print(json.dumps({"bench": "slow_extproc", "rows": rows}))


if __name__ == "__main__":
    main()
