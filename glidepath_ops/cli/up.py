"""``glidepath up``: run Envoy, Redis, extproc, the scorer and the console on this machine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import Config, load_config
from glidepath.errors import GlidepathError
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath
from glidepath_ops.local.console_process import console_url, start_console, with_console
from glidepath_ops.local.curl_examples import example_lines
from glidepath_ops.local.data_folder import DEFAULT_FOLDER, locked_data_folder
from glidepath_ops.local.log_rotation import Rotator
from glidepath_ops.local.missing_secrets import secret_problems_of_up
from glidepath_ops.local.own_redis import redis_password_file, start_own_redis
from glidepath_ops.local.preflight import check_envoys, check_free, check_packages, check_redis, pick_port
from glidepath_ops.local.restarts import Restarter
from glidepath_ops.local.services import config_file, local_services, with_addresses, with_sockets_in
from glidepath_ops.local.shutdown_signals import Interrupt
from glidepath_ops.local.stack import Stack

ADMIN_PORT, REDIS_PORT = 9901, 6379


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory for Redis' data, the logs and the rendered configuration.")
    ] = DEFAULT_FOLDER,
) -> None:
    """Run Envoy, Redis, extproc, the scorer and the console on this machine for your own backends.

    The command runs until Ctrl-C and restarts a process that dies. It starts no Envoy if envoy.admin names one, and no
    Redis if redis.url names one. The --data directory keeps the logs, the rendered configuration and Redis' data. Only
    you may read it, and only one `glidepath up` at a time may use it.
    """
    settings, folder = load_config(config, secret_problems_of_up), data.resolve()
    with Interrupt(), locked_data_folder(folder, config), Stack() as stack, Stack() as beside:
        with delayed_progress_bar("starting", None):
            effective = _start(settings, config, folder, stack)
            has_console = start_console(beside, effective, folder, _print_line)
        if has_console:
            typer.echo(f"console        {console_url(effective, folder)}")
        own_envoy = not settings.envoy.admin
        typer.echo("\n".join(example_lines(effective, config_file(folder), own_envoy=own_envoy)))
        rendered = f"   Envoy's configuration: {folder}/envoy.yaml" if own_envoy else ""
        typer.echo(f"\nlogs: {folder}/logs{rendered}   Ctrl-C stops everything")
        try:
            _watch(stack, beside)
        except KeyboardInterrupt:
            _print_line("stopping")


def _start(config: Config, config_path: Path, folder: Path, stack: Stack) -> Config:
    """Start all processes, and return the configuration with the addresses of the started Envoy and Redis."""
    own_envoy, own_redis = not config.envoy.admin, config.redis.url is None
    check_packages(config, envoy=own_envoy, redis=own_redis)
    if not own_envoy:
        asyncio.run(check_envoys(config, config_path))
    if not own_redis:
        asyncio.run(check_redis(config, config_path))
    config = with_console(with_sockets_in(folder, config) if own_envoy else config, folder)
    check_free(config, config_path, envoy=own_envoy)
    admin, redis = pick_port(ADMIN_PORT), pick_port(REDIS_PORT)
    effective = with_addresses(
        config,
        admin=f"http://127.0.0.1:{admin}" if own_envoy else None,
        redis=f"redis://127.0.0.1:{redis}/0" if own_redis else None,
        redis_password=redis_password_file(folder) if own_redis else None,
    )
    started = ["Redis"] * own_redis + ["Envoy"] * own_envoy + ["extproc", "scorer", "console"]
    _print_line(f"starting {', '.join(started)}")
    if own_redis:
        start_own_redis(stack, folder, redis)
    stack.start(*local_services(effective, folder, envoy=own_envoy))
    return effective


def _watch(*stacks: Stack) -> None:
    restarters = [Restarter(stack, _print_line) for stack in stacks]
    rotators = [Rotator(stack, _print_line) for stack in stacks]
    while True:
        try:
            for restarter in restarters:
                restarter.tick()
            for rotator in rotators:
                rotator.tick(time.monotonic())
        except (GlidepathError, OSError) as error:
            _print_line(str(error))
        time.sleep(0.25)


def _print_line(line: str) -> None:
    typer.echo(f"glidepath: {line}", err=True)
