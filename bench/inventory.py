"""`make bench-inventory`: `glidepath inventory` on a synthetic month of two million requests.

The month has ten workloads, five callers and four models, with sums that are known exactly
(``traffic_of_a_month.py``). The command reads it in two ways, each in a process of its own:

- ``redis``: extproc's own code counts each request, from its access log entry and its bodies, and writes the counts
  to a real Redis; the command reads them there
- ``file``: the command reads the requests as lines of an access log (``--from``)

The limits: all ten workloads are named, each sum of requests and tokens is right within 0.1 %, and the command takes
less than 60 s and 300 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from bench.traffic_of_a_month import (
    MONTH_MS,
    SHAPES,
    WORKLOADS,
    MonthlyWorkload,
    expected_tokens,
    line,
    month,
    numbers,
)
from extproc.inventory_facts import BodyFacts, SeenMessage
from extproc.inventory_observer import InventoryObserver, SeenExchange
from extproc.inventory_writer import InventoryWriter
from glidepath import envoy_names
from glidepath.call_classes import CallClass
from glidepath.clock import unix_ms
from glidepath.config.inventory import InventorySection
from glidepath.eligibility import RequestFacts
from glidepath.inventory.period_tallies import HOUR_MS
from glidepath.inventory.tally import GroupKey, Source, shape_name
from glidepath.token_usage import TokenUsage
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_redis

MOST_S, MOST_MB, MOST_ERROR = 60.0, 300.0, 0.001
_CALLERS = InventorySection(callers=("x-team",), fingerprint=False)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of ``glidepath inventory``.

    ``named``: the number of workloads that the command found. ``worst``: the largest relative error among the numbers
    of requests and of tokens. ``seconds``: the duration. ``cpu_seconds``: the CPU time. ``megabytes``: the peak memory.
    """

    way: str
    named: int
    worst: float
    seconds: float
    cpu_seconds: float
    megabytes: float

    @property
    def good(self) -> bool:
        right = self.named == len(WORKLOADS) and self.worst <= MOST_ERROR
        return right and self.seconds < MOST_S and self.megabytes < MOST_MB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2_000_000)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        runs = [asyncio.run(by_redis(Path(folder), requests)), by_file(Path(folder), requests)]
    print(f"{requests:,} requests, {len(WORKLOADS)} workloads")
    print(f"{'way':8}{'named':>6}{'worst error':>13}{'time':>10}{'CPU time':>10}{'memory':>10}")
    for run in runs:
        memory = f"{run.megabytes:.0f} MB"
        print(f"{run.way:8}{run.named:>6}{run.worst:>12.4%} {run.seconds:>7.1f} s{run.cpu_seconds:>8.1f} s{memory:>10}")
    good = all(run.good for run in runs)
    print(json.dumps({"bench": "inventory", "good": good, **{run.way: _values(run) for run in runs}}))
    return 0 if good else 1


def _values(run: Run) -> dict[str, float]:
    return {
        "named": run.named,
        "worst": run.worst,
        "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds,
        "megabytes": run.megabytes,
    }


async def by_redis(folder: Path, requests: int) -> Run:
    port = free_ports(1)[0]
    config = folder / "glidepath.yaml"
    config.write_text(f"""
redis: {{url: "redis://127.0.0.1:{port}/0"}}
inventory: {{callers: [x-team], fingerprint: false}}
""")
    with start_redis(folder / "redis", port):
        client = redis.asyncio.from_url(f"redis://127.0.0.1:{port}/0")
        async with client:
            seconds = await store_month(client, requests, unix_ms())
            memory = int((await client.info("memory"))["used_memory"]) / 2**20
        print(f"counting took {seconds / requests * 1e6:.0f} µs of CPU a request; Redis holds {memory:.1f} MB")
        return run_command("redis", requests, "-c", str(config))


async def store_month(client: Any, requests: int, end_ms: int) -> float:
    """Count a month of requests as extproc does, and write the counts to Redis. Return the CPU time in seconds.

    ``end_ms``: the end of the month, in Unix milliseconds.
    """
    now_ms = begin_ms = end_ms - MONTH_MS
    observer = InventoryObserver(_CALLERS, (), 2**20, wall=lambda: now_ms / 1000)
    writer = InventoryWriter(client, _CALLERS, observer, "bench/0/1")
    entries = {(of, n): log_entry(of, n) for of in WORKLOADS for n in range(SHAPES)}
    bodies = {(of, n): exchange(of, n) for of in WORKLOADS for n in range(SHAPES)}
    began, hour = time.process_time(), -1
    for request in month(requests):
        now_ms = begin_ms + request.at_ms
        if request.at_ms // HOUR_MS != hour:
            hour = request.at_ms // HOUR_MS
            await writer.write(now_ms)
        of = (request.workload, request.variant)
        observer.logged(entries[of])
        observer.count(*bodies[of])
    await writer.write(now_ms)
    return time.process_time() - began


def log_entry(of: MonthlyWorkload, variant: int) -> HTTPAccessLogEntry:
    entry = HTTPAccessLogEntry()
    common, tags = entry.common_properties, entry.common_properties.custom_tags
    tags[envoy_names.CALLER_TAG] = of.team
    common.upstream_cluster = "cloud"
    common.time_to_last_rx_byte.FromMilliseconds(1)
    common.time_to_first_upstream_rx_byte.FromMilliseconds(40)
    common.time_to_last_upstream_rx_byte.FromMilliseconds(of.latency_ms + 20 * variant)
    entry.request.path, entry.request.request_method = of.path, RequestMethod.POST
    entry.request.request_body_bytes = 4 * of.tokens_in
    entry.response.response_code.value = 200
    entry.response.response_headers["content-type"] = "text/event-stream" if of.streamed else "application/json"
    return entry


def exchange(of: MonthlyWorkload, variant: int) -> tuple[SeenExchange, BodyFacts]:
    tokens_in = of.tokens_in + variant
    key = GroupKey(Source.BODY, of.path, CallClass.INFERENCE, "", f"x-team={of.team}")
    asked = SeenMessage(b"x" * 4 * tokens_in)
    seen = SeenExchange(key, "", "cloud", 200, False, of.path, asked, SeenMessage(), of.latency_ms + 20 * variant, 40)
    facts = BodyFacts(
        of.model,
        of.streamed,
        shape_name((), tools=of.tools),
        RequestFacts(4 * tokens_in, tokens_in + of.tokens_out),
        usage=TokenUsage(tokens_in, of.tokens_out + (variant if of.tokens_out else 0)),
    )
    return seen, facts


def by_file(folder: Path, requests: int) -> Run:
    log = folder / "access.jsonl"
    begin_ms = unix_ms() - MONTH_MS
    with log.open("wb", buffering=2**20) as opened:
        for request in month(requests):
            opened.write(line(request, begin_ms))
    print(f"wrote {log.stat().st_size / 2**20:.0f} MB of access log")
    found = run_command("file", requests, "--from", str(log), "--caller", "x-team", "--since", "40d", folder=folder)
    log.unlink()
    return found


def run_command(way: str, requests: int, *options: str, folder: Path | None = None) -> Run:
    """Run the command as a process, and compare its result with the known sums."""
    command = [sys.executable, "-m", "glidepath_ops", "inventory", "--json", *options]
    read, write = os.pipe()
    began = time.perf_counter()
    place = str(folder or Path.cwd())
    process = os.posix_spawn(
        sys.executable,
        command,
        {**os.environ, "PWD": place, "PYTHONPATH": str(Path(__file__).parents[1])},
        file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)],
    )
    os.close(write)
    with os.fdopen(read, "rb") as output:
        text = output.read()
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{way}: the command failed")
    named, worst = compared(json.loads(text), requests)
    return Run(way, named, worst, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compared(found: Mapping[str, Any], requests: int) -> tuple[int, float]:
    """Return how many workloads were found, and the largest relative error among all sums.

    The errors are those of each found workload's sums, and of the number of all requests.
    """
    by_key = {(one["path"], one["model"], one["caller"]): one for one in found["workloads"]}
    worst, named = abs(found["requests"] - requests) / requests, 0
    for of, count in zip(WORKLOADS, numbers(requests), strict=True):
        one = by_key.get((of.path, of.model, f"x-team={of.team}"))
        if one is None:
            continue
        named += 1
        tokens_in, tokens_out = expected_tokens_of(of, count)
        sums = (
            (one["requests"], count),
            (one["tokens"]["input"], tokens_in),
            (one["tokens"]["output"], tokens_out),
        )
        worst = max(worst, *(abs(got - want) / max(want, 1) for got, want in sums))
    return named, worst


def expected_tokens_of(of: MonthlyWorkload, count: int) -> tuple[int, int]:
    """Return a workload's sums of input and of output tokens, if ``month`` yields ``count`` requests of it."""
    tokens_in = tokens_out = 0
    for hour in range(720):
        part = count * (hour + 1) // 720 - count * hour // 720
        more_in, more_out = expected_tokens(of, part)
        tokens_in, tokens_out = tokens_in + more_in, tokens_out + more_out
    return tokens_in, tokens_out


if __name__ == "__main__":
    sys.exit(main())
