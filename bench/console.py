"""`make bench-console`: measure the time of each console page, its memory, and the load of open pages on Redis.

A real Redis holds 100,000 results of one workload, 60 pairs with bodies and 100 days of history. A real console runs in
a process of its own. Once the search has read all results, each page is requested several times, one request after the
other. The limits: 300 ms for each page (of CPU time, if other programs keep the machine busy), 200 MB of memory, no
command in Redis' slow log of 10 ms, and with 100 open pages no more reads of Redis than with one page. The console
affects the scorer only through Redis (`make bench-steer-beside-pages` measures the scorer's ticks while pages are
open). If Debian's Chromium is installed, it opens each page once with an empty cache, and reports the first paint.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio
from playwright.sync_api import sync_playwright

from glidepath.clock import unix_ms
from glidepath.pair_scores import ScoredPair
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_redis
from tests.support.console_data import pair, scored, store_results
from tests.support.console_example import CONFIG, store_example, store_history
from tests.support.console_in_a_process import running_console

LIMIT_MS, LIMIT_MB, SLOW_US, PAINT_MS = 300.0, 200.0, 10_000, 1000.0
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
WATCH_S = 6.0
CHAT = "/workloads/chat"
FLAGS = ((), ("numbers",), ("wording",), ("numbers", "omission"), ("negation",))


@dataclass(frozen=True, slots=True)
class Watched:
    """The load on Redis while ``pages`` pages are open, in commands per second."""

    pages: int
    commands_per_s: float


def many_results(number: int) -> list[ScoredPair]:
    one, now = pair("x", "a", "b"), unix_ms()
    base = scored(one, signals={"cosine": 0.9, "word_overlap": 0.8, "numbers": 0.0})
    return [
        replace(
            base,
            pair_id=f"{index:08x}-5a1b-4c8e-9d2f-{index:012d}",
            captured_at_ms=now - (number - index) * 500,
            agreement=(index * 7919 % 1000) / 1000,
            flags=FLAGS[index % len(FLAGS)],
            sticky=f"{index % 5000:032x}",
        )
        for index in range(number)
    ]


async def fill_redis(client: Any, results: int, pairs: int) -> str:
    """Store the results, pairs and history, and return the id of a pair with bodies."""
    everything = many_results(results)
    for start in range(0, len(everything), 2000):
        await store_results(client, everything[start : start + 2000])
    ids = await store_example(client, min(pairs, 60))
    await store_history(client, 1.0)
    await client.config_set("slowlog-log-slower-than", SLOW_US)
    await client.execute_command("SLOWLOG", "RESET")
    return ids[1]


def pages(pair_id: str) -> dict[str, str]:
    """Return the paths of the pages and of the endpoints that they use, by name."""
    return {
        "fleet": "/",
        "workload": CHAT,
        "history, 1 hour": f"{CHAT}/history?range=1h",
        "history, 90 days": f"{CHAT}/history?range=90d",
        "data of 90 days": f"/api{CHAT}/history?range=90d",
        "pairs, worst": f"{CHAT}/pairs",
        "pairs, newest": f"{CHAT}/pairs?sort=newest",
        "pairs by flag": f"{CHAT}/pairs?flag=numbers",
        "pairs by side and time": f"{CHAT}/pairs?side=candidate&since=12h",
        "pairs by sticky value": f"{CHAT}/pairs?sticky={7:032x}",
        "pair by request id": f"{CHAT}/pairs?request=00000064-5a1b-4c8e-9d2f-000000000100",
        "one pair": f"{CHAT}/pair?id={pair_id}",
    }


async def page_times(http: aiohttp.ClientSession, pid: int, pair_id: str, rounds: int) -> dict[str, dict[str, float]]:
    """Return, for each page, the median and largest time and the console's mean CPU time (in ms), and the size in KB.

    Each search has a different value of a parameter that filters nothing, so that no search is answered from a cache.
    """
    found = {}
    for name, path in pages(pair_id).items():
        times, size, cpu_before = [], 0, cpu_ms(pid)
        for number in range(rounds):
            fresh = f"{path}{'&' if '?' in path else '?'}until={1 + number}s" if "/pairs" in path else path
            began = time.perf_counter()
            async with http.get(fresh) as answer:
                size = len(await answer.read())
                assert answer.status == 200, (fresh, answer.status)
            times.append((time.perf_counter() - began) * 1000)
        found[name] = {
            "median_ms": round(statistics.median(times), 1),
            "max_ms": round(max(times), 1),
            "cpu_ms": round((cpu_ms(pid) - cpu_before) / rounds, 1),
            "kb": round(size / 1024, 1),
        }
    return found


async def index_time(http: aiohttp.ClientSession) -> tuple[float, float]:
    """Return the time of the first search in milliseconds, and the time until the index was complete in seconds."""
    began = time.perf_counter()
    first_ms = 0.0
    while True:
        async with http.get(f"{CHAT}/pairs?sort=newest") as answer:
            text = await answer.text()
        first_ms = first_ms or (time.perf_counter() - began) * 1000
        if "still being read" not in text:
            return round(first_ms, 1), round(time.perf_counter() - began, 1)
        await asyncio.sleep(0.2)


async def watched(http: aiohttp.ClientSession, client: Any, number: int) -> Watched:
    """Keep ``number`` pages open for WATCH_S, and count Redis' commands."""

    async def open_page() -> None:
        async with http.get("/live/fleet", timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for _ in answer.content:
                pass

    tasks = [asyncio.create_task(open_page()) for _ in range(number)]
    await asyncio.sleep(1.0)
    before = (await client.info("stats"))["total_commands_processed"]
    await asyncio.sleep(WATCH_S)
    after = (await client.info("stats"))["total_commands_processed"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Watched(number, round((after - before - 1) / WATCH_S, 1))


def first_paints(url: str, pair_id: str) -> dict[str, float]:
    """Return the first contentful paint of each page in milliseconds, each with an empty cache; {} without Chromium.

    Source: Paint Timing, W3C.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        return {}
    found = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        browser.new_page().goto(url)  # starts the browser's own processes
        for name, path in pages(pair_id).items():
            if not path.startswith("/api"):
                context = browser.new_context(bypass_csp=True)  # the console forbids the code that waits for the paint
                page = context.new_page()
                page.goto(url + path)
                page.wait_for_function(PAINT)
                found[name] = round(page.evaluate(PAINT), 1)
                context.close()
        browser.close()
    return found


def cpu_ms(pid: int) -> float:
    """Return the CPU time of a process so far, in milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1024, 1)


async def measure(url: str, pid: int, client: Any, pair_id: str, rounds: int) -> dict[str, Any]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as http:
        first_ms, complete_s = await index_time(http)
        times = await page_times(http, pid, pair_id, rounds)
        slow = [entry for entry in await client.slowlog_get(50) if not entry["command"].startswith(b"SLOWLOG")]
        watching = [await watched(http, client, number) for number in (1, 100)]
    one, hundred = watching
    quiet = os.getloadavg()[0] < len(os.sched_getaffinity(0))
    worst = max(page["median_ms" if quiet else "cpu_ms"] for page in times.values())
    memory = memory_mb(pid)
    return {
        "ok": worst < LIMIT_MS and memory < LIMIT_MB and not slow and hundred.commands_per_s < one.commands_per_s + 3,
        "quiet": quiet,
        "pages": times,
        "first_search_ms": first_ms,
        "index_complete_s": complete_s,
        "memory_mb": memory,
        "slow_commands": [str(entry["command"][:80]) for entry in slow],
        "redis_commands_per_s": {str(one.pages): one.commands_per_s for one in watching},
    }


def report(options: argparse.Namespace) -> dict[str, Any]:
    port = free_ports(1)[0]
    url = f"redis://127.0.0.1:{port}/0"
    with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name, start_redis(Path(name), port):

        async def filled() -> str:
            client = redis.asyncio.from_url(url)
            pair_id = await fill_redis(client, options.results, options.pairs)
            await client.aclose()
            return pair_id

        pair_id = asyncio.run(filled())
        with running_console(Path(name) / "console", CONFIG, url, token=False) as (address, child):

            async def measured() -> dict[str, Any]:
                client = redis.asyncio.from_url(url)
                try:
                    return await measure(address, child.pid, client, pair_id, options.rounds)
                finally:
                    await client.aclose()

            found = asyncio.run(measured())
            paints = first_paints(address, pair_id)
            painted = not found["quiet"] or max(paints.values(), default=0.0) < PAINT_MS
            return {**found, "ok": found["ok"] and painted, "first_paint_ms": paints}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=100_000, help="number of stored results")
    parser.add_argument("--pairs", type=int, default=60, help="number of pairs with bodies, at most 60")
    parser.add_argument("--rounds", type=int, default=10, help="requests of each page")
    found = report(parser.parse_args())
    for name, page in found["pages"].items():
        times = f"median {page['median_ms']:7.1f} ms   max {page['max_ms']:7.1f} ms   CPU {page['cpu_ms']:6.1f} ms"
        paint = found["first_paint_ms"].get(name)
        print(f"{name:24} {times}   {page['kb']:8.1f} KB   first paint {'-' if paint is None else f'{paint:.0f} ms'}")
    print(f"first search {found['first_search_ms']} ms; all results read after {found['index_complete_s']} s")
    print(f"memory {found['memory_mb']} MB; slow commands {found['slow_commands'] or 'none'}")
    print(f"Redis commands a second, by open pages: {found['redis_commands_per_s']}")
    print(json.dumps({"bench": "console", "limit_ms": LIMIT_MS, "limit_mb": LIMIT_MB, **found}))


if __name__ == "__main__":
    main()
