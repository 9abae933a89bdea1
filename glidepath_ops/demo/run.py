"""Run the demo: start all processes, wait for the last step, inject a fault, measure the rollback, summarise."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import GlidepathError, UnreachableError
from glidepath.redisio import connect
from glidepath.status_and_decisions import Decision, Phase
from glidepath_ops.demo.backend_processes import backend_services
from glidepath_ops.demo.client_load import Clients
from glidepath_ops.demo.demo_settings import WORKLOAD, DemoPlan, Ports, demo_config
from glidepath_ops.demo.injected_faults import InjectedFault
from glidepath_ops.demo.progress_display import Display, Snapshot
from glidepath_ops.demo.summary import DemoSummary, Rollback, failures, lost_and_waiting, promotions
from glidepath_ops.demo.system_readings import DemoState, StateReader
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.console_process import console_url, start_console, with_console
from glidepath_ops.local.curl_examples import example_lines, glidepath_command
from glidepath_ops.local.own_redis import start_own_redis
from glidepath_ops.local.preflight import check_packages
from glidepath_ops.local.services import config_file, local_services
from glidepath_ops.local.shutdown_signals import Interrupt
from glidepath_ops.local.stack import Stack

# After the clients have stopped, wait for the last scores until the demo's time limit, but at most the first and at
# least the second number of seconds.
SCORE_WITHIN, SCORE_WITHIN_AT_THE_END = 20.0, 5.0
SETTLE_MS = 500  # milliseconds until the status includes the latest results
LOG_WITHIN = 3.0  # seconds to wait until an event is in the log or the status, for example the rollback
# Watch the rollback until the candidate has at most NEARLY_BACK percent, or for BACK_WITHIN seconds. Each step below
# this percentage would have to wait for samples.
NEARLY_BACK, BACK_WITHIN = 10.0, 12.0
SETTLED = (Phase.VALIDATING, Phase.COMPLETED)
ROLLED_BACK = (Phase.COOLING_DOWN, Phase.ABORTED)


@dataclass(frozen=True, slots=True)
class Options:
    plan: DemoPlan
    fault: InjectedFault
    keep: bool = False
    fault_share: float = 1.0  # the share of the candidate's answers that get the fault


@dataclass(frozen=True, slots=True)
class Setup:
    """The processes of the demo, which have been started, and their configuration."""

    options: Options
    config: Config
    ports: Ports
    folder: Path
    stack: Stack
    display: Display
    interrupt: Interrupt

    @property
    def client_url(self) -> str:
        return f"http://{self.config.envoy.listen}"

    @property
    def candidate_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.candidate}"


@dataclass(slots=True)
class Running:
    """The state of a running demo, which its stages share."""

    setup: Setup
    reader: StateReader
    clients: Clients
    started_ms: int
    stage: str = "promotion on evidence"
    rollback: Rollback | None = None
    problem: str = ""  # why the demo failed before the fault; empty if it did not

    @property
    def plan(self) -> DemoPlan:
        return self.setup.options.plan

    @property
    def fault(self) -> InjectedFault:
        return self.setup.options.fault

    @property
    def display(self) -> Display:
        return self.setup.display

    def elapsed(self) -> float:
        return time.time() - self.started_ms / 1000

    def show(self, seen: DemoState) -> None:
        self.display.show(Snapshot(self.elapsed(), seen, self.clients.stats, self.stage))

    async def until(self, condition: Callable[[DemoState], bool]) -> DemoState:
        """Poll and show the state of the demo until ``condition`` is true.

        Return the state. Raises UnreachableError if a process does not answer or has died; in the second case the error
        contains the end of its log.
        """

        def check(seen: DemoState) -> bool:
            self.show(seen)
            self.setup.stack.raise_if_dead()
            return condition(seen)

        try:
            return await self.reader.until(check)
        except (RedisError, aiohttp.ClientError) as error:
            self.setup.stack.raise_if_dead()
            raise UnreachableError(f"a part of the demo does not answer: {error}") from error


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
        display.say("starting Redis, Envoy, extproc, the scorer and two backends …")
        began = time.monotonic()
        start_own_redis(stack, folder, ports.redis)
        stack.start(*backend_services(options.plan, ports, folder), *local_services(config, folder))
        setup = Setup(options, config, ports, folder, stack, display, interrupt)
        display.say(f"all processes are ready after {time.monotonic() - began:.1f} s: clients call {setup.client_url}")
        if start_console(beside, config, folder, display.say, demo=True):
            display.say(f"watch and steer it at {console_url(config, folder)}")
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
                        if await _reach_last_step(running):
                            await _inject_fault(running)
                except TimeoutError:
                    running.display.say(
                        f"the time limit was reached after {running.elapsed():.0f} s, in the stage: {running.stage}"
                    )
                    running.display.say(running.setup.stack.tails())
                if running.setup.options.keep:
                    await _keep_running(running)
        finally:
            stop.set()
    return await _summarise(running)


async def _reach_last_step(running: Running) -> bool:
    """Wait until the candidate has served the last step for ``settle_s`` seconds, and return True.

    Return False if the candidate was rolled back before that.
    """
    last = running.plan.steps[-1]
    await running.until(lambda seen: seen.percent == last or seen.phase in ROLLED_BACK)
    reached = running.elapsed()
    settle = running.plan.settle_s
    running.stage = f"{last:g} % on the candidate"
    seen = await running.until(
        lambda seen: seen.phase in ROLLED_BACK or (seen.phase in SETTLED and running.elapsed() - reached >= settle)
    )
    if seen.phase in ROLLED_BACK:
        why = seen.decisions[-1].reason if seen.decisions else seen.phase
        running.problem = f"the candidate was rolled back before any fault: {why}"
        return False
    return True


async def _inject_fault(running: Running) -> None:
    """Inject the fault into the candidate, and show and record the rollback.

    The recorded time runs from the candidate's first bad answer until Envoy has a lower weight for the candidate.
    """
    last = running.plan.steps[-1]
    if running.fault is InjectedFault.NONE:
        return
    running.stage = f"fault in the candidate: {running.fault}"
    running.clients.stats.errors_before_fault = running.clients.stats.errors
    await running.reader.put_fault(running.fault, running.setup.options.fault_share)
    async with asyncio.TaskGroup() as group:
        fallen = group.create_task(running.reader.until_weights_fall(below=last))
        group.create_task(running.until(lambda _: fallen.done()))
    took = (fallen.result() - await running.reader.first_bad_ms()) / 1000
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOG_WITHIN):
            await running.until(lambda seen: _first_rollback(seen) is not None)
    running.stage = "traffic moves back to the baseline"
    running.rollback = _rollback(running.reader.seen, took)
    await _watch_rollback(running)


async def _watch_rollback(running: Running) -> None:
    """Show the demo until nearly all traffic is back (at most ``BACK_WITHIN`` seconds), then ``settle_s`` seconds more.

    The rollback takes one step at a time after a regression, and goes to 0 % at once after a catastrophic failure.
    """
    began, settle = running.elapsed(), running.plan.settle_s
    await running.until(lambda seen: (seen.percent or 0) <= NEARLY_BACK or running.elapsed() - began >= BACK_WITHIN)
    reached = running.elapsed()
    await running.until(lambda _: running.elapsed() - reached >= settle)


def _first_rollback(seen: DemoState) -> Decision | None:
    return next((d for d in seen.decisions if d.to_percent < d.from_percent), None)


def _rollback(seen: DemoState, took: float) -> Rollback | None:
    decision = _first_rollback(seen)
    if decision is None:
        return None
    return Rollback(
        trigger=decision.trigger,
        from_percent=decision.from_percent,
        to_percent=decision.to_percent,
        fault_to_weights_s=round(took, 3),
        reason=decision.reason,
    )


async def _keep_running(running: Running) -> None:
    running.stage = "kept running until Ctrl-C"
    for line in (*example_lines(running.setup.config, config_file(running.setup.folder)), *_fault_lines(running)):
        running.display.say(line)
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    with running.setup.interrupt.calls(lambda: loop.call_soon_threadsafe(ended.set)):
        await running.until(lambda _: ended.is_set())


def _fault_lines(running: Running) -> tuple[str, ...]:
    url = f"{running.setup.candidate_url}/control/fault"
    return (
        "  remove the fault (or set errors, latency, quality or body), and try again before the cool-down is over",
        f'    curl -X PUT {url} -d \'{{"fault": "none"}}\'',
        f"    {glidepath_command()} retry {WORKLOAD} --force -c {config_file(running.setup.folder)}",
    )


async def _lost_and_waiting(running: Running) -> tuple[int, int]:
    """Wait a limited time for the scores of all pairs. Return how many pairs were lost, and how many still wait."""
    reader, left = running.reader, running.plan.limit_s - running.elapsed()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(SCORE_WITHIN_AT_THE_END, min(SCORE_WITHIN, left))):
            await reader.until_scored()
            return lost_and_waiting(reader.seen, 0)
    # The status must be newer than the queue's length: otherwise pairs that were scored in between would count as lost.
    queued, asked_ms = await reader.queued(), unix_ms()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOG_WITHIN):
            await reader.until(lambda seen: seen.status is None or seen.status.updated_at_ms > asked_ms + SETTLE_MS)
    return lost_and_waiting(reader.seen, queued)


async def _score_of_the_last_step(running: Running) -> None:
    """Wait until the status has an agreement for the last step.

    At two requests per second, the step's first score can arrive after the step has been confirmed.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOG_WITHIN):
            await running.reader.until(lambda seen: seen.status is None or seen.status.agreement is not None)


async def _summarise(running: Running) -> DemoSummary:
    seconds = running.elapsed()
    lost, waiting = await _lost_and_waiting(running)
    if running.rollback is None:
        await _score_of_the_last_step(running)
    seen, stats, plan = running.reader.seen, running.clients.stats, running.plan
    steps = promotions(seen.decisions, running.started_ms)
    problems = [running.problem] if running.problem else []
    problems += failures(running.fault, plan.steps[-1], stats, steps, running.rollback)
    return DemoSummary(
        workload=WORKLOAD,
        fault=running.fault,
        pairs_scored=seen.status.pairs_scored if seen.status else 0,
        client_requests=stats.requests,
        client_errors=stats.errors,
        pairs_lost=lost,
        pairs_waiting=waiting,
        steps=steps,
        rollback=running.rollback,
        final_percent=seen.percent,
        agreement=seen.status.agreement if seen.status else None,
        seconds=round(seconds, 1),
        client_error_kinds=dict(stats.error_kinds),
        failures=tuple(problems),
    )
