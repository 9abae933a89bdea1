"""Reads the facts for the report from Redis."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from glidepath.config import Config
from glidepath.config.user_feedback import FeedbackSection
from glidepath.feedback_intake import served_keys
from glidepath.movable_share import movable_share_of
from glidepath.pair_scores import ScoredPair
from glidepath.pricing.money_summary import WorkloadHistory, money_summary
from glidepath.redis_keys import DEMO_MARK, WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.status_and_decisions import Decision
from glidepath_ops.cli.steering_client import read_log, read_status
from glidepath_ops.costs.read_costs import read_others, read_workload_history, with_ramp
from glidepath_ops.pairs.read_pairs import newest_results
from glidepath_ops.report.report_facts import ReportFacts, Stored, WorkloadFacts

MOST_DECISIONS, MOST_RESULTS = 5000, 5000


async def gather_facts(
    config: Config, redis: RedisClient, names: Sequence[str], now_ms: int, since_ms: int = 0
) -> ReportFacts:
    """Return the facts about some workloads since a time. Raises RedisError or OSError."""
    found, histories = [], []
    for name in names:
        history, no_ramp = await with_ramp(config, await read_workload_history(redis, config, name, now_ms, since_ms))
        found.append(await _workload_facts(config, redis, history, no_ramp, now_ms, since_ms))
        histories.append(history)
    money = money_summary(config, histories, now_ms, await read_others(redis, config, names, now_ms, since_ms))
    demo = bool(await redis.exists(DEMO_MARK))
    return ReportFacts(config, version("glidepath"), now_ms, since_ms, found, money, demo=demo)


async def _workload_facts(
    config: Config, redis: RedisClient, history: WorkloadHistory, no_ramp: str, now_ms: int, since_ms: int
) -> WorkloadFacts:
    name = history.workload
    workload, status = config.workload(name), await read_status(redis, name)
    decisions = [d for d in await read_log(redis, name, MOST_DECISIONS) if d.at_ms >= since_ms]
    excerpts = config.redaction.excerpts > 0
    return WorkloadFacts(
        name,
        workload,
        config.backends[workload.baseline],
        config.backends[workload.candidate],
        status,
        decisions,
        history.points,
        await _results(redis, name, decisions) if excerpts else {},
        await _stored(redis, name, workload.feedback, now_ms),
        movable_share_of(status) if status is not None else None,
        history.ramp_s,
        no_ramp,
    )


async def _results(redis: RedisClient, name: str, decisions: Sequence[Decision]) -> dict[str, ScoredPair]:
    """Return the stored results of the pairs that the decisions name."""
    wanted = {pair.id for decision in decisions for pair in decision.weighed_pairs}
    found: dict[str, ScoredPair] = {}
    if wanted:
        async for result in newest_results(redis, name, MOST_RESULTS):
            if result.pair_id in wanted:
                found[result.pair_id] = result
    return found


async def _stored(redis: RedisClient, name: str, feedback: FeedbackSection | None, now_ms: int) -> Stored:
    keys = WorkloadKeys(name)
    pipe = redis.pipeline(transaction=False)
    for stream in (keys.pairs, keys.results, keys.outcomes, keys.log):
        pipe.xlen(stream)
    pipe.hlen(keys.kept).hlen(keys.labels)
    pipe.zcard(keys.feedback_note_times)
    pipe.xrange(keys.pairs, count=1)
    for key in served_keys(name, feedback, now_ms) if feedback is not None else ():
        pipe.hlen(key)
    pairs, results, outcomes, decisions, kept, labels, shown, oldest, *served = await pipe.execute()
    oldest_ms = int(oldest[0][0].split(b"-")[0]) if oldest else None
    return Stored(pairs, results, outcomes, kept, labels, decisions, sum(served), shown, oldest_ms)
