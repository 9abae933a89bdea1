"""Our own processes and Envoy for one configuration, ready to be started on this machine."""

from __future__ import annotations

from pathlib import Path

from glidepath.config import Config
from glidepath_ops.envoyconfig.bootstrap import annotated_bootstrap
from glidepath_ops.envoyconfig.yaml_text import to_yaml
from glidepath_ops.local.stack import NICE, Service, envoy_service, part_service, write_config


def config_file(folder: Path) -> Path:
    """Where ``our_services`` writes the configuration that the children read."""
    return folder / "glidepath.yaml"


def our_services(config: Config, folder: Path, *, envoy: bool = True) -> tuple[Service, ...]:
    """extproc, Envoy (unless a running one is used) and scorer; their files and logs go to ``folder``.

    ``config`` names the addresses of Envoy's admin and of Redis, also where we start them.
    """
    path, logs = config_file(folder), folder / "logs"
    write_config(config, path)
    services = [part_service("extproc", path, config.extproc.metrics, logs, nice=NICE)]
    if envoy:
        bootstrap = folder / "envoy.yaml"
        bootstrap.write_text(to_yaml(annotated_bootstrap(config)))
        services.append(envoy_service(bootstrap, config.envoy.admin[0], logs / "envoy.log", config.envoy.concurrency))
    services.append(part_service("scorer", path, config.scorer.metrics, logs, nice=NICE))
    return tuple(services)
