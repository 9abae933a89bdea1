"""`make bench-steer-beside-pages`: measure a tick of the steer loop without the console, and with 100 open pages.

The setup is the same as in `make bench-steer`. In every second round, a real console reads the same Redis, and 100
of its fleet pages are open in a process of their own. The rounds alternate, so that other load affects both kinds of
round alike. The steer loop has one core. The console and the pages may use all cores, as on a machine that all parts
share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import structlog
import yaml

from bench.steer import Costs, config_of_workloads, measure
from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.local.redis_and_envoy import start_redis
from tests.support.console_in_a_process import running_console


async def open_pages(url: str, number: int) -> None:
    """Keep ``number`` pages of the fleet open, and read the events from the console, until this process is killed."""

    async def open_page(http: aiohttp.ClientSession) -> None:
        async with http.get("/live/fleet", timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for _ in answer.content:
                pass

    async with (
        aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as http,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(number):
            group.create_task(open_page(http))


@contextmanager
def console_with_pages(config: str, redis_port: int, pages: int, folder: Path) -> Iterator[None]:
    """Run a console at this Redis with ``pages`` open pages; with 0 pages, run none."""
    if not pages:
        yield
        return
    url = f"redis://127.0.0.1:{redis_port}/0"
    with running_console(folder / "console", config, url, token=False) as (address, _):
        command = [sys.executable, "-m", "bench.steer_beside_pages", "--open", address, "--pages", str(pages)]
        with Child("pages", command, folder / "pages.log"):
            yield


def run(options: argparse.Namespace, pages: int, folder: Path, costs: Costs) -> None:
    redis_port, *admin_ports = free_ports(options.envoys + 1)
    admin = tuple(f"http://127.0.0.1:{port}" for port in admin_ports)
    config = config_of_workloads(options.workloads, admin, redis_port)
    text = yaml.safe_dump(config.model_dump(mode="json", exclude_unset=True, exclude={"redis"}))
    command = [sys.executable, "-m", "bench.steer", "--serve", ",".join(map(str, admin_ports))]
    with (
        start_redis(folder, redis_port, "--appendonly", "no"),
        Child("admins", command, folder / "admins.log"),
        console_with_pages(text, redis_port, pages, folder),
    ):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        asyncio.run(measure(config, options.rate, options.ticks, costs, with_history=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=60, help="number of workloads")
    parser.add_argument("--envoys", type=int, default=4, help="number of Envoys")
    parser.add_argument("--ticks", type=int, default=40, help="number of ticks per round")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds with and without pages")
    parser.add_argument("--rate", type=int, default=100, help="requests/s of each workload")
    parser.add_argument("--pages", type=int, default=100, help="number of open pages")
    parser.add_argument("--open", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        asyncio.run(open_pages(options.open, options.pages))
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    cores, costs = os.sched_getaffinity(0), {0: Costs(), options.pages: Costs()}
    for _ in range(options.rounds):
        for pages, cost in costs.items():
            os.sched_setaffinity(0, cores)  # the child processes may use all cores
            with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as folder:
                run(options, pages, Path(folder), cost)
    results = {pages: cost.summary(options.rate) for pages, cost in costs.items()}
    for pages, result in results.items():
        print(f"{pages:>4} open pages: " + ", ".join(f"{k} {v}" for k, v in result.items() if k != "rate"))
    print(json.dumps({"bench": "steer_beside_pages", "results": results}))


if __name__ == "__main__":
    main()
