"""Checks whether the running Envoy has every part of the configuration: extensions, clusters and listeners.

An Envoy refuses a part that it does not know, and continues without it. Clients would notice the missing part only
after a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from glidepath import envoy_names
from glidepath.config import Config
from glidepath_ops.doctor.facts import EnvoyFacts, Finding, fail, ok, warn
from glidepath_ops.envoyconfig.bootstrap import SHADOW_LISTENER
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.extensions import used_extensions
from glidepath_ops.envoyconfig.internal_hops import candidates_with_hop

REFUSED = (
    "Envoy's log says why it refused or does not have it; correct that and apply the configuration again. "
    "Until then no copies are sent, so the share stays where it is"
)
_UPDATES_REFUSED = ("cluster_manager.cds.update_rejected", "listener_manager.lds.update_rejected")


def missing_parts(subject: str, config: Config, envoy: EnvoyFacts) -> Iterator[Finding]:
    """Yield a finding on each kind of part: extensions, clusters, aggregate clusters, listeners.

    A missing part of one kind can be the reason why parts of a later kind are missing.
    """
    yield _extensions(subject, config, envoy)
    yield _clusters(subject, config, envoy)
    yield from _aggregates(subject, config, envoy)
    yield _listeners(subject, config, envoy)


def _extensions(subject: str, config: Config, envoy: EnvoyFacts) -> Finding:
    check, running, used = "extensions", envoy.extensions(), used_extensions(config)
    if not running:
        return warn(subject, check, "this Envoy lists none", "check that /server_info shows node.extensions")
    missing = [extension for name, (extension, _) in used.items() if name not in running]
    if missing:
        listed = "; ".join(f"{one.name}, which {one.purpose}" for one in missing)
        remedies = "; ".join(dict.fromkeys(one.remedy or "use a build of Envoy that has it" for one in missing))
        return fail(subject, check, f"this Envoy lacks {listed}", remedies)
    return ok(subject, check, f"all {len(used)} that the configuration needs")


def _clusters(subject: str, config: Config, envoy: EnvoyFacts) -> Finding:
    check = "clusters"
    active, warming = envoy.clusters_by_state()
    wanted = [str(one["name"]) for one in clusters(config)]
    wanted += [backend.cluster for backend in config.backends.values() if backend.cluster is not None]
    missing = [name for name in dict.fromkeys(wanted) if name not in active]
    if not missing:
        return ok(subject, check, f"all {len(set(wanted))} that the configuration needs")
    waiting = [name for name in missing if name in warming]
    if waiting == missing:
        return fail(subject, check, f"still without endpoints: {', '.join(waiting)}", "wait, or check their DNS names")
    return fail(subject, check, f"not in this Envoy: {', '.join(missing)}{_refusals(envoy)}", REFUSED)


def _refusals(envoy: EnvoyFacts) -> str:
    counts = [f"{name} {envoy.stats[name]}" for name in _UPDATES_REFUSED if envoy.stats.get(name)]
    return f" ({', '.join(counts)})" if counts else ""


def _aggregates(subject: str, config: Config, envoy: EnvoyFacts) -> Iterator[Finding]:
    """Report each aggregate cluster whose members in the running Envoy differ from those in the configuration."""
    for wanted in clusters(config):
        running = envoy.cluster_config(str(wanted["name"]))
        if "cluster_type" in wanted and running is not None and _members(running) != _members(wanted):
            detail = f"{wanted['name']} has {_members(running) or 'no members'}, not {_members(wanted)}"
            yield fail(subject, "clusters", detail, REFUSED)


def _members(cluster: Mapping[str, Any]) -> list[str]:
    return list(cluster.get("cluster_type", {}).get("typed_config", {}).get("clusters", []))


def _listeners(subject: str, config: Config, envoy: EnvoyFacts) -> Finding:
    check, refused = "listeners", envoy.refused_listeners()
    if refused:
        listed = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        return fail(subject, check, f"Envoy refused {listed}", REFUSED)
    if SHADOW_LISTENER not in envoy.active_listeners():
        return fail(subject, check, f"no listener {SHADOW_LISTENER}, to which extproc sends copies", REFUSED)
    for name in candidates_with_hop(config):
        if envoy_names.hop(name) not in envoy.active_listeners():
            missing = f"no listener {envoy_names.hop(name)}, which leads to the candidate {name}"
            return fail(subject, check, missing, REFUSED)
    return ok(subject, check, f"none refused, and {SHADOW_LISTENER} is there")
