"""``glidepath render``: Envoy configuration to read, paste or run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import load_config
from glidepath.envoyconfig.examples import HEADER
from glidepath.envoyconfig.render import annotated_bootstrap
from glidepath.envoyconfig.text import to_yaml
from glidepath.errors import InputError

TARGETS = ("envoy",)


def command(
    target: Annotated[str, typer.Argument(help="What to render for: envoy (a whole static bootstrap).")] = "envoy",
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration, a file or a directory.")] = Path(
        "glidepath.yaml"
    ),
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here instead of printing.")] = None,
    admin: Annotated[
        str | None, typer.Option(help="Where Envoy's admin API listens: HOST:PORT or unix:/path (default: loopback).")
    ] = None,
    node: Annotated[str, typer.Option(help="Envoy's node id.")] = "envoy",
) -> None:
    """Write Envoy configuration from glidepath.yaml, with comments."""
    if target not in TARGETS:
        raise InputError(f"render: unknown target {target!r} (allowed: {', '.join(TARGETS)})")
    text = to_yaml(annotated_bootstrap(load_config(config), admin=admin, node=node), HEADER)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from error
    typer.echo(f"wrote {output}", err=True)
