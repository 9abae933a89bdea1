"""``glidepath probe``: send synthetic prompts to both backends now, and show the results and scores of the answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from glidepath.config import Config, Workload
from glidepath.errors import InputError, UnreachableError
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import Answer
from glidepath.probe.prompts import probe_requests
from glidepath.probe.send import Prober, ProbeResult, answer_failure, store_pair
from glidepath.protobuf_codec import decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.cli.output_width import WIDE_TABLE, output_console
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJsonLines, ConfigPath, seconds_of
from glidepath_ops.pairs.read_pairs import StoredPair
from glidepath_ops.pairs.show_pairs import page
from glidepath_ops.pairs.stored_texts import answer_text, prompt_text

_MAX_WAIT_S = 600.0
MOST_CHARS = 4000  # of each text that --answers shows


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One probe and its score. ``scored`` is None if no score arrived in time, or if a backend failed."""

    probed: ProbeResult
    scored: ScoredPair | None = None


def command(
    workload: Annotated[
        str | None, typer.Argument(help="Workload to probe; default: every workload with a probes section.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    count: Annotated[
        int | None,
        typer.Option(
            "--count", "-n", metavar="COUNT", min=1, help="Send only the first COUNT prompts of each workload."
        ),
    ] = None,
    wait: Annotated[
        str,
        typer.Option(
            "--wait", metavar="DURATION", help="How long to wait for the scores of each workload; at most 10m."
        ),
    ] = "30s",
    via: Annotated[
        str | None,
        typer.Option(
            "--via", help="Address of Envoy's shadow listener: HOST:PORT or unix:/path; default: envoy.shadow_listen."
        ),
    ] = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="Also show each prompt and the texts of both answers, side by side.")
    ] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Send synthetic prompts to both backends, and show status, time and agreement of the answers.

    The prompts are sent one at a time. --answers shows the texts too; `glidepath pairs show ID` shows them later. The
    exit status is 1 if a backend did not answer a prompt successfully.
    """

    seconds = seconds_of("--wait", wait, _MAX_WAIT_S)

    async def work(settings: Config, redis: RedisClient) -> tuple[dict[str, Workload], list[ProbeRow]]:
        names = _names(settings, workload)
        listener = via or settings.envoy.shadow_listen
        async with Prober(settings, listener) as prober:
            rows = [row for name in names for row in await _probe(settings, redis, prober, name, count, seconds)]
        return settings.workloads, rows

    sections, rows = with_redis(config, work, waiting=None)
    if as_json:
        for row in rows:
            typer.echo(json.dumps({**_record(row), **(_texts(sections, row) if answers else {})}))
    else:
        console = output_console(WIDE_TABLE)
        console.print(table(rows))
        for row in rows if answers else ():
            pair = row.probed.pair
            stored = StoredPair(row.scored, pair)
            console.print(Text(), page(sections[pair.workload], stored, None, MOST_CHARS))
    if not all(row.probed.comparable for row in rows):
        raise typer.Exit(1)


def _names(settings: Config, workload: str | None) -> list[str]:
    if workload is not None:
        settings.workload(workload)
        return [workload]
    names = [name for name, one in settings.workloads.items() if one.probes is not None]
    if not names:
        raise InputError("no workload has a probes section, so there is nothing to send")
    return names


async def _probe(
    settings: Config, redis: RedisClient, prober: Prober, name: str, count: int | None, wait: float
) -> list[ProbeRow]:
    requests = await asyncio.to_thread(probe_requests, settings, name)
    before = await _last_result(redis, name)
    probes: list[ProbeResult] = []
    sent = requests[:count]
    with delayed_progress_bar(f"probing {name}", len(sent)) as advance:
        for request in sent:
            probed = await prober.probe(name, request)
            if probed.not_sent:
                why = f"{probed.answers[0].error} (use --via for another listener)"
                raise UnreachableError(f"envoy.shadow_listen: {why}")
            await store_pair(redis, settings, probed)
            probes.append(probed)
            advance(1)
    wanted = {probed.pair.id for probed in probes if probed.comparable}
    with delayed_progress_bar("waiting for the scores", None):
        scores = await _scores(redis, name, before, wanted, wait)
    return [ProbeRow(probed, scores.get(probed.pair.id)) for probed in probes]


async def _last_result(redis: RedisClient, name: str) -> str:
    last = await redis.xrevrange(WorkloadKeys(name).results, count=1)
    return str(last[0][0].decode()) if last else "0-0"


async def _scores(redis: RedisClient, name: str, cursor: str, wanted: set[str], wait: float) -> dict[str, ScoredPair]:
    """Return the scores of the pairs with the ids ``wanted`` that arrive within ``wait`` seconds, by pair id.

    ``cursor`` is the id of the last stream entry from before the probes.
    """
    found: dict[str, ScoredPair] = {}
    deadline = time.monotonic() + wait
    key = WorkloadKeys(name).results
    while len(found) < len(wanted) and (left := deadline - time.monotonic()) > 0:
        for entry_id, fields in await redis.xrange(key, min=f"({cursor}", count=500):
            cursor = entry_id.decode()
            scored = decode_scored(fields[b"r"])
            if scored.pair_id in wanted:
                found[scored.pair_id] = scored
        if len(found) < len(wanted):
            await asyncio.sleep(min(left, 0.1))
    return found


def table(rows: Sequence[ProbeRow]) -> Table:
    """Return a table with one row per probe: status and time of both answers, their agreement and a remark."""
    grid = Table(box=None, pad_edge=False)
    for heading in ("workload", "probe", "baseline", "candidate", "agreement", ""):
        grid.add_column(heading, overflow="fold")
    for row in rows:
        pair = row.probed.pair
        baseline, candidate = row.probed.answers
        score, remark = _score(row)
        grid.add_row(
            pair.workload, escape(row.probed.request.label), _answer(baseline), _answer(candidate), score, remark
        )
    return grid


def _answer(answer: Answer) -> str:
    why = answer_failure(answer)
    return f"[red]{escape(f'{answer.backend}: {why}')}[/]" if why else f"{answer.status} in {answer.total_ms:.0f} ms"


def _score(row: ProbeRow) -> tuple[str, str]:
    """Return the agreement of a probe's two answers as text, and a remark: why there is no agreement, or the flags."""
    if not row.probed.comparable:
        return "–", "not compared: a side failed"
    if row.scored is None:
        return "–", "no score in time; is a scorer running?"
    if not row.scored.scored:
        return "–", f"not scored: {escape(row.scored.unscored_reason)}"
    return f"{row.scored.agreement:.3f}", ", ".join(row.scored.flags)


def _texts(sections: Mapping[str, Workload], row: ProbeRow) -> dict[str, Any]:
    pair = row.probed.pair
    sides = {one.side.value: answer_text(sections[pair.workload], pair, one).text for one in row.probed.answers}
    return {"prompt": prompt_text(pair), "answers": sides}


def _record(row: ProbeRow) -> dict[str, Any]:
    pair, scored = row.probed.pair, row.scored
    sides = {
        answer.side.value: {
            "backend": answer.backend,
            "status": answer.status,
            "first_byte_ms": round(answer.first_byte_ms, 1),
            "total_ms": round(answer.total_ms, 1),
            "error": answer_failure(answer),
        }
        for answer in row.probed.answers
    }
    known = scored is not None and scored.scored
    return {
        "workload": pair.workload,
        "pair_id": pair.id,
        "probe": row.probed.request.label,
        **sides,
        "agreement": scored.agreement if scored is not None and known else None,
        "flags": list(scored.flags) if scored is not None else [],
        "remark": _score(row)[1] if not known else "",
    }
