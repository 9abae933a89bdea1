"""``glidepath doctor``: check the running Envoys and Redis."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import typer
from rich.console import Console
from rich.table import Table

from glidepath.config import load_config
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath
from glidepath_ops.cli.status import PIPED_WIDTH
from glidepath_ops.doctor.checks import examine
from glidepath_ops.doctor.facts import Finding, Severity
from glidepath_ops.doctor.gather_facts import gather
from glidepath_ops.local.addresses_of_running_up import with_running_up
from glidepath_ops.local.missing_secrets import MissingSecret, missing_secrets

_STYLE = {Severity.OK: "green", Severity.WARN: "yellow", Severity.FAIL: "bold red"}


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Check the running Envoys and Redis, and suggest a remedy for each problem.

    The exit status is 1 if a check fails; a warning is not a failure.
    """
    settings = with_running_up(load_config(config), config)
    envoys, redis = asyncio.run(gather(settings))
    findings = examine(settings, envoys, redis)
    if not envoys:
        note = "the configuration names no Envoy (envoy.admin is empty), and no `glidepath up` runs with it here"
        findings.insert(0, Finding("envoy", "reachable", Severity.WARN, note, "set envoy.admin"))
    findings += [_missing(one) for one in missing_secrets(settings)]
    if as_json:
        typer.echo(json.dumps({"findings": [dataclasses.asdict(f) for f in findings]}))
    else:
        _print(findings)
    if any(finding.level is Severity.FAIL for finding in findings):
        raise typer.Exit(1)


def _missing(secret: MissingSecret) -> Finding:
    remedy = "set it for Envoy, if it is not set there either" if secret.for_envoy else "set it for this command"
    return Finding(secret.dotted, "secret", Severity.WARN, f"{secret.problem} for this command", remedy)


def _print(findings: list[Finding]) -> None:
    table = Table(show_edge=False, pad_edge=False, box=None)
    for heading in ("", "what", "check", "found"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        found = finding.detail + (f"\n→ {finding.remedy}" if finding.remedy else "")
        style = _STYLE[finding.level]
        table.add_row(f"[{style}]{finding.level.value}[/]", finding.subject, finding.check, found)
    console = Console()
    (console if console.is_terminal else Console(width=PIPED_WIDTH)).print(table)
