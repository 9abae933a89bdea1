"""Defines how to start Redis, Envoy, extproc and the scorer on this machine, and when each of them is ready."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from glidepath.config import Config
from glidepath.config.units import MAX_SOCKET_PATH
from glidepath.split_leases import serves_rtds
from glidepath_ops.local.child_process import READY_S, Child
from glidepath_ops.local.private_files import naming, write_private
from glidepath_ops.local.redis_and_envoy import answers_ok, redis_answers, spawn_envoy, spawn_redis

SHADOW_SOCKET = "shadow.sock"
NICE = 10  # extproc and the scorer yield to Envoy if they share its processors


@dataclass(frozen=True, slots=True)
class Service:
    """A child process to start: ``spawn`` starts it, and ``ready`` returns whether it is ready.

    The process has ``timeout`` seconds to become ready. ``waits``: whether it starts only when the services before it
    are ready.
    """

    name: str
    spawn: Callable[[], Child]
    ready: Callable[[], bool]
    timeout: float = READY_S
    waits: bool = False


def redis_service(folder: Path, port: int, *options: str) -> Service:
    """Return the service of a Redis without a password. ``own_redis`` starts the Redis of a data folder."""
    return Service("redis", lambda: spawn_redis(folder, port, *options), lambda: redis_answers(port))


def envoy_service(bootstrap: Path, admin: str, log: Path, concurrency: int | None) -> Service:
    """Return the service of Envoy. It waits for extproc, because earlier requests could not be captured."""
    return Service(
        "envoy",
        lambda: spawn_envoy(bootstrap, log, concurrency=concurrency),
        lambda: answers_ok(f"{admin}/ready"),
        waits=True,
    )


def glidepath_service(
    command: str, config: Path, metrics: str, logs: Path, nice: int = 0, options: Sequence[str] = ()
) -> Service:
    """Return the service that runs ``glidepath extproc``, ``glidepath scorer`` or ``glidepath console``.

    It is ready when ``/readyz`` at its address ``metrics`` answers 200, or when its Unix socket exists.
    """
    line = [sys.executable, "-m", "glidepath_ops", command, "-c", str(config), *options]

    def ready() -> bool:
        if metrics.startswith("unix:"):
            return Path(metrics.removeprefix("unix:")).is_socket()
        return answers_ok(f"http://{metrics}/readyz")

    return Service(command, lambda: Child(command, line, logs / f"{command}.log", nice=nice), ready)


def config_file(folder: Path) -> Path:
    """Return the path at which ``local_services`` writes the configuration for the child processes."""
    return folder / "glidepath.yaml"


def local_services(config: Config, folder: Path, *, envoy: bool = True) -> tuple[Service, ...]:
    """Write the configuration for extproc, Envoy and the scorer to ``folder``, and return these three as services.

    If ``envoy`` is false, Envoy is left out. The logs go to ``folder``, too. ``config`` must contain the addresses
    of Envoy's admin API and of Redis, even if Envoy or Redis is started on this machine.
    """
    # imported here, because the import takes a tenth of the start of every command that finds the addresses of `up`
    from glidepath_ops.envoyconfig.bootstrap import OWNER_ONLY, annotated_bootstrap, refuse_named_clusters
    from glidepath_ops.envoyconfig.commented_yaml import to_yaml

    path, logs = config_file(folder), folder / "logs"
    write_config(config, path)
    services = [glidepath_service("extproc", path, config.extproc.metrics, logs, nice=NICE)]
    if envoy:
        bootstrap = folder / "envoy.yaml"
        refuse_named_clusters(config)
        write_private(bootstrap, to_yaml(annotated_bootstrap(config, socket_mode=OWNER_ONLY)))
        services.append(envoy_service(bootstrap, config.envoy.admin[0], logs / "envoy.log", config.envoy.concurrency))
    services.append(glidepath_service("scorer", path, config.scorer.metrics, logs, nice=NICE))
    return tuple(services)


def write_config(config: Config, path: Path) -> None:
    """Write ``config`` to the file ``path``. ``load_config`` then reads an equal configuration from this file."""
    with naming(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, yaml.safe_dump(_dump(config), sort_keys=False, allow_unicode=True))


def with_addresses(
    config: Config,
    *,
    admin: str | None = None,
    shadow: str | None = None,
    redis: str | None = None,
    redis_password: Path | None = None,
) -> Config:
    """Return the configuration with ``admin`` as the URL of Envoy's admin API, and ``redis`` as the URL of Redis.

    ``shadow`` is the address of Envoy's shadow listener, and ``redis_password`` the file with the password of that
    Redis. If ``admin``, ``shadow`` or ``redis`` is None, that part of the configuration stays as it is.
    """
    data = _dump(config)
    if shadow is not None:
        data["envoy"] = {**data.get("envoy", {}), "shadow_listen": shadow}
    if admin is not None:
        data["envoy"] = {**data.get("envoy", {}), "admin": [admin]}
    if redis is not None:
        data["redis"] = {"url": redis} | ({"password": {"file": str(redis_password)}} if redis_password else {})
    return Config.model_validate(data)


def with_console_at(config: Config, listen: str | None, token: Path | None) -> Config:
    """Return the configuration with the console's address and the file of its token. None: no change."""
    data = _dump(config)
    more = ({"listen": listen} if listen else {}) | ({"token": {"file": str(token)}} if token else {})
    data["console"] = {**data.get("console", {}), **more}
    return Config.model_validate(data)


def with_sockets_in(folder: Path, config: Config) -> Config:
    """Return the configuration with the Unix sockets of extproc, of the shadow listener and of RTDS in ``folder``.

    Addresses that the configuration sets are kept. The default of extproc is a fixed path in /tmp, which a second
    ``up`` or another user could use, too. The defaults of the shadow listener and of RTDS are ports, which all local
    users can reach. All addresses are kept if the path of the folder is too long for a socket.
    """
    data = _dump(config)
    sockets = [("extproc", "listen", "extproc.sock"), ("envoy", "shadow_listen", SHADOW_SOCKET)]
    if serves_rtds(config) and config.envoy.rtds_address is None:
        sockets.append(("envoy", "rtds_listen", "rtds.sock"))
    for section, key, name in sockets:
        path = folder / name
        too_long = len(os.fsencode(path)) + len(".00") > MAX_SOCKET_PATH
        if not too_long and key not in data.get(section, {}):
            data[section] = {**data.get(section, {}), key: f"unix:{path}"}
    return Config.model_validate(data)


def _dump(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude_unset=True, by_alias=True)
