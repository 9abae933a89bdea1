"""``glidepath doctor``: check the running Envoys and Redis."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from glidepath.config import load_config
from glidepath.config.urls_and_secrets import AdminUrl
from glidepath.errors import InputError
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.cli.output_width import WIDE_TABLE, output_console
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath
from glidepath_ops.doctor.checks import examine
from glidepath_ops.doctor.facts import Finding, Severity
from glidepath_ops.doctor.gather_facts import gather
from glidepath_ops.doctor.http_route_checks import examine_http_routes, gather_http_routes
from glidepath_ops.local.addresses_of_running_up import with_running_up
from glidepath_ops.local.missing_secrets import MissingSecret, missing_secrets

_STYLE = {Severity.OK: "green", Severity.WARN: "yellow", Severity.FAIL: "bold red"}


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    envoy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Check the Envoy with the admin API at URL instead of the Envoys in envoy.admin, for example the "
            "Envoy of a pod through `kubectl port-forward`. Repeat the option for several Envoys.",
        ),
    ] = None,
) -> None:
    """Check the running Envoys and Redis, and suggest a remedy for each problem.

    If a workload's weights are written to a Kubernetes HTTPRoute, that route is checked too. The exit status is 1 if a
    check fails; a warning is not a failure.
    """
    settings = with_running_up(load_config(config), config)
    if envoy:
        chosen = settings.envoy.model_copy(update={"admin": tuple(_admin_url(url) for url in envoy)})
        settings = settings.model_copy(update={"envoy": chosen})
    with delayed_progress_bar("asking Redis and the Envoys", None):
        envoys, redis = asyncio.run(gather(settings))
        routes = asyncio.run(gather_http_routes(settings))
    findings = [*examine(settings, envoys, redis), *examine_http_routes(routes)]
    if not envoys and not all(one.actuator for one in settings.workloads.values()):
        note = "the configuration names no Envoy (envoy.admin is empty), and no `glidepath up` runs with it here"
        findings.insert(0, Finding("envoy", "reachable", Severity.WARN, note, "set envoy.admin, or give --envoy URL"))
    findings += [_missing(one) for one in missing_secrets(settings)]
    if as_json:
        typer.echo(json.dumps({"findings": [dataclasses.asdict(f) for f in findings]}))
    else:
        _print(findings)
    if any(finding.level is Severity.FAIL for finding in findings):
        raise typer.Exit(1)


def _admin_url(text: str) -> str:
    try:
        return str(TypeAdapter(AdminUrl).validate_python(text))
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"--envoy: {reason} (got {text[:100]!r})") from error


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
    output_console(WIDE_TABLE).print(table)
