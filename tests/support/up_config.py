"""The configuration file for `glidepath up` with two backends, on ports that are free."""

from __future__ import annotations

from pathlib import Path

from glidepath_ops.local.child_process import free_ports


def write_up_config(folder: Path, cloud: str, onprem: str, more: str = "") -> Path:
    """Write a glidepath.yaml for ``glidepath up`` with two backends, given by their URLs, and return its path.

    ``more``: YAML to insert after the workload ``chat``.
    """
    listen, extproc, scorer, console = free_ports(4)
    path = folder / "glidepath.yaml"
    path.write_text(
        f"""\
envoy: {{listen: "127.0.0.1:{listen}", concurrency: 1}}
extproc: {{metrics: "127.0.0.1:{extproc}"}}
scorer: {{metrics: "127.0.0.1:{scorer}"}}
backends:
  cloud: {{url: "{cloud}"}}
  onprem: {{url: "{onprem}"}}
workloads:
  chat:
    match: {{path: /v1/chat/completions}}
    baseline: cloud
    candidate: onprem
    sticky: {{random: true}}
{more}console: {{listen: "127.0.0.1:{console}"}}
"""
    )
    return path
