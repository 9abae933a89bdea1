"""``glidepath console``: serve the web page that shows the workloads and their pairs, and steers them."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from glidepath.config import load_config
from glidepath.config.loader import locate
from glidepath.errors import ConfigError, DependencyError
from glidepath.logs import configure_logging
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath
from glidepath_ops.local.addresses_of_running_up import with_running_up


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    demo: Annotated[bool, typer.Option("--demo", hidden=True, help="Mark the pages as showing demo traffic.")] = False,
) -> None:
    """Serve the web page that shows the workloads and their pairs, and steers them.

    It listens on console.listen. All it shows is in Redis, so any number of consoles can run. Without console.token
    and console.trusted_proxy the page changes nothing.
    """
    settings = with_running_up(load_config(config), config)
    if settings.redis.url is None:
        raise ConfigError(f"{config}: redis.url: is not set, and no `glidepath up` runs with this file")
    configure_logging("console")
    try:
        from glidepath_ops.console.server import serve
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"the console needs the package {error.name}: pip install 'glidepath[console]'"
        ) from error
    asyncio.run(serve(settings, locate(config, "redis", "url"), demo=demo))
