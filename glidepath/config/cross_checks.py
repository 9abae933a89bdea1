"""Check the rules that concern more than one section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from glidepath.config.listen_addresses import conflicts, listen_addresses
from glidepath.config.root import Config


@dataclass(frozen=True, slots=True)
class Problem:
    """A violation of a rule: the path of the key at fault, and what is wrong with its value."""

    path: tuple[str | int, ...]
    message: str


def cross_check(config: Config) -> Problem | None:
    """Return the first violation of a rule in the configuration, or None."""
    default = config.envoy.default_backend
    if default is not None and default not in config.backends:
        known = ", ".join(config.backends)
        return Problem(("envoy", "default_backend"), f"unknown backend {default!r} (allowed: {known})")
    for name, workload in config.workloads.items():
        here = ("workloads", name)
        for role in ("baseline", "candidate"):
            backend = getattr(workload, role)
            if backend not in config.backends:
                known = ", ".join(config.backends)
                return Problem((*here, role), f"unknown backend {backend!r} (allowed: {known})")
        if workload.baseline == workload.candidate:
            return Problem((*here, "candidate"), f"is {workload.candidate!r}, the same backend as baseline")
        for other in workload.after:
            if other not in config.workloads:
                known = ", ".join(config.workloads)
                return Problem((*here, "after"), f"unknown workload {other!r} (allowed: {known})")
        if workload.start not in (0, *workload.ramp.steps):
            allowed = ", ".join(f"{s:g}" for s in (0, *workload.ramp.steps))
            return Problem((*here, "start"), f"{workload.start:g} is not a step of the ramp (allowed: {allowed})")
    return _same_address(config) or _same_match(config) or _order_cycle(config) or _unused(config)


def _same_address(config: Config) -> Problem | None:
    """Return the first address on which one process would listen twice. Other processes may run on other machines."""
    for conflict in conflicts(listen_addresses(config), on_one_machine=False):
        return Problem(conflict.second.key, conflict.message)
    return None


def _same_match(config: Config) -> Problem | None:
    seen: dict[str, str] = {}
    for name, workload in config.workloads.items():
        match = workload.match.model_dump_json()
        if match in seen:
            return Problem(("workloads", name, "match"), f"is the same as the match of {seen[match]!r}")
        seen[match] = name
    return None


def _unused(config: Config) -> Problem | None:
    """Return the first setting that has no effect, or None.

    Such a setting is an unknown backend in ``registry.models``, or a limit on the cost of copies if neither backend
    of the workload has a price.
    """
    for backend in config.registry.models if config.registry else ():
        if backend not in config.backends:
            known = ", ".join(config.backends)
            return Problem(("registry", "models", backend), f"unknown backend {backend!r} (allowed: {known})")
    for name, workload in config.workloads.items():
        sides = (workload.baseline, workload.candidate)
        if workload.shadow.budget.cost is not None and all(config.backends[side].price is None for side in sides):
            message = f"has no effect, because neither {sides[0]} nor {sides[1]} has a price"
            return Problem(("workloads", name, "shadow", "budget", "cost"), message)
    return None


def _order_cycle(config: Config) -> Problem | None:
    try:
        TopologicalSorter({name: workload.after for name, workload in config.workloads.items()}).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return Problem(("workloads", cycle[0], "after"), f"waits for itself: {' → '.join(cycle)}")
    return None
