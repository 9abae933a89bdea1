"""``glidepath score``: score the answer pairs in a file as a running scorer would."""

from __future__ import annotations

import io
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TypeGuard, get_args

import typer

from glidepath.clock import unix_ms
from glidepath.config import Config, Workload, load_config
from glidepath.config.comparison import ScoringSection, Task
from glidepath.config.processes import EmbedderSection
from glidepath.errors import InputError, UnknownWorkloadError
from glidepath.pair_scores import EXACT_CALL
from glidepath_ops.cli.delayed_progress_bar import Advance, bytes_of, delayed_progress_bar
from glidepath_ops.cli.output_files import check_output, write_output
from scorer.scoring.compare import Confusion
from scorer.scoring.compare.evaluator.evaluator_client import Evaluator
from scorer.scoring.embed import load_embedder
from scorer.scoring.files.file_scoring import FileScorer
from scorer.scoring.files.file_summary import FileSummary
from scorer.scoring.files.line_reader import Lines, PipeLines
from scorer.scoring.files.pair_lines import SIDES, BadLine
from scorer.scoring.verify.verifier_client import Verifier

_TASKS = get_args(Task)
_PROGRESS_EVERY = 100


TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task", help=f"Kind of answers: {', '.join(_TASKS)}; auto detects it. Default: the workload's task, or auto."
    ),
]


def command(
    pairs: Annotated[
        str,
        typer.Argument(
            help='File with one pair {"id", "request", "baseline", "candidate"} per line, as JSON; - reads stdin.'
        ),
    ],
    task: TaskOption = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="PATH",
            help="Configuration file with the scoring settings; default: built-in settings.",
        ),
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option(
            "--workload",
            "-w",
            help="Workload whose scoring settings are used. They are read from --config, or else from glidepath.yaml.",
        ),
    ] = None,
    path: Annotated[str, typer.Option(help='API path of requests without a "path" in their line.')] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Add the differences found to each result.")] = False,
    summary: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the summary to this file as JSON; - prints it as the last line of stdout."
        ),
    ] = None,
) -> None:
    """Score how well the two answers of each pair in a file agree.

    Results go to stdout, one JSON object per pair. Progress and a summary go to stderr. A result has these keys:

    - "id": the id of the pair
    - "agreement": from 0 (not at all) to 1 (fully); null if the pair cannot be scored
    - "flags": the flags of the pair; unusable:REASON if it cannot be scored
    - "signals": the values of the comparison signals, by name
    - "faults": the faults found in each side's answer, without comparing it
    - "preference": an object with the evaluator's "verdict" and a "score" (1 for the candidate's answer, 0 for the
      baseline's, 0.5 for neither), if the evaluator judged the pair
    - "correctness": how correct each answer is, from 0 to 1, if the verifier judged the pair

    An input line can also have "path", "baseline_status", "baseline_content_type", "candidate_status" and
    "candidate_content_type". A line that is not a valid pair is reported on stderr and skipped; the exit status is then
    2.
    """
    settings, engine, chosen = _settings(config, workload, task)
    if summary is not None:
        check_output(summary, "--summary")
    with ExitStack() as stack:
        source = _open(pairs, stack)
        advance = _progress(source, stack)
        scorer = FileScorer(chosen, settings, load_embedder(engine), path=path, now_ms=unix_ms)
        scorer.evaluator = Evaluator(settings.evaluator) if settings.evaluator else None
        scorer.verifier = Verifier(settings.verifier, show_errors=True) if settings.verifier else None
        found = FileSummary(confusion=Confusion(matter=frozenset(settings.classification.matter)))
        _run(scorer, source, found, advance, explain=explain)
    found.no_preference = dict(scorer.evaluator.failures) if scorer.evaluator else {}
    found.correctness.none = dict(scorer.verifier.failures) if scorer.verifier else {}
    for line in found.lines():
        typer.echo(f"glidepath: {line}", err=True)
    if summary is not None:
        write_output(summary, json.dumps({"summary": found.to_json()}) + "\n")
    if found.bad_lines:
        raise typer.Exit(2)


def _progress(source: Lines, stack: ExitStack) -> Advance:
    """Show a progress bar while ``stack`` is open, unless the results themselves go to the terminal."""
    if sys.stdout.isatty():
        return lambda _: None
    return stack.enter_context(delayed_progress_bar("scoring", bytes_of(source) if _is_file(source) else None))


def _is_file(source: Lines) -> TypeGuard[io.BufferedReader]:
    return isinstance(source, io.BufferedReader) and source.seekable()


def _run(scorer: FileScorer, source: Lines, found: FileSummary, advance: Advance, *, explain: bool) -> None:
    shown, read = sys.stderr.isatty(), 0  # on a terminal, the progress bar is shown instead
    for result in scorer.score(source):
        if _is_file(source):
            advance(source.tell() - read)
            read = source.tell()
        if isinstance(result, BadLine):
            found.bad_lines += 1
            typer.echo(f"glidepath: line {result.number} {result.problem}", err=True)
            continue
        _print(result.to_json(explain=explain, encoding=sys.stdout.encoding or "ascii"))
        found.add(result.agreement, result.flags, result.labels, result.preference)
        if EXACT_CALL in result.signals:
            found.add_calls(result.signals[EXACT_CALL])
        if result.correctness is not None:
            found.correctness.add(result.correctness)
        found.add_faults(*(frozenset(f.kind.value for f in result.faults.get(side, ())) for side in SIDES))
        if found.pairs % _PROGRESS_EVERY == 0 and not shown:
            typer.echo(f"glidepath: {found.pairs} pairs", err=True)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _open(pairs: str, stack: ExitStack) -> Lines:
    if pairs == "-":
        return _standard_input()
    try:
        return stack.enter_context(Path(pairs).open("rb"))
    except OSError as error:
        raise InputError(f"{pairs}: cannot be read: {error.strerror}") from error


def _standard_input() -> Lines:
    """Return a reader of stdin. If stdin has a file descriptor, the reader returns arrived lines without waiting."""
    if sys.stdin is None:
        raise InputError("-: standard input is closed")
    try:
        return PipeLines(sys.stdin.fileno())
    except (OSError, ValueError):  # stdin has no file descriptor
        return sys.stdin.buffer


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
        raise UnknownWorkloadError(
            f"--workload: must name one of the workloads (known: {', '.join(sorted(config.workloads))})"
        )
    return next(iter(config.workloads.values()))


def _task(name: str) -> Task:
    found: Task = next(task for task in _TASKS if task == name)
    return found
