"""The URLs and curl lines to play with while everything runs: printed by ``glidepath up`` and ``demo --keep``.

Curl is promised only where the scorer sees it: with RTDS and no known admin interface, the commands are shown instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from glidepath import keys
from glidepath.config import Config


def guide(config: Config, path: Path) -> Iterator[str]:
    """URLs, then for each workload the curl lines of every runtime flag. ``path``: the configuration's file."""
    yield f"clients        http://{config.envoy.listen}"
    for admin in config.envoy.admin:
        yield f"Envoy's admin  {admin}"
    yield f"Redis          {config.redis.url}"
    yield f"metrics        http://{config.extproc.metrics}/metrics (extproc)"
    yield f"               http://{config.scorer.metrics}/metrics (scorer)"
    admin = config.envoy.admin[0] if config.envoy.admin else "http://127.0.0.1:9901"
    unseen = config.envoy.actuator == "rtds" and not config.envoy.admin
    yield f"status         glidepath status -c {path}"
    yield f"decisions      glidepath log -c {path}"
    for name, workload in config.workloads.items():
        candidate = (
            keys.fallback_cluster(workload.candidate, workload.baseline) if workload.fallback else workload.candidate
        )
        yield ""
        yield f"workload {name}: {workload.baseline} → {workload.candidate}"
        if unseen:
            yield from _commands(path, name)
        else:
            yield from _curls(admin, name, candidate, workload.baseline)


def _commands(path: Path, workload: str) -> Iterator[str]:
    yield "  everything back to the baseline"
    yield f"    glidepath rollback {workload} -c {path}"
    yield "  the automation off, and on again"
    yield f"    glidepath hold {workload} -c {path}"
    yield f"    glidepath resume {workload} -c {path}"
    yield "  (not by curl: envoy.admin names no Envoy, so the scorer would not see it, and would go on)"


def _curls(admin: str, workload: str, candidate: str, baseline: str) -> Iterator[str]:
    def modify(*pairs: tuple[str, int]) -> str:
        return f"curl -X POST '{admin}/runtime_modify?{'&'.join(f'{key}={value}' for key, value in pairs)}'"

    to_candidate, to_baseline = keys.weight_key(workload, candidate), keys.weight_key(workload, baseline)
    yield "  what is set now"
    yield f"    curl -s '{admin}/runtime' | grep -A3 '{keys.PREFIX}.{workload}'"
    yield "  a quarter to the candidate (the sum stays 10000; the automation then holds)"
    yield f"    {modify((to_candidate, 2500), (to_baseline, 7500))}"
    yield "  everything back to the baseline"
    yield f"    {modify((to_candidate, 0), (to_baseline, keys.FULL_WEIGHT))}"
    yield "  a tenth of the requests captured and compared; 0: none"
    yield f"    {modify((keys.shadow_key(workload), 10))}"
    yield "  the automation off, and on again"
    yield f"    {modify((keys.autopilot_key(workload), 0))}"
    yield f"    {modify((keys.autopilot_key(workload), 1))}"
