"""Runs the demo's two backends as child processes."""

from __future__ import annotations

import sys
from pathlib import Path

from glidepath.sides import Side
from glidepath_ops.demo.demo_settings import BASELINE, CANDIDATE, MODELS, DemoPlan, Ports
from glidepath_ops.local.child_process import Child
from glidepath_ops.local.redis_and_envoy import answers_ok
from glidepath_ops.local.services import Service


def backend_services(plan: DemoPlan, ports: Ports, folder: Path) -> tuple[Service, Service]:
    """Return the demo's baseline and candidate as services. A backend is ready when its ``/healthz`` answers 200."""
    return (
        _service(BASELINE, Side.BASELINE, ports.baseline, plan.llm, folder),
        _service(CANDIDATE, Side.CANDIDATE, ports.candidate, plan.llm, folder),
    )


def _service(name: str, side: Side, port: int, llm: bool, folder: Path) -> Service:
    command = [sys.executable, "-m", "glidepath_ops.demo.backend_server", "--port", str(port), "--side", side.value]
    command += ["--model", MODELS[name], "--seed", str(port), *(["--llm"] if llm else [])]
    return Service(
        name,
        lambda: Child(name, command, folder / f"{name}.log"),
        lambda: answers_ok(f"http://127.0.0.1:{port}/healthz"),
        timeout=60,
    )
