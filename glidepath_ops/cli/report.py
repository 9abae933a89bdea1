"""``glidepath report``: write the case for a migration as one document."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.config.units import parse_duration
from glidepath.redisio import RedisClient
from glidepath_ops.cli.output_files import PRIVATE, check_output, write_output
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath, WorkloadFilter, quantity_of
from glidepath_ops.report.gather_report_facts import gather_facts
from glidepath_ops.report.report_facts import ReportFacts
from glidepath_ops.report.to_html import to_html
from glidepath_ops.report.to_markdown import to_markdown
from glidepath_ops.report.whole_report import whole_report


class Format(StrEnum):
    HTML = "html"
    MD = "md"


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadFilter = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="DURATION", help="How far back to look, such as 30d; default: the whole history."
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="html: one file with charts; md: Markdown.")] = Format.HTML,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="Write to this file; - is stdout.")
    ] = Path("-"),
) -> None:
    """Write a document that makes the case for a migration to engineering, finance, legal and procurement.

    The report has these chapters:

    - engineering: quality, latency, errors, incidents, drills
    - finance: spent, saved, monthly costs, payback
    - legal: which data went where, what is stored, redaction
    - procurement: alternatives, contracts

    The report contains no requests and no full answers. It contains short excerpts of answers only if
    redaction.excerpts keeps them. The HTML file needs no network.
    """
    check_output(output, "--output")
    back_s = None if since is None else quantity_of("--since", since, parse_duration)

    async def work(settings: Config, redis: RedisClient) -> ReportFacts:
        if workload is not None:
            settings.workload(workload)
        now_ms = unix_ms()
        since_ms = 0 if back_s is None else now_ms - round(back_s * 1000)
        names = [workload] if workload is not None else list(settings.workloads)
        return await gather_facts(settings, redis, names, now_ms, since_ms)

    document = whole_report(with_redis(config, work))
    text = to_html(document) if form is Format.HTML else to_markdown(document)
    write_output(output, text, mode=PRIVATE)
    if output != Path("-"):
        typer.echo(f"{output}: written")
