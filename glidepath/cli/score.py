"""``glidepath score``: a file of answer pairs, scored as the running scorer would."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO, get_args

import typer

from glidepath.config import Config, Workload, load_config
from glidepath.config.parts import EmbedderSection
from glidepath.config.scoring import ScoringSection, Task
from glidepath.errors import InputError, UnknownWorkloadError
from scorer.compare.evaluator_client import Evaluator
from scorer.embed import load_embedder
from scorer.filescore import BadLine, FileScorer, Scored

_TASKS = get_args(Task)
_PROGRESS_EVERY = 100


def command(
    pairs: Annotated[
        str, typer.Argument(help='JSONL, a pair a line: {"id", "request", "baseline", "candidate"}; - is stdin.')
    ],
    task: Annotated[
        str | None, typer.Option(help=f"One of: {', '.join(_TASKS)}. Default: the workload's, else auto.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Take settings and engine from here.")] = None,
    workload: Annotated[str | None, typer.Option("--workload", "-w", help="Whose scoring settings to use.")] = None,
    path: Annotated[str, typer.Option(help='The API path of the requests; a line\'s own "path" comes first.')] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Add details: what differed, and where.")] = False,
) -> None:
    """Score a file of answer pairs: one JSON object a line on stdout, progress on stderr.

    {"id", "agreement", "flags", "signals"}; a pair that cannot be scored has agreement null and a flag unusable:WHY.
    Exit status 2 when a line is no pair (each is named on stderr, the others are scored all the same).
    """
    settings, engine, chosen = _settings(config, workload, task)
    with ExitStack() as stack:
        source = _open(pairs, stack)
        scorer = FileScorer(chosen, settings, load_embedder(engine), path=path, now_ms=lambda: int(time.time() * 1000))
        scorer.evaluator = Evaluator(settings.evaluator) if settings.evaluator else None
        done, unscored, bad = _run(scorer, source, explain=explain)
    typer.echo(f"glidepath: {done} pairs, {unscored} without a score, {bad} bad lines", err=True)
    if bad:
        raise typer.Exit(2)


def _run(scorer: FileScorer, source: BinaryIO, *, explain: bool) -> tuple[int, int, int]:
    """(pairs, of them without a score, lines that are no pair)."""
    done = unscored = bad = 0
    for result in scorer.score(source):
        if isinstance(result, BadLine):
            bad += 1
            typer.echo(f"glidepath: line {result.number} {result.problem}", err=True)
            continue
        _print(result, explain=explain)
        done += 1
        unscored += result.agreement is None
        if done % _PROGRESS_EVERY == 0:
            typer.echo(f"glidepath: {done} pairs", err=True)
    return done, unscored, bad


def _print(result: Scored, *, explain: bool) -> None:
    sys.stdout.write(result.to_json(explain=explain) + "\n")
    sys.stdout.flush()


def _open(pairs: str, stack: ExitStack) -> BinaryIO:
    if pairs == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(pairs).open("rb"))
    except OSError as error:
        raise InputError(f"{pairs}: cannot be read: {error.strerror}") from error


def _settings(
    config: Path | None, workload: str | None, task: str | None
) -> tuple[ScoringSection, EmbedderSection, Task]:
    if task is not None and task not in _TASKS:
        raise InputError(f"--task: unknown task {task!r} (allowed: {', '.join(_TASKS)})")
    if config is None and workload is not None:
        config = Path("glidepath.yaml")
    if config is None:
        return ScoringSection(), EmbedderSection(), _task(task or "auto")
    loaded = load_config(config)
    chosen = _workload(loaded, workload)
    return chosen.scoring, loaded.scorer.embedder, _task(task or chosen.task)


def _workload(config: Config, name: str | None) -> Workload:
    if name is not None:
        return config.workload(name)
    if len(config.workloads) > 1:
        raise UnknownWorkloadError(f"--workload: which one? (known: {', '.join(sorted(config.workloads))})")
    return next(iter(config.workloads.values()))


def _task(name: str) -> Task:
    found: Task = next(task for task in _TASKS if task == name)
    return found
