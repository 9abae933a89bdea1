"""``glidepath demo``: run a complete migration on this machine, with a fault and a rollback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from glidepath.errors import InputError
from glidepath_ops.demo.demo_settings import llm_plan, written_plan
from glidepath_ops.demo.injected_faults import InjectedFault
from glidepath_ops.demo.llama_server import check_installed
from glidepath_ops.demo.progress_display import make_display
from glidepath_ops.demo.run import Options, run_demo
from glidepath_ops.demo.summary import DemoSummary, text


def command(
    fault: Annotated[
        InjectedFault,
        typer.Option(
            help="Fault to inject into the candidate once it serves all traffic: errors (status 503, reset "
            "connections), latency (three times slower), quality (wrong or garbled texts) or none."
        ),
    ] = InjectedFault.ERRORS,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", metavar="PATH", help="Write the summary to this file as JSON; - prints it to stdout."),
    ] = None,
    llm: Annotated[
        bool,
        typer.Option(
            "--llm", help="Use a real LLM as both backends (SmolLM2-135M on llama.cpp), with fewer ramp steps."
        ),
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="At the end, keep everything running until Ctrl-C, and print URLs and curl commands."
        ),
    ] = False,
) -> None:
    """Run a complete migration on this machine, then inject a fault and watch the automatic rollback.

    The demo starts a real Envoy, a real Redis, extproc, the scorer with a real embedding model, and two
    OpenAI-compatible backends. All of them listen on loopback only and stop when this command ends. The exit status is
    0 only if the candidate reached 100 %, the fault (if any) caused a rollback, and no client request failed.
    """
    if json_path is not None:
        _check_writable(json_path)
    if llm:
        check_installed()
    console = Console(stderr=json_path == Path("-"))
    options = Options(llm_plan() if llm else written_plan(), fault, keep)
    summary = run_demo(options, make_display(console))
    console.print(text(summary), markup=False, highlight=False, soft_wrap=True)
    if json_path is not None:
        _write(summary, json_path)
    if summary.failures:
        raise typer.Exit(1)


def _check_writable(path: Path) -> None:
    """Raise InputError if ``path`` is a directory or its folder does not exist. Called before the demo starts."""
    if path != Path("-") and (path.is_dir() or not path.parent.is_dir()):
        why = "is a directory" if path.is_dir() else f"there is no directory {path.parent}"
        raise InputError(f"--json: {path}: cannot be written: {why}")


def _write(summary: DemoSummary, path: Path) -> None:
    content = json.dumps(summary.to_json(), indent=2, ensure_ascii=False)
    if path == Path("-"):
        typer.echo(content)
    else:
        try:
            path.write_text(content + "\n")
        except OSError as error:
            raise InputError(f"--json: {path}: cannot be written: {error.strerror}") from error
