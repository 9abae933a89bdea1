"""The configuration of a system on this machine: one Envoy, Redis, extproc and a scorer, each on a free port."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glidepath.config import Config
from glidepath_ops.local.child_process import free_ports

Section = Mapping[str, Any]
WORKLOAD = "chat"


def local_config(
    folder: Path, cloud: Section, onprem: Section, workload: Section, *, extproc: Section | None = None,
    scorer: Section | None = None,
) -> Config:  # fmt: skip
    """Return a configuration with the workload ``chat`` from ``cloud`` to ``onprem``.

    ``cloud``, ``onprem``: settings of the two backends. ``extproc``, ``scorer``: settings of these sections.
    ``workload``: settings of the workload besides its path and its sides.
    """
    envoy, shadow, admin, redis_port, extproc_port, scorer_port = free_ports(6)
    return Config.model_validate(
        {
            "envoy": {
                "admin": [f"http://127.0.0.1:{admin}"],
                "listen": f"127.0.0.1:{envoy}",
                "shadow_listen": f"127.0.0.1:{shadow}",
                "concurrency": 1,
            },
            "redis": {"url": f"redis://127.0.0.1:{redis_port}/0"},
            "extproc": {
                "listen": f"unix:{folder}/extproc.sock",
                "metrics": f"127.0.0.1:{extproc_port}",
                "drain": "1s",
                **(extproc or {}),
            },
            "scorer": {"metrics": f"127.0.0.1:{scorer_port}", **(scorer or {})},
            "backends": {"cloud": dict(cloud), "onprem": dict(onprem)},
            "workloads": {
                WORKLOAD: {
                    "match": {"path": "/v1/chat/completions"},
                    "baseline": "cloud",
                    "candidate": "onprem",
                    "sticky": {"random": True},
                    **workload,
                }
            },
        }
    )
