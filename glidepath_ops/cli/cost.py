"""``glidepath cost``: show what the migration costs and saves, from measured tokens and the configured prices."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.config.units import parse_duration
from glidepath.pricing.money_summary import MoneySummary
from glidepath.redisio import RedisClient
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, WorkloadFilter, quantity_of
from glidepath_ops.costs.cost_text import cost_lines, cost_record
from glidepath_ops.costs.read_costs import read_money

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DURATION", help="How far back to look, such as 30d; default: the whole history."),
]


def command(
    config: ConfigPath = DEFAULT_CONFIG, workload: WorkloadFilter = None, since: Since = None, as_json: AsJson = False
) -> None:
    """Show what the migration costs and saves, and when the savings cover its cost.

    Token counts come from captured answers if the backend states them. Otherwise, the tokenizer in
    `backends.X.tokenizer` counts them; without a tokenizer, they are estimated. The output shows the share of each.
    Prices come from `backends.X.price`. The history in Redis goes back 100 days.
    """
    back_s = None if since is None else quantity_of("--since", since, parse_duration)

    async def work(settings: Config, redis: RedisClient) -> MoneySummary:
        if workload is not None:
            settings.workload(workload)
        now_ms = unix_ms()
        since_ms = 0 if back_s is None else now_ms - round(back_s * 1000)
        names = [workload] if workload is not None else list(settings.workloads)
        return await read_money(settings, redis, names, now_ms, since_ms=since_ms, ramps=True)

    summary = with_redis(config, work)
    if as_json:
        typer.echo(json.dumps(cost_record(summary), ensure_ascii=False))
        return
    for line in cost_lines(summary):
        typer.echo(line)
