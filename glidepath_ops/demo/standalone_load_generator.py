"""Runs the demo's clients alone, against an Envoy that is already running.

``python -m glidepath_ops.demo.standalone_load_generator --url http://envoy:10000``

The rate and the running time are limited. After each second in which clients got answers and no request failed, the
file given with ``--alive`` is touched. A health check can test the age of this file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path

from glidepath.timed_wait import wait_until_set
from glidepath_ops.demo.client_load import Clients, ClientStats
from glidepath_ops.demo.demo_settings import written_plan

MAX_RATE, MAX_SECONDS = 500.0, 86_400.0
REPORT_S = 10


async def run(options: argparse.Namespace) -> ClientStats:
    """Send requests until the time is up, or SIGTERM or SIGINT arrives. Return the statistics after the last answer."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.call_later(options.seconds, stop.set)
    profile = replace(written_plan().profile, rate=options.rate)
    clients = Clients(options.url.rstrip("/"), profile, random.Random(options.seed))
    async with asyncio.TaskGroup() as group:
        group.create_task(clients.run(stop))
        group.create_task(_report(clients.stats, options.alive, stop))
    return clients.stats


async def _report(stats: ClientStats, alive: Path | None, stop: asyncio.Event) -> None:
    answered = errors = seconds = 0
    while not stop.is_set():
        if not await wait_until_set(stop, 1):
            seconds += 1
        if alive is not None and stats.answered > answered and stats.errors == errors:
            _touch(alive)
        answered, errors = stats.answered, stats.errors
        if seconds and seconds % REPORT_S == 0:
            _print_stats(stats)


def _touch(file: Path) -> None:
    file.touch()


def _print_stats(stats: ClientStats) -> None:
    p50 = stats.p50_ms()
    line = {
        "requests": stats.requests,
        "errors": stats.errors,
        "error_kinds": dict(stats.error_kinds),
        "skipped": stats.skipped,
        "p50_ms": None if p50 is None else round(p50, 1),
        "models": dict(stats.models),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", required=True, help="URL of Envoy's listener, without a path")
    options.add_argument("--rate", type=_bounded(MAX_RATE), default=40.0, help=f"requests/s, at most {MAX_RATE:g}")
    options.add_argument(
        "--seconds", type=_bounded(MAX_SECONDS), default=900.0, help=f"seconds to run, at most {MAX_SECONDS:g}"
    )
    options.add_argument("--alive", type=Path, help="file to touch while all answers are correct")
    options.add_argument("--seed", type=int, default=1, help="seed of the random numbers")
    return options


class _bounded:  # noqa: N801 - argparse uses it as a type
    """Parses a command line argument, which must be a number above 0 and at most ``limit``."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, text: str) -> float:
        value = float(text)
        if not 0 < value <= self.limit:
            raise argparse.ArgumentTypeError(f"{text}: must be above 0 and at most {self.limit:g}")
        return value


if __name__ == "__main__":
    _print_stats(asyncio.run(run(parser().parse_args())))
