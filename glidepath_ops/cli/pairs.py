"""``glidepath pairs`` lists stored pairs, shows one, exports them as a data set, and records people's judgements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from glidepath.clock import unix_ms
from glidepath.config import Config, Workload
from glidepath.errors import InputError
from glidepath.kept_pairs import forget_pairs, keep_pairs
from glidepath.pair_labels import Judgement, PairLabel, read_labels, store_label
from glidepath.pair_scores import ScoredPair
from glidepath.pluralization import number_of
from glidepath.printable_text import shown_id
from glidepath.redisio import RedisClient
from glidepath.stored_feedback import FeedbackNote, read_note
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.cli.output_files import PRIVATE, STANDARD_OUTPUT, check_output, write_output
from glidepath_ops.cli.output_width import output_console
from glidepath_ops.cli.pair_options import PairChoice, choosing_pairs
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import (
    DEFAULT_CONFIG,
    AsJson,
    AsJsonLines,
    ConfigPath,
    WorkloadOrOnly,
    only_configured,
)
from glidepath_ops.cli.steering_client import actor, read_status
from glidepath_ops.pairs.noise_floor_warning import noise_floor_warning
from glidepath_ops.pairs.pair_dataset import line_of, record_of
from glidepath_ops.pairs.read_pairs import (
    StoredPair,
    count_results,
    find_pair,
    labelled_without_result,
    newest_results,
    with_body,
)
from glidepath_ops.pairs.select_pairs import newest_first, request_id, worst_first
from glidepath_ops.pairs.show_pairs import page, rows
from glidepath_ops.pairs.stored_workloads import workload_with_pairs
from glidepath_ops.redact_feedback_labels import LabelRedactor

MOST_RESULTS = 100_000
DEFAULT_RESULTS = 10_000
SHOWN_CHARS = 4000
MOST_BYTES = 512 * 2**20  # of an exported data set, which is built in memory

_Listed = tuple[str, list[ScoredPair], Mapping[str, PairLabel], str, str]
_Shown = tuple[Workload, StoredPair, PairLabel | None, FeedbackNote | None]

command = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Look at stored pairs, and judge them. --workload also takes a workload that is no longer in the "
    "configuration, while Redis has its pairs.",
)

LookBack = Annotated[
    int,
    typer.Option("--look-back", min=1, max=MOST_RESULTS, help="Number of most recent results that are searched."),
]
PairId = Annotated[str, typer.Argument(metavar="ID", help="Id of the pair or of its request.")]


@command.command("list")
@choosing_pairs
def list_pairs(
    choice: PairChoice,
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadOrOnly = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=MOST_RESULTS, help="Number of pairs to show.")] = 20,
    look_back: Annotated[
        int | None,
        typer.Option(
            "--look-back",
            min=1,
            max=MOST_RESULTS,
            help=f"Number of most recent results that are searched; default: {DEFAULT_RESULTS}; with --label "
            "or --labelled, all.",
        ),
    ] = None,
    as_json: AsJsonLines = False,
) -> None:
    """List stored pairs, newest first.

    A pair must meet all conditions that you give. If a line shows two statuses, the first one is the baseline's. Equal
    statuses are shown once.
    """

    async def work(settings: Config, redis: RedisClient) -> _Listed:
        name, section = await _workload(settings, redis, workload)
        chosen = choice.filter_of(settings, name)
        labels = await read_labels(redis, name, settings.retention.labels)
        of_labels = chosen.label is not None or bool(chosen.labelled)
        results = [r async for r in newest_results(redis, name, look_back or _default_look_back(of_labels=of_labels))]
        if of_labels and look_back is None:  # people label few pairs, and a busy workload has newer ones in minutes
            results += await labelled_without_result(redis, name, results, labels)
        found = [r for r in results if chosen.selects(r, labels)]
        ordered = worst_first(found) if choice.worst else newest_first(found)
        note = noise_floor_warning(section, await read_status(redis, name)) if choice.worst else ""
        known = await count_results(redis, name)
        searched = min(known, look_back or _default_look_back(of_labels=of_labels))
        return name, ordered[:count], labels, f"{searched} of {known}", note

    name, found, labels, searched, note = with_redis(config, work)
    if as_json:
        for pair in found:
            one = labels.get(pair.pair_id)
            typer.echo(line_of({**asdict(pair), "label": one.label.value if one else None}), nl=False)
        return
    console = output_console()
    for row in rows(found, labels):
        console.print(row)
    console.print(Text(f"{number_of(len(found), 'pair')} of {name}; {searched} results searched"))
    if note and found:
        console.print(Text(f"note: {note}"))


@command.command("show")
def show(
    pair_id: PairId,
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadOrOnly = None,
    full: Annotated[bool, typer.Option("--full", help="Show texts of any length.")] = False,
    look_back: LookBack = MOST_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show one pair: the request, both answers side by side, the signals, and the reason if there is no score.

    The texts are shown as they are stored: after redaction. With --json, the result has the fields of `pairs export`.
    """

    async def work(settings: Config, redis: RedisClient) -> _Shown:
        name, section = await _workload(settings, redis, workload)
        stored = await _found(redis, name, pair_id, look_back)
        labels = await read_labels(redis, name, settings.retention.labels)
        known = _id_of(stored)
        return section, stored, labels.get(known), await read_note(redis, name, request_id(known))

    section, stored, label, feedback = with_redis(config, work)
    if as_json:
        record = record_of(section, stored.pair, stored.result, label)
        typer.echo(line_of({**record, "feedback": feedback.to_json() if feedback else None}), nl=False)
        return
    output_console().print(page(section, stored, label, 2**31 if full else SHOWN_CHARS, feedback))


@command.command("export")
@choosing_pairs
def export(
    choice: PairChoice,
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadOrOnly = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="Write to this file; - is stdout.")
    ] = STANDARD_OUTPUT,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=MOST_RESULTS, help="Maximum number of pairs.")
    ] = 1000,
    look_back: LookBack = MOST_RESULTS,
) -> None:
    """Write pairs with their texts as a data set: one JSON object per line.

    `glidepath calibrate --labels` reads such a file. Pairs whose bodies have expired are left out; their number goes to
    stderr.
    """
    check_output(output, "--output")

    async def work(settings: Config, redis: RedisClient) -> tuple[bytes, int, int]:
        name, section = await _workload(settings, redis, workload)
        chosen = choice.filter_of(settings, name)
        labels = await read_labels(redis, name, settings.retention.labels)
        with delayed_progress_bar("searching", None):
            results = [r async for r in newest_results(redis, name, look_back)]
            results += await labelled_without_result(redis, name, results, labels)
        found = [r for r in results if chosen.selects(r, labels)]
        ordered = (worst_first(found) if choice.worst else newest_first(found))[:count]
        data, written = bytearray(), 0
        with delayed_progress_bar("reading pairs", len(ordered)) as advance:
            for result in ordered:
                stored = await with_body(redis, name, result)
                if stored.pair is not None:
                    data += line_of(record_of(section, stored.pair, result, labels.get(result.pair_id)))
                    written += 1
                if len(data) > MOST_BYTES:
                    raise InputError(f"the data set is larger than {MOST_BYTES >> 20} MiB; write fewer pairs (--count)")
                advance(1)
        return bytes(data), written, len(ordered) - written

    data, written, missing = with_redis(config, work, waiting=None)
    write_output(output, data, mode=PRIVATE)
    left_out = f"; {missing} left out, because their bodies are no longer stored" if missing else ""
    typer.echo(f"{number_of(written, 'pair')} written{left_out}", err=True)


@command.command("label")
def label_pair(
    pair_id: PairId,
    judgement: Annotated[
        Judgement,
        typer.Argument(help="Whether the candidate's answer may replace the baseline's."),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadOrOnly = None,
    note: Annotated[str, typer.Option("--note", help="Reason for the judgement, at most 500 characters.")] = "",
    look_back: LookBack = MOST_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Record whether the candidate's answer of a pair is acceptable in place of the baseline's.

    A later judgement replaces an earlier one. The note is redacted before it is stored. The pair is kept for
    retention.kept_age, like pairs that a decision names.
    """
    if len(note) > 500:
        raise InputError(f"--note: must have at most 500 characters (got {len(note)})")

    async def work(settings: Config, redis: RedisClient) -> tuple[PairLabel, bool, int]:
        name, _ = await _workload(settings, redis, workload)
        stored = await _found(redis, name, pair_id, look_back)
        label = PairLabel(
            _id_of(stored), judgement, actor(), unix_ms(), LabelRedactor(settings.redaction).redacted(note)
        )
        removed = await store_label(redis, name, settings.retention, label)
        entry = stored.result.entry if stored.result else ""
        count = await keep_pairs(redis, name, settings.retention, [(label.pair_id, entry)])
        return label, count.gone == 0, removed

    label, kept, removed = with_redis(config, work)
    if as_json:
        typer.echo(json.dumps({**asdict(label), "bodies_kept": kept, "labels_removed": removed}))
        return
    text = "" if kept else "; its bodies are no longer stored, so it cannot be exported with its texts"
    oldest = f"; {removed} of the oldest labels were removed (retention.labels)" if removed else ""
    typer.echo(f"{shown_id(label.pair_id)}: {label.label.value}, by {label.who}{text}{oldest}")


@command.command("forget")
def forget(
    workload: Annotated[str, typer.Option("--workload", "-w", help="Name of the workload.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Remove the labels of a workload, and the pairs that were kept because of a decision or a label.

    The other stored pairs expire by the limits of the retention section.
    """

    async def work(settings: Config, redis: RedisClient) -> int:
        await _workload(settings, redis, workload)
        return await forget_pairs(redis, workload)

    removed = with_redis(config, work, "removing")
    if as_json:
        typer.echo(json.dumps({"workload": workload, "kept_pairs_removed": removed}))
    else:
        typer.echo(f"{removed} kept pairs of {workload} and all its labels were removed")


async def _workload(settings: Config, redis: RedisClient, name: str | None) -> tuple[str, Workload]:
    """Return the workload that the options name, and its settings. See ``workload_with_pairs``."""
    name = only_configured(settings) if name is None else name
    return name, await workload_with_pairs(settings, redis, name)


def _default_look_back(*, of_labels: bool) -> int:
    return MOST_RESULTS if of_labels else DEFAULT_RESULTS


async def _found(redis: RedisClient, name: str, pair_id: str, look_back: int) -> StoredPair:
    stored = await find_pair(redis, name, pair_id, look_back)
    if stored is None:
        raise InputError(
            f"no pair {shown_id(pair_id)} of {name} is stored (`glidepath pairs list -w {name}` shows the newest)"
        )
    return stored


def _id_of(stored: StoredPair) -> str:
    if stored.result is not None:
        return stored.result.pair_id
    return stored.pair.id if stored.pair else ""
