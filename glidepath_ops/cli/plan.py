"""``glidepath plan``: estimate, before the ramp starts, how long each of its steps takes."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from glidepath.clock import unix_ms
from glidepath.config import Config, load_config
from glidepath.config.units import parse_share
from glidepath.duration_text import duration_text
from glidepath.errors import InputError
from glidepath.movable_share import MovableShare, movable_share_of
from glidepath.redisio import RedisClient
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, quantity_of
from glidepath_ops.cli.steering_client import read_status
from glidepath_ops.cli.stored_latencies import stored_spreads
from scorer.steering.planning.freeze_window_share import frozen_share, frozen_text
from scorer.steering.planning.latency_spread import LatencySpread
from scorer.steering.planning.rollback_quota import RollbackLoad, rollback_loads
from scorer.steering.planning.samples_needed import Assumptions
from scorer.steering.planning.step_times import StepPlan, WorkloadPlan, plan_workload

_MAX_ERROR_RATE = 0.5
_LEAST_SIGMA, _MOST_SIGMA = 0.01, 3.0
_MIN_RATE, _MAX_RATE = 1e-6, 1e9  # requests per second; the lowest is one request in twelve days
# A gate with another unit counts requests of the candidate.
_UNITS = {of: f"{{}} {of}" for of in ("pairs", "judged pairs", "verified pairs", "noise pairs", "copies")}
_BOTH_ANSWERS = ("noise pairs", "copies")
_COPIES_TEXT = (
    "copies: requests of which both sides get one; noise pairs: two answers of the baseline to one request; "
    "shadow.same_side sets the share of both in pairs/s"
)


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORKLOAD=RATE",
            help="Requests per second of a workload; repeat the option for each workload. Without a rate, only the "
            "numbers of samples are shown.",
        ),
    ] = None,
    error_rate: Annotated[
        str,
        typer.Option(metavar="SHARE", help="Assumed share of requests that fail, on both backends; at most 50%."),
    ] = "0.2%",
    sd: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Assumed standard deviation of the pairs' agreement scores.")
    ] = 0.15,
    sigma: Annotated[
        float | None,
        typer.Option(
            min=_LEAST_SIGMA,
            max=_MOST_SIGMA,
            help="Assumed standard deviation of the natural logarithm of an answer's total time. Default: the standard "
            "deviation that is measured from the answers stored in Redis, or 0.5 if Redis has no answers.",
        ),
    ] = None,
    measured: Annotated[
        bool,
        typer.Option(
            "--measured",
            help="Also show which share of the requests the candidate can serve, from the data in Redis.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate how long each step of the ramp takes and which gate is slowest.

    For each step and gate, the output shows how many samples a healthy candidate needs to pass: the median of
    simulations with fixed seeds. For the whole ramp, it shows the times within which 50 % and 90 % of the simulated
    ramps end.
    """
    settings = load_config(config)
    rates = parse_rates(rate or [], settings)
    assumed = Assumptions(error_rate=_error_rate(error_rate), sd=sd)
    with_tokens = any(one.quota is not None and one.quota.tokens for one in settings.backends.values())
    spreads = stored_spreads(config, settings) if sigma is None or with_tokens else {}
    plans = []
    with delayed_progress_bar("simulating ramps", len(settings.workloads)) as advance:
        for name, workload in settings.workloads.items():
            spread = _with_spread(assumed, spreads.get(name), sigma)
            plans.append(plan_workload(name, workload, rates.get(name), spread))
            advance(1)
    back = rollback_loads(
        settings, rates, {name: one.tokens for name, one in spreads.items() if one.tokens is not None}
    )
    movable = _movable(config) if measured else {}
    if as_json:
        found = [
            {
                **_plan_json(p),
                "frozen_share": frozen_share(settings.workload(p.workload).ramp.freeze, unix_ms()),
                **_share(movable, p.workload, measured=measured),
            }
            for p in plans
        ]
        quotas = [{**dataclasses.asdict(one), "fits": one.fits} for one in back]
        typer.echo(json.dumps({"workloads": found, "rollback_load": quotas}, ensure_ascii=False))
        return
    for plan in plans:
        _show(plan)
        if frozen := frozen_text(settings.workload(plan.workload).ramp.freeze, unix_ms()):
            typer.echo(f"  {frozen}")
        if measured:
            typer.echo(f"  {_movable_text(movable.get(plan.workload), max(s.percent for s in plan.steps))}")
    _show_rollback_loads(back)


def _show_rollback_loads(back: Sequence[RollbackLoad]) -> None:
    for one in back:
        typer.echo(f"{'warning: ' if one.fits is False else ''}{one}")


def _with_spread(assumed: Assumptions, spread: LatencySpread | None, sigma: float | None) -> Assumptions:
    if sigma is not None:
        return dataclasses.replace(assumed, sigma=sigma)
    if spread is None:
        return assumed
    return dataclasses.replace(assumed, sigma=spread.sigmas["total"], sigmas=spread.sigmas, measured=spread.answers)


def _plan_json(plan: WorkloadPlan) -> dict[str, Any]:
    """Return the plan as JSON values, without the simulations behind its numbers."""
    found = dataclasses.asdict(plan)
    for step in found["steps"]:
        del step["each_seconds"]
        for need in step["needs"]:
            del need["each"], need["copies"]
    return found


def _movable(config: Path) -> dict[str, MovableShare | None]:
    """Return the movable share of each workload that a scorer has steered. None: too little is known."""

    async def work(settings: Config, redis: RedisClient) -> dict[str, MovableShare | None]:
        statuses = {name: await read_status(redis, name) for name in settings.workloads}
        return {name: movable_share_of(status) for name, status in statuses.items() if status is not None}

    return with_redis(config, work)


def _share(movable: Mapping[str, MovableShare | None], workload: str, *, measured: bool) -> dict[str, float | None]:
    found = movable.get(workload)
    return {"movable_share": found.share if found else None} if measured else {}


def _movable_text(movable: MovableShare | None, last_percent: float) -> str:
    if movable is None:
        return "movable share: not measured yet; it needs copies of requests to the candidate"
    more = f"; a step above {movable.share:.0%} moves no more requests" if movable.share * 100 < last_percent else ""
    return f"{movable}{more}"


def _error_rate(text: str) -> float:
    share = quantity_of("--error-rate", text, parse_share)
    if share > _MAX_ERROR_RATE:
        raise InputError(f"--error-rate: must be at most {_MAX_ERROR_RATE:.0%} (got {text!r})")
    return share


def parse_rates(given: list[str], config: Config) -> dict[str, float]:
    """Return requests per second by workload: ``{"chat": 12.5}`` for ``["chat=12.5"]``.

    Raises InputError for an invalid or repeated rate, and UnknownWorkloadError for a workload that is not configured.
    """
    rates: dict[str, float] = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not _MIN_RATE <= value <= _MAX_RATE:
            allowed = f"{_MIN_RATE:g} to {_MAX_RATE:g}"
            raise InputError(f"--rate {text[:60]}: must be WORKLOAD=REQUESTS_PER_SECOND, e.g. chat=12.5 ({allowed})")
        config.workload(name)
        if name in rates:
            raise InputError(f"--rate {text}: {name} is given twice")
        rates[name] = value
    return rates


def _show(plan: WorkloadPlan) -> None:
    at = f"{plan.rate:g} requests/s" if plan.rate else "no rate given (--rate), so only samples are shown"
    typer.echo(f"{plan.workload}: {at}")
    heads = (
        "step",
        "time",
        "slowest",
        "hold",
        "samples",
        "candidate/s",
        "pairs/s",
        *(n.gate for n in plan.steps[0].needs),
    )
    rows = [heads, *(_row(step, last=step is plan.steps[-1]) for step in plan.steps)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    for row in rows:
        typer.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if plan.total_seconds is not None:
        p90 = "too long to estimate" if plan.p90_seconds is None else duration_text(plan.p90_seconds)
        typer.echo(f"  to the last step: {duration_text(plan.total_seconds)} in the median, 90 % of ramps: {p90}")
    if any(need.of in _BOTH_ANSWERS for step in plan.steps for need in step.needs):
        typer.echo(f"  {_COPIES_TEXT}")
    source = f"measured from {plan.sigma_from:,} stored answers" if plan.sigma_from else "assumed; --sigma"
    typer.echo(f"  latencies: σ of ln(total time) {plan.sigma:.2f} ({source})")
    if plan.note:
        typer.echo(f"  note: {plan.note}")
    for warning in plan.warnings:
        typer.echo(f"  warning: {warning}")


def _row(step: StepPlan, *, last: bool) -> tuple[str, ...]:
    needed = (_UNITS.get(n.of, "{}").format("∞" if n.samples is None else n.samples) for n in step.needs)
    time = "never" if step.slow and step.seconds is None else "–"
    time = time if step.seconds is None else duration_text(step.seconds)
    name = f"{step.percent:g} %" if step.percent else "shadow"
    rates = ("–" if r is None else f"{r:.3g}" for r in (step.candidate_rate, step.pair_rate))
    hold = "–" if last else duration_text(step.rules.hold)
    slow = "–" if last else step.slow or "–"
    return (name, "stays" if last else time, slow, hold, str(step.rules.min_samples), *rates, *needed)
