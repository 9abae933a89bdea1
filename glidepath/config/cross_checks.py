"""Check the rules that concern more than one section of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from glidepath.config.comparison import FREE_TEXT
from glidepath.config.doubled_paths import doubled_path
from glidepath.config.listen_addresses import conflicts, listen_addresses
from glidepath.config.root import Config, Workload
from glidepath.suggestions import allowed_names


@dataclass(frozen=True, slots=True)
class Problem:
    """A violation of a rule: the path of the key at fault, and what is wrong with its value."""

    path: tuple[str | int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Names:
    """The names of all backends and workloads in the configuration file."""

    backends: tuple[str, ...]
    workloads: tuple[str, ...]


def cross_check(config: Config, names: Names) -> list[Problem]:
    """Return all violations of rules in the configuration.

    If some of the file's backends and workloads have errors of their own, ``config`` lacks them, but ``names`` has
    their names.
    """
    return [
        *_unknown_names(config, names),
        *_workload_rules(config),
        *_same_address(config),
        *_same_match(config),
        *_order_cycle(config),
    ]


def _unknown_names(config: Config, names: Names) -> Iterator[Problem]:
    default = config.envoy.default_backend
    if default is not None and default not in names.backends:
        yield _unknown(("envoy", "default_backend"), "backend", default, names.backends)
    for backend in config.registry.models if config.registry else ():
        if backend not in names.backends:
            yield _unknown(("registry", "models", backend), "backend", backend, names.backends)
    for name, workload in config.workloads.items():
        for role in ("baseline", "candidate"):
            if getattr(workload, role) not in names.backends:
                yield _unknown(("workloads", name, role), "backend", getattr(workload, role), names.backends)
        for other in workload.after:
            if other not in names.workloads:
                yield _unknown(("workloads", name, "after"), "workload", other, names.workloads)


def unknown_backends(workloads: Mapping[str, Any], names: Names) -> Iterator[Problem]:
    """Yield each backend that is unknown in workloads that are not valid, and so are in no ``Config``.

    ``workloads``: the workloads as the file has them.
    """
    for name, workload in workloads.items():
        for role in ("baseline", "candidate"):
            backend = workload.get(role) if isinstance(workload, dict) else None
            if isinstance(backend, str) and backend not in names.backends:
                yield _unknown(("workloads", name, role), "backend", backend, names.backends)


def _unknown(path: tuple[str, ...], what: str, name: str, names: tuple[str, ...]) -> Problem:
    return Problem(path, f"unknown {what} {name!r} {allowed_names(names, name)}")


def _workload_rules(config: Config) -> Iterator[Problem]:
    for name, workload in config.workloads.items():
        here = ("workloads", name)
        if workload.baseline == workload.candidate:
            yield Problem((*here, "candidate"), f"is {workload.candidate!r}, the same backend as baseline")
        if workload.start not in (0, *workload.ramp.steps):
            allowed = ", ".join(f"{s:g}" for s in (0, *workload.ramp.steps))
            yield Problem((*here, "start"), f"{workload.start:g} is not a step of the ramp (allowed: {allowed})")
        yield from _cost_without_price(config, name, workload)
        yield from _preference_without_judge(here, workload)
    for backend, message in doubled_path(config):
        yield Problem(("backends", backend, "url"), message)


def _preference_without_judge(here: tuple[str, str], workload: Workload) -> Iterator[Problem]:
    """Yield an evaluator of a workload whose answers it cannot judge, and a preference gate without an evaluator."""
    gates, evaluator = workload.gates, workload.scoring.evaluator
    if evaluator is not None and workload.task not in FREE_TEXT:
        message = f"has no effect on answers of task {workload.task}; it judges {', '.join(FREE_TEXT)}"
        yield Problem((*here, "scoring", "evaluator"), message)
    if evaluator is None and gates.preference is not None and "preference" in gates.model_fields_set:
        yield Problem((*here, "gates", "preference"), "has no effect without an evaluator; add scoring.evaluator")


def _cost_without_price(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Yield the limit on the cost of copies if neither backend of the workload has a price: it has no effect."""
    sides = [config.backends[side] for side in (workload.baseline, workload.candidate) if side in config.backends]
    if workload.shadow.budget.cost is not None and len(sides) == 2 and all(side.price is None for side in sides):
        message = f"has no effect, because neither {workload.baseline} nor {workload.candidate} has a price"
        yield Problem(("workloads", name, "shadow", "budget", "cost"), message)


def _same_address(config: Config) -> Iterator[Problem]:
    """Yield each address on which one process would listen twice. Other processes may run on other machines."""
    for conflict in conflicts(listen_addresses(config), on_one_machine=False):
        yield Problem(conflict.second.key, conflict.message)


def _same_match(config: Config) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, workload in config.workloads.items():
        match = workload.match.model_dump_json()
        if match in seen:
            yield Problem(("workloads", name, "match"), f"is the same as the match of {seen[match]!r}")
        seen.setdefault(match, name)


def _order_cycle(config: Config) -> Iterator[Problem]:
    try:
        TopologicalSorter({name: workload.after for name, workload in config.workloads.items()}).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        yield Problem(("workloads", cycle[0], "after"), f"waits for itself: {' → '.join(cycle)}")
