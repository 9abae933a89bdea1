"""Runs the demo: starts all processes, runs the stages while clients send requests, and summarises."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.errors import GlidepathError, UnreachableError
from glidepath.redis_keys import DEMO_MARK
from glidepath.redisio import connect
from glidepath_ops.demo.backend_processes import backend_services
from glidepath_ops.demo.client_load import Clients
from glidepath_ops.demo.collect_summary import summarise
from glidepath_ops.demo.demo_settings import Ports, demo_config
from glidepath_ops.demo.demo_state import StateReader
from glidepath_ops.demo.progress_display import Display
from glidepath_ops.demo.running_demo import Options, Running, Setup
from glidepath_ops.demo.stages import inject_fault, keep_running, reach_last_step
from glidepath_ops.demo.summary import DemoSummary
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.console_process import console_url, start_console, with_console
from glidepath_ops.local.own_redis import start_own_redis
from glidepath_ops.local.preflight import check_packages
from glidepath_ops.local.services import local_services
from glidepath_ops.local.shutdown_signals import Interrupt
from glidepath_ops.local.stack import Stack


def run_demo(options: Options, display: Display) -> DemoSummary:
    """Run the whole demo and return its result.

    Raises DependencyError if a package is missing, and UnreachableError if a process cannot be started or dies.
    """
    with (
        tempfile.TemporaryDirectory(prefix="glidepath-demo-") as name,
        Interrupt() as interrupt,
        Stack() as stack,
        Stack() as beside,
    ):
        folder, ports = Path(name), Ports(*free_ports(7))
        config = with_console(demo_config(options.plan, ports, folder), folder)
        check_packages(config)
        display.print_line("starting Redis, Envoy, extproc, the scorer and two backends …")
        began = time.monotonic()
        start_own_redis(stack, folder, ports.redis)
        stack.start(*backend_services(options.plan, ports, folder), *local_services(config, folder))
        setup = Setup(options, config, ports, folder, stack, display, interrupt)
        took_s = time.monotonic() - began
        display.print_line(f"all processes are ready after {took_s:.1f} s: clients call {setup.client_url}")
        if start_console(beside, config, folder, display.print_line, demo=True):
            display.print_line(f"watch and steer it at {console_url(config, folder)}")
        try:
            return asyncio.run(_drive(setup))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        except ExceptionGroup as group:
            raise first_glidepath_error(group) from group


def first_glidepath_error(group: ExceptionGroup[Exception]) -> Exception:
    """Return the first GlidepathError in the exception group of a task group, or the group itself if it has none."""
    ours = group.subgroup(GlidepathError)
    if ours is None:
        return group
    first: Exception = ours
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return first


async def _drive(setup: Setup) -> DemoSummary:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    with setup.interrupt.calls(lambda: loop.call_soon_threadsafe(task.cancel)):
        async with _running(setup) as running:
            try:
                return await _stages(running)
            except* (RedisError, aiohttp.ClientError) as group:
                running.setup.stack.raise_if_dead()
                raise UnreachableError(f"a part of the demo does not answer: {group.exceptions[0]}") from group


@contextlib.asynccontextmanager
async def _running(setup: Setup) -> AsyncIterator[Running]:
    redis = connect(setup.config.redis)
    await redis.set(DEMO_MARK, 1)
    clients = Clients(setup.client_url, setup.options.plan.profile, random.Random(7))
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            reader = StateReader(redis, http, setup.config.envoy.admin[0], setup.candidate_url)
            yield Running(setup, reader, clients, unix_ms())
    finally:
        await redis.aclose()


async def _stages(running: Running) -> DemoSummary:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(running.clients.run(stop))
        try:
            with running.display:
                try:
                    async with asyncio.timeout(running.plan.limit_s):
                        if await reach_last_step(running):
                            await inject_fault(running)
                except TimeoutError:
                    running.display.print_line(
                        f"the time limit was reached after {running.elapsed():.0f} s, in the stage: {running.stage}"
                        f" (the load of this machine is {os.getloadavg()[0]:.0f}, on {os.cpu_count()} processors)"
                    )
                    if running.rollback is None:  # otherwise all that the demo shows has happened
                        running.display.print_line(running.setup.stack.tails())
                if running.setup.options.keep:
                    await keep_running(running)
        finally:
            stop.set()
    return await summarise(running)
