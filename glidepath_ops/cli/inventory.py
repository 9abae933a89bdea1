"""``glidepath inventory``: which workloads the traffic has, what each needs, and in which order to move them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args

import typer

from glidepath.clock import unix_ms
from glidepath.config import Config, load_config
from glidepath.config.backends import Modality
from glidepath.config.inventory import InventorySection
from glidepath.config.units import parse_size
from glidepath.errors import InputError
from glidepath.inventory.stored_periods import periods_between
from glidepath.name_suggestions import allowed_names
from glidepath.printable_text import printable_json
from glidepath.redisio import RedisClient
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.cli.output_files import write_output
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, quantity_of, seconds_of
from glidepath_ops.inventory.eligible_share import CandidateLimits
from glidepath_ops.inventory.found_workloads import Inventory, Question, all_sections, found_workloads, section_text
from glidepath_ops.inventory.log_lines import DEFAULT_CALLER
from glidepath_ops.inventory.read_inventory import ReadTraffic, read_from_files, read_from_redis, size_of
from glidepath_ops.inventory.show import as_json as as_values
from glidepath_ops.inventory.show import lines
from glidepath_ops.inventory.spend import Spend, spend_of
from glidepath_ops.inventory.workload_fragment import Sides, sides_for

_WIDTH, _INDENT = 80, 13
DEFAULT_SINCE, _LONGEST_SINCE = "30d", 400 * 86400.0
_MODALITIES = get_args(Modality)


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    since: Annotated[
        str | None,
        typer.Option(
            help="How far back to count requests, in whole hours or days, such as 6h or 7d; default: 30d; with --from: "
            "all lines."
        ),
    ] = None,
    from_files: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Read access log lines in JSON from this file instead of Redis; - is stdin. Repeat the option for "
            "several files.",
        ),
    ] = None,
    caller_field: Annotated[
        str,
        typer.Option(
            "--caller",
            metavar="FIELD",
            help="With --from: the name of the log field that holds the caller. If a line does not have it, a field "
            "whose name is one of the headers in inventory.callers is used.",
        ),
    ] = DEFAULT_CALLER,
    candidate: Annotated[
        str | None,
        typer.Option(
            help="Backend that is to take over. Its settings context, modalities, tools and max_body decide which "
            "requests can move to it."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="Backend that serves the requests now; default: envoy.default_backend, or the busiest."),
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=1, help="Longest prompt plus answer that the candidate can serve, in tokens.")
    ] = None,
    modalities: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help=f"Kinds of input that the candidate accepts, separated by commas: {', '.join(_MODALITIES)}.",
        ),
    ] = None,
    tools: Annotated[
        bool | None, typer.Option("--tools/--no-tools", help="Whether the candidate can call tools.")
    ] = None,
    max_body: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Longest request body that the candidate accepts, such as 4MiB.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=10_000, help="How many workloads are shown.")] = 20,
    section: Annotated[
        str | None, typer.Option(metavar="WORKLOAD", help="Print only the section of glidepath.yaml for this workload.")
    ] = None,
    sections: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="For each workload found, write a file with its section to this directory."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the workloads in the traffic, what each needs, and in which order to move them.

    A workload is a path, a model and a caller. The counts come from Envoy. If glidepath.yaml has the line
    `inventory: {}`, Envoy reports all its requests, even before any workload is configured. With --from, the counts
    come from access logs.

    The list shows volume, tokens, spend, latency, context lengths, tools and modalities, the share that a candidate
    could serve, and how much the answers vary. It has the order in which to move the workloads: batch jobs, then
    internal tools, then customers.
    """
    settings = _settings(config, needed=not from_files)
    seconds = seconds_of("--since", since or DEFAULT_SINCE, _LONGEST_SINCE)
    limits = _limits(settings, candidate, context, modalities, tools, max_body)
    _check_backend("--baseline", settings, baseline)
    if from_files:
        read = _from_files(from_files, settings, caller_field, seconds if since else None)
    else:
        read = _from_redis(config, seconds)
    sides = sides_for(settings, list(read.traffic.groups.values()), baseline, candidate)
    observed = settings.inventory if settings and settings.inventory else InventorySection()
    configured = frozenset(settings.workloads) if settings else frozenset()
    found = found_workloads(read, Question(limits, sides, observed.kinds, configured))
    if not found.requests:
        raise InputError(_nothing_found(settings, from_files, since))
    texts = {one.name: section_text(found, one, sides) for one in found.workloads if one.section not in configured}
    if section is not None:
        _print_section(texts, section)
    elif sections is not None:
        of_config = config if settings is not None and settings.backends else None
        _write_sections(all_sections(found, sides, configured), sections, of_config)
    else:
        _print(found, read, settings, sides, texts, None if as_json else top)


def _settings(path: Path, *, needed: bool) -> Config | None:
    """Return the configuration. With --from, the default file may be missing."""
    if not needed and path == DEFAULT_CONFIG and not path.exists():
        return None
    return load_config(path)


def _limits(
    settings: Config | None,
    candidate: str | None,
    context: int | None,
    modalities: str | None,
    tools: bool | None,
    max_body: str | None,
) -> CandidateLimits:
    """Return what the candidate can serve. An option takes precedence over the candidate's section in ``backends``."""
    backends = settings.backends if settings else {}
    _check_backend("--candidate", settings, candidate)
    declared = CandidateLimits.of(candidate, backends[candidate]) if candidate in backends else None
    limits = declared or CandidateLimits(candidate or "candidate")
    return CandidateLimits(
        limits.name,
        context if context is not None else limits.context,
        _modalities(modalities) if modalities is not None else limits.modalities,
        tools if tools is not None else limits.tools,
        round(quantity_of("--max-body", max_body, parse_size)) if max_body is not None else limits.max_body,
    )


def _check_backend(option: str, settings: Config | None, name: str | None) -> None:
    """Raise InputError if the configuration has backends but none with this name."""
    backends = settings.backends if settings else {}
    if name is not None and backends and name not in backends:
        raise InputError(f"{option}: unknown backend {name!r} {allowed_names(backends, name)}")


def _modalities(text: str) -> frozenset[str]:
    given = {part.strip() for part in text.split(",") if part.strip()}
    if unknown := sorted(given - set(_MODALITIES)):
        raise InputError(f"--modalities: unknown {unknown[0]!r} (allowed: {', '.join(_MODALITIES)})")
    return frozenset(given)


def _from_files(files: list[str], settings: Config | None, caller: str, seconds: float | None) -> ReadTraffic:
    section = settings.inventory if settings and settings.inventory else InventorySection()
    with delayed_progress_bar("reading the access log", size_of(files)) as advance:
        since_ms = 0 if seconds is None else unix_ms() - round(seconds * 1000)
        return read_from_files(files, section, caller, since_ms, advance)


def _from_redis(config: Path, seconds: float) -> ReadTraffic:
    now = unix_ms()
    since = now - round(seconds * 1000)
    with delayed_progress_bar("reading the counts", len(periods_between(since, now))) as advance:

        async def work(settings: Config, redis: RedisClient) -> ReadTraffic:
            return await read_from_redis(settings, redis, since, now, advance)

        return with_redis(config, work, waiting=None)


def _nothing_found(settings: Config | None, files: list[str] | None, since: str | None) -> str:
    if files:
        return "--from: no line since the given time (--since)" if since else f"--from: {', '.join(files)}: is empty"
    if settings is not None and settings.inventory is None:
        return (
            "inventory: is not in glidepath.yaml; add `inventory: {}`, render Envoy's configuration again, restart "
            "Envoy and extproc"
        )
    return "nothing was counted yet: no request has ended, or extproc and Envoy run with another configuration"


def _print(
    found: Inventory,
    read: ReadTraffic,
    settings: Config | None,
    sides: Sides,
    texts: Mapping[str, str],
    top: int | None,
) -> None:
    """Print the inventory as text with ``top`` workloads, or as JSON if ``top`` is None."""
    spends: dict[int, Spend] = {}
    for place, one in enumerate(found.workloads):
        spend = spend_of(settings, one.group, sides.baseline) if settings else None
        if spend is not None:
            spends[place] = spend
    if top is None:
        typer.echo(printable_json(json.dumps(as_values(found, read, spends, texts), ensure_ascii=False)))
        return
    for line in lines(found, read, spends, top):
        typer.echo(textwrap.fill(line, _WIDTH, subsequent_indent=" " * _INDENT, break_on_hyphens=False) if line else "")


def _print_section(texts: Mapping[str, str], name: str) -> None:
    if name not in texts:
        raise InputError(f"--section: no workload {name!r} was found {allowed_names(texts, name)}")
    typer.echo(texts[name], nl=False)


def _write_sections(files: Mapping[str, str], folder: Path, config: Path | None) -> None:
    """Write the files into the folder. ``config``: the configuration with the backends that the sections name."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"--sections: {folder}: cannot be created: {error.strerror}") from error
    for name, text in files.items():
        write_output(folder / name, text)
    first = f"put {config}, which has the backends, there too; then " if config else ""
    typer.echo(f"wrote {len(files)} files to {folder}; {first}`glidepath validate -c {folder}` checks them")
