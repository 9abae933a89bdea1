"""``glidepath console``: serve the web page on which people watch and steer the workloads, and read their pairs."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import Config, load_config
from glidepath.config.loader import locate
from glidepath.errors import ConfigError, DependencyError, InputError
from glidepath.logs import configure_logging
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath
from glidepath_ops.local.addresses_of_running_up import with_running_up
from glidepath_ops.local.private_files import write_private


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    create_token: Annotated[
        bool,
        typer.Option("--create-token", help="If the file that console.token names is missing, create it with a token."),
    ] = False,
    demo: Annotated[bool, typer.Option("--demo", hidden=True, help="Mark the pages as showing demo traffic.")] = False,
) -> None:
    """Serve the web page on which people watch and steer the workloads, and read their pairs.

    The console listens on console.listen. All that it shows is in Redis, so any number of consoles can run. If neither
    console.token nor console.trusted_proxy is set, the page is read-only.
    """
    settings = with_running_up(load_config(config), config)
    if settings.redis.url is None:
        raise ConfigError(f"{config}: redis.url: is not set, and no `glidepath up` runs with this file")
    if create_token:
        _create_token(settings, config)
    configure_logging("console")
    try:
        from glidepath_ops.console.server import serve
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"the console needs the package {error.name}: pip install 'glidepath[console]'"
        ) from error
    asyncio.run(serve(settings, locate(config, "redis", "url"), demo=demo))


def _create_token(settings: Config, path: Path) -> None:
    """Create the file of the token unless it exists.

    Raises InputError if no file is named or the file cannot be written.
    """
    token = settings.console.token
    if token is None or token.file is None:
        raise InputError(f"--create-token: {path} names no file for the token; set console.token, e.g. {{file: PATH}}")
    if not Path(token.file).exists():
        write_private(Path(token.file), secrets.token_urlsafe(24) + "\n")
        typer.echo(f"glidepath: the token of the console is in {token.file}", err=True)
