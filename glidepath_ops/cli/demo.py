"""``glidepath demo``: run a complete migration on this machine, with a fault and a rollback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from glidepath.errors import InputError
from glidepath_ops.cli.output_files import check_output, is_standard_output, write_output
from glidepath_ops.cli.shared_options import percent_of
from glidepath_ops.demo.demo_settings import llm_plan, written_plan
from glidepath_ops.demo.injected_faults import InjectedFault
from glidepath_ops.demo.llama_server import check_installed
from glidepath_ops.demo.progress_display import make_display
from glidepath_ops.demo.run import run_demo
from glidepath_ops.demo.running_demo import Options
from glidepath_ops.demo.summary import text


def command(
    fault: Annotated[
        InjectedFault,
        typer.Option(
            help="Fault to inject into the candidate once it serves all traffic: errors (status 503, reset "
            "connections), latency (three times as slow), quality (wrong or garbled texts), body (status 200 and a "
            "body that no client can use) or none."
        ),
    ] = InjectedFault.ERRORS,
    fault_share: Annotated[
        str,
        typer.Option("--fault-share", metavar="PERCENT", help="Share of the candidate's answers that get the fault."),
    ] = "100%",
    json_path: Annotated[
        Path | None,
        typer.Option("--json", metavar="PATH", help="Write the summary to this file as JSON; - prints it to stdout."),
    ] = None,
    llm: Annotated[
        bool,
        typer.Option(
            "--llm",
            help="Use a real LLM as both backends (SmolLM2-135M on llama.cpp, at two different temperatures), "
            "with fewer ramp steps.",
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
    0 only if the candidate reached 100 %, the fault (if any) caused a rollback, and no client request failed. With
    --fault body, requests after the fault may fail.
    """
    if json_path is not None:
        check_output(json_path, "--json")
    share = (percent_of("--fault-share", fault_share) or 0.0) / 100
    if not 0 < share <= 1:
        raise InputError(f"--fault-share: must be more than 0 and at most 100 (got {fault_share[:40]!r})")
    if llm:
        check_installed()
    console = Console(stderr=json_path is not None and is_standard_output(json_path))
    options = Options(llm_plan() if llm else written_plan(), fault, keep, share)
    summary = run_demo(options, make_display(console))
    console.print(text(summary), markup=False, highlight=False, soft_wrap=True)
    if json_path is not None:
        write_output(json_path, json.dumps(summary.to_json(), indent=2, ensure_ascii=False) + "\n")
    if summary.failures:
        raise typer.Exit(1)
