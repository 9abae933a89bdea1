"""Waits for the last scores of the demo, and summarises the results."""

from __future__ import annotations

import asyncio
import contextlib

from glidepath.clock import unix_ms
from glidepath_ops.demo.demo_settings import WORKLOAD
from glidepath_ops.demo.running_demo import LOG_WITHIN, Running
from glidepath_ops.demo.summary import DemoSummary, failures, lost_and_waiting, promotions

# After the clients have stopped, wait for the last scores until the demo's time limit, but at most the first and at
# least the second number of seconds.
SCORE_WITHIN, SCORE_WITHIN_AT_THE_END = 20.0, 5.0
SETTLE_MS = 500  # milliseconds until the status includes the latest results


async def _lost_and_waiting(running: Running) -> tuple[int, int]:
    """Wait a limited time for the scores of all pairs. Return how many pairs were lost and how many still wait."""
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


async def summarise(running: Running) -> DemoSummary:
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
