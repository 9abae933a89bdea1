"""The demo's configuration, load and time limits, for prepared answers and for a real LLM.

The gates are the production gates with looser thresholds, because the demo must decide a step within seconds, at some
tens of requests per second. Fifty samples, for example, cannot show that the error rate has risen by half a percentage
point (docs/how-to/run-the-demo.md). See ADR 0061.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glidepath.config import Config
from glidepath_ops.demo.client_load import Profile
from glidepath_ops.demo.llm_questions import LLM_PROMPTS
from glidepath_ops.demo.written_answers import texts
from glidepath_ops.local.own_redis import redis_password_file
from glidepath_ops.local.services import SHADOW_SOCKET

WORKLOAD = "chat"
BASELINE, CANDIDATE = "cloud", "onprem"
MODELS = {BASELINE: "cloud-large", CANDIDATE: "onprem-small"}
LIMIT_S = 150.0  # the demo takes half a minute; with other work on both of two processors, it takes over 90 s
# Invented, so that `glidepath cost` and `glidepath report` have something to compute.
PRICES = {
    BASELINE: {"input": 2.5, "cached_read": 1.25, "output": 10},
    CANDIDATE: {"gpu_hour": 2.2, "gpus": 2, "monthly": 400},
}


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports of the demo's processes. They were free at the start of the demo."""

    envoy: int
    admin: int
    redis: int
    extproc_metrics: int
    scorer_metrics: int
    baseline: int
    candidate: int


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """The settings of a demo run.

    ``ramp``, ``gates`` and ``shadow`` are sections of the workload in glidepath.yaml. ``limit_s`` is the time limit of
    the demo in seconds, from the time at which all processes are ready. Before the fault, the candidate serves the last
    step for ``settle_s`` seconds.
    """

    profile: Profile
    ramp: Mapping[str, Any]
    gates: Mapping[str, Any]
    shadow: Mapping[str, Any]
    limit_s: float
    settle_s: float = 3.0
    llm: bool = False

    @property
    def steps(self) -> Sequence[float]:
        return tuple(self.ramp["steps"])


def written_plan() -> DemoPlan:
    """Return the plan with prepared answers and seven steps, as in production.

    At 1 % the candidate gets a request only every 1.4 seconds, so ``min_samples`` is small. Both sides give the same
    prepared answers in different words. So an answer that differs in meaning is wrong, and ``sameness`` may roll back.
    """
    return DemoPlan(
        profile=Profile(rate=70, prompts=tuple(text.prompt for text in texts())),
        ramp={"steps": [1, 5, 10, 25, 50, 75, 100], "hold": "1s", "shadow_hold": "1s", "min_samples": 10},
        gates={
            "sameness": {"min_agreement": 0.75, "action": "rollback"},
            "errors": {"max_increase": "25%"},
            "latency": {"quantile": "p50", "max_ratio": 1.5},
        },
        shadow={"sample": 100, "reverse": 100, "same_side": 50, "max_in_flight": 64, "timeout": "5s"},
        limit_s=LIMIT_S,
    )


def llm_plan() -> DemoPlan:
    """Return the plan with a real LLM as both backends: two steps, two requests per second and short answers."""
    return DemoPlan(
        profile=Profile(rate=2, prompts=LLM_PROMPTS, max_tokens=10, max_in_flight=16, timeout=60),
        ramp={"steps": [50, 100], "hold": "1s", "shadow_hold": "1s", "min_samples": 10},
        gates={
            "sameness": {"min_agreement": 0.5, "action": "rollback"},
            "errors": {"max_increase": "30%"},
            "latency": {"quantile": "p50", "max_ratio": 3},
        },
        shadow={"sample": 100, "reverse": 100, "same_side": 0, "max_in_flight": 8, "timeout": "30s"},
        limit_s=LIMIT_S,
        llm=True,
    )


def demo_config(plan: DemoPlan, ports: Ports, folder: Path) -> Config:
    """Return the demo's configuration. ``folder`` holds the Unix sockets and Redis' password."""
    return Config.model_validate(
        {
            "envoy": {
                "admin": [f"http://127.0.0.1:{ports.admin}"],
                "listen": f"127.0.0.1:{ports.envoy}",
                "shadow_listen": f"unix:{folder / SHADOW_SOCKET}",
                "rtds_listen": f"unix:{folder}/rtds.sock",
                "concurrency": 2,
            },
            "redis": {
                "url": f"redis://127.0.0.1:{ports.redis}/0",
                "password": {"file": str(redis_password_file(folder))},
            },
            "extproc": {
                "listen": f"unix:{folder}/extproc.sock",
                "metrics": f"127.0.0.1:{ports.extproc_metrics}",
                "flush": "100ms",
            },
            "scorer": {"metrics": f"127.0.0.1:{ports.scorer_metrics}", "tick": "100ms", "lease": "2s"},
            "backends": {
                BASELINE: _backend(BASELINE, ports.baseline, "provider"),
                CANDIDATE: _backend(CANDIDATE, ports.candidate, "own"),
            },
            "workloads": {
                WORKLOAD: {
                    "match": {"path": "/v1/chat/completions"},
                    "task": "chat",
                    "baseline": BASELINE,
                    "candidate": CANDIDATE,
                    "sticky": {"header": "x-user-id"},
                    "if_lost": "baseline",
                    "shadow": dict(plan.shadow),
                    "ramp": {**plan.ramp, "cool_down": "1h"},
                    "gates": dict(plan.gates),
                }
            },
        }
    )


def _backend(name: str, port: int, hardware: str) -> dict[str, object]:
    return {
        "url": f"http://127.0.0.1:{port}",
        "model": MODELS[name],
        "price": PRICES[name],
        "hardware": hardware,
        "region": "this machine",
    }
