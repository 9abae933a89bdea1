"""The stages of the demo: reach the last step, inject a fault, watch the rollback, and keep the demo running."""

from __future__ import annotations

import asyncio
import contextlib

from glidepath.status_and_decisions import Decision, Phase
from glidepath_ops.demo.demo_settings import WORKLOAD
from glidepath_ops.demo.demo_state import DemoState
from glidepath_ops.demo.injected_faults import InjectedFault
from glidepath_ops.demo.running_demo import LOG_WITHIN, Running
from glidepath_ops.demo.summary import Rollback
from glidepath_ops.local.curl_examples import example_lines, glidepath_command
from glidepath_ops.local.services import config_file

# Watch the rollback until the candidate has at most NEARLY_BACK percent, or for BACK_WITHIN seconds. Each step below
# this percentage would have to wait for samples.
NEARLY_BACK, BACK_WITHIN = 10.0, 12.0
SETTLED = (Phase.VALIDATING, Phase.COMPLETED)
ROLLED_BACK = (Phase.COOLING_DOWN, Phase.ABORTED)


async def reach_last_step(running: Running) -> bool:
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


async def inject_fault(running: Running) -> None:
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


async def keep_running(running: Running) -> None:
    running.stage = "kept running until Ctrl-C"
    for line in (*example_lines(running.setup.config, config_file(running.setup.folder)), *_fault_lines(running)):
        running.display.print_line(line)
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
