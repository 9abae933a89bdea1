"""Finds the Envoy and the Redis that a running ``glidepath up`` started, so that other commands need no address."""

from __future__ import annotations

from pathlib import Path

from glidepath.config import Config, load_config
from glidepath.errors import ConfigError
from glidepath_ops.local.data_folder import DEFAULT_FOLDER, running_holder
from glidepath_ops.local.services import config_file, with_addresses


def with_running_up(config: Config, path: Path) -> Config:
    """Return the configuration in the file ``path`` with the addresses of the Envoy and the Redis that ``up`` started.

    Only addresses that the configuration does not set are added. Nothing is added unless an ``up`` runs with this file
    and the default data folder. That folder is looked for in the current folder and in the folder of the file.
    """
    if config.redis.url is not None and config.envoy.admin:
        return config
    folder = running_folder(path)
    if folder is None:
        return config
    try:
        running = load_config(config_file(folder))
    except ConfigError:  # the `up` has just started
        return config
    password = running.redis.password.file if running.redis.password is not None else None
    own_envoy = not config.envoy.admin and bool(running.envoy.admin)
    return with_addresses(
        config,
        admin=running.envoy.admin[0] if own_envoy else None,
        shadow=running.envoy.shadow_listen if own_envoy else None,
        redis=running.redis.url if config.redis.url is None else None,
        redis_password=Path(password) if config.redis.url is None and password else None,
    )


def running_folder(path: Path) -> Path | None:
    """Return the data folder of the ``up`` that runs with the configuration ``path``, or None."""
    for folder in (DEFAULT_FOLDER.resolve(), path.resolve().parent / DEFAULT_FOLDER):
        holder = running_holder(folder)
        if holder is not None and holder.config == path.resolve():
            return folder
    return None
