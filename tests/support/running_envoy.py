"""Run a real Envoy with a rendered bootstrap for a test."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from glidepath.config import Config, parse_config
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy

Edit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class RunningEnvoy:
    """A running Envoy: URLs of its live listener, shadow listener and admin API, its configuration and its process."""

    live: str
    shadow: str
    admin: str
    config: Config
    child: Child

    def modify(self, values: Mapping[str, object]) -> None:
        """Set runtime values by POST /runtime_modify, as curl does."""
        query = "&".join(f"{key}={value}" for key, value in values.items())
        request = urllib.request.Request(f"{self.admin}/runtime_modify?{query}", method="POST")
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 200

    def stats(self, pattern: str) -> dict[str, int]:
        """Return the counters and gauges whose name matches the regular expression."""
        with urllib.request.urlopen(f"{self.admin}/stats?format=json&filter={pattern}", timeout=30) as response:
            entries: list[dict[str, Any]] = json.load(response)["stats"]
        return {entry["name"]: entry["value"] for entry in entries if "name" in entry}

    def log(self) -> str:
        return self.child.log.read_text(errors="replace")


def with_ports(text: str) -> tuple[Config, str]:
    """Return the configuration with free ports for Envoy's listeners, and the address of its admin API."""
    live, shadow, admin = free_ports(3)
    data = yaml.safe_load(text)
    data.setdefault("envoy", {}).update(
        {"listen": f"127.0.0.1:{live}", "shadow_listen": f"127.0.0.1:{shadow}", "admin": f"http://127.0.0.1:{admin}"}
    )
    return parse_config(yaml.safe_dump(data)), f"127.0.0.1:{admin}"


@contextmanager
def running_envoy(
    text: str, folder: Path, *, concurrency: int = 1, binary: Path | None = None, edit: Edit | None = None
) -> Iterator[RunningEnvoy]:
    """Run Envoy for the ``glidepath.yaml`` in ``text``, with its listeners on free ports.

    ``binary``: an Envoy other than the installed one. ``edit`` may change the rendered bootstrap, as a user may do.
    """
    config, admin = with_ports(text)
    bootstrap = folder / "envoy.yaml"
    rendered = render_bootstrap(config, admin=admin)
    if edit is not None:
        edit(rendered)
    bootstrap.write_text(to_yaml(rendered))
    child = start_envoy(bootstrap, f"http://{admin}", folder / "envoy.log", concurrency=concurrency, binary=binary)
    with child:
        yield RunningEnvoy(
            live=f"http://{config.envoy.listen}",
            shadow=f"http://{config.envoy.shadow_listen}",
            admin=f"http://{admin}",
            config=config,
            child=child,
        )
