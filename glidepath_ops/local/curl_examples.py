"""The URLs and example commands that ``glidepath up`` and ``glidepath demo --keep`` print.

A curl command changes a value at one Envoy. If weights are set by RTDS and ``envoy.admin`` is empty, the scorer would
not notice the change, so ``glidepath`` commands are printed instead.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from glidepath import redis_keys, runtime_keys
from glidepath.config import Config
from glidepath.config.kubernetes import HttpRouteSection
from glidepath.duration_text import duration_text


def glidepath_command() -> str:
    """Return the ``glidepath`` command as the user must type it: with its folder, unless the folder is on PATH."""
    beside = Path(sys.executable).with_name("glidepath")
    return str(beside) if shutil.which("glidepath") is None and beside.exists() else "glidepath"


def example_lines(config: Config, path: Path, *, own_envoy: bool = True) -> Iterator[str]:
    """Yield the lines to print: the URLs, then example commands for each workload.

    ``path``: the configuration file that the commands name.
    ``own_envoy``: whether Glidepath has started the Envoy, so that clients reach it at ``envoy.listen``.
    """
    yield f"clients        {f'http://{config.envoy.listen}' if own_envoy else 'the listener of your own Envoy'}"
    for admin in config.envoy.admin:
        yield f"Envoy's admin  {admin}"
    password = config.redis.password
    where = f"   password in {password.file}" if password is not None and password.file else ""
    yield f"Redis          {config.redis.url}{where}"
    yield f"metrics        http://{config.extproc.metrics}/metrics (extproc)"
    yield f"               http://{config.scorer.metrics}/metrics (scorer)"
    admin = config.envoy.admin[0] if config.envoy.admin else "http://127.0.0.1:9901"
    unseen = config.envoy.actuator == "rtds" and not config.envoy.admin
    yield f"status         {glidepath_command()} status -c {path}"
    yield f"decisions      {glidepath_command()} log -c {path}"
    for name, workload in config.workloads.items():
        yield ""
        yield f"workload {name}: {workload.baseline} → {workload.candidate}"
        if workload.actuator is not None:
            yield from _kubectl_commands(name, workload.actuator)
        elif unseen:
            yield from _glidepath_commands(path, name)
        else:
            yield from _curl_commands(admin, name, config.candidate_cluster(name), config.baseline_cluster(name))
        if workload.if_lost == "baseline" and workload.actuator is None:
            yield from _lease_commands(admin, name, workload.lost_after)


def _glidepath_commands(path: Path, workload: str) -> Iterator[str]:
    yield "  all traffic back to the baseline"
    yield f"    {glidepath_command()} rollback {workload} -c {path}"
    yield "  automation off, and on again"
    yield f"    {glidepath_command()} hold {workload} -c {path}"
    yield f"    {glidepath_command()} resume {workload} -c {path}"
    yield "  (not with curl: envoy.admin names no Envoy, so the scorer would not notice a manual override)"


def _kubectl_commands(workload: str, route: HttpRouteSection) -> Iterator[str]:
    """Yield commands for a workload whose weights are in an HTTPRoute. The leader adopts weights that are set there."""
    place = f"httproute {route.name} -n {route.namespace}"
    yield "  show the current weights"
    yield f"    kubectl get {place} -o jsonpath='{{.spec.rules}}'"
    yield f"  the weights of rule {route.rule} are {route.baseline.name} and {route.candidate.name}; set others with"
    yield f"    kubectl edit {place}"
    yield "  automation off, and on again"
    yield f"    kubectl annotate {place} glidepath/{workload}.autopilot=0"
    yield f"    kubectl annotate {place} glidepath/{workload}.autopilot-"


def _lease_commands(admin: str, workload: str, lost_after_s: float) -> Iterator[str]:
    """Yield commands that set the lease of a split that ends without a scorer. Weights alone would not restore it."""
    key = runtime_keys.lease_key(workload)
    yield f"  after {duration_text(lost_after_s)} without a scorer the split ends (if_lost); bring it back by hand"
    yield f"    curl -X POST '{admin}/runtime_modify?{key}=100'"
    yield "  leave it to the scorer again"
    yield f"    curl -X POST '{admin}/runtime_modify?{key}='"


def _curl_commands(admin: str, workload: str, candidate: str, baseline: str) -> Iterator[str]:
    def modify(*pairs: tuple[str, int]) -> str:
        return f"curl -X POST '{admin}/runtime_modify?{'&'.join(f'{key}={value}' for key, value in pairs)}'"

    to_candidate, to_baseline = (
        runtime_keys.weight_key(workload, candidate),
        runtime_keys.weight_key(workload, baseline),
    )
    yield "  show the current values"
    yield f"    curl -s '{admin}/runtime' | grep -A3 '{redis_keys.PREFIX}.{workload}'"
    yield "  25 % to the candidate (the sum stays 10000; the automation then holds)"
    yield f"    {modify((to_candidate, 2500), (to_baseline, 7500))}"
    yield "  all traffic back to the baseline"
    yield f"    {modify((to_candidate, 0), (to_baseline, runtime_keys.FULL_WEIGHT))}"
    yield "  capture and compare 10 % of the requests; 0: none"
    yield f"    {modify((runtime_keys.shadow_key(workload), 10))}"
    yield "  automation off, and on again"
    yield f"    {modify((runtime_keys.autopilot_key(workload), 0))}"
    yield f"    {modify((runtime_keys.autopilot_key(workload), 1))}"
