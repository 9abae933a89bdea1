"""Turns groups of calls into workloads in the order of their migration, each with its section of ``glidepath.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glidepath.call_classes import CallClass
from glidepath.config.inventory import KindsSection
from glidepath.inventory.tally import OTHER
from glidepath.pricing.traffic_range import DAY_MS, DAYS_OF_MONTH
from glidepath_ops.inventory.answer_variation import AnswerVariation, by_repeats
from glidepath_ops.inventory.batch_internal_or_customer import kind_of
from glidepath_ops.inventory.eligible_share import CandidateLimits, eligible_share
from glidepath_ops.inventory.estimate import CallGroup, CallKey
from glidepath_ops.inventory.migration_order import FoundWorkload, in_order, reason
from glidepath_ops.inventory.read_inventory import ReadTraffic
from glidepath_ops.inventory.workload_fragment import (
    MatchKey,
    Sides,
    as_yaml,
    backends_section,
    group_names,
    match_key,
    section_names,
    task_of,
    workload_section,
)

MONTH_MS = DAYS_OF_MONTH * DAY_MS  # as `glidepath cost` counts a month
SHORTEST_MS = 60_000  # the shortest time from which a month is estimated


@dataclass(frozen=True, slots=True)
class Question:
    """The user's question: the limits of the candidate, the two backends, and the kinds of calls."""

    candidate: CandidateLimits
    sides: Sides
    kinds: KindsSection
    configured: frozenset[str] = frozenset()  # the names of the workloads that the configuration has


@dataclass(frozen=True, slots=True)
class Inventory:
    """The result of the inventory.

    ``workloads``: in the order of migration.
    ``others``: calls that are not inference, and calls beyond the largest number of groups that are counted.
    ``months``: the length of the counted time, in months of 365/12 days; None if it is unknown.
    """

    workloads: tuple[FoundWorkload, ...]
    others: tuple[CallGroup, ...]
    months: float | None
    candidate: CandidateLimits

    @property
    def requests(self) -> int:
        return sum(one.group.requests for one in self.workloads) + sum(one.requests for one in self.others)


def found_workloads(read: ReadTraffic, question: Question) -> Inventory:
    months = months_of(read.from_ms, read.to_ms)
    groups = list(read.traffic.groups.values())
    inference = [one for one in groups if _is_workload(one)]
    inference.sort(key=lambda one: (-one.requests, one.key))
    keys = [one.key for one in inference]
    sections = section_names(keys, question.configured)
    names = group_names(keys, sections)
    found = [_found(one, names[one.key], sections, read.variations, question, months) for one in inference]
    others = sorted((one for one in groups if not _is_workload(one)), key=lambda one: (-one.requests, one.key))
    return Inventory(tuple(in_order(found)), tuple(others), months, question.candidate)


def months_of(from_ms: int, to_ms: int) -> float | None:
    return (to_ms - from_ms) / MONTH_MS if from_ms and to_ms - from_ms >= SHORTEST_MS else None


def _is_workload(group: CallGroup) -> bool:
    return group.key.call is CallClass.INFERENCE and group.key.path != OTHER


def _found(
    group: CallGroup,
    name: str,
    sections: Mapping[MatchKey, str],
    variations: Mapping[str, AnswerVariation],
    question: Question,
    months: float | None,
) -> FoundWorkload:
    configured = configured_workload(group, question.configured)
    variation = variations.get(configured) if configured else None
    return FoundWorkload(
        name=name,
        section=configured or sections[match_key(group.key)],
        group=group,
        kind=kind_of(group, question.kinds),
        eligible=eligible_share(group.sample, question.candidate),
        variation=variation or by_repeats(group.sample.repeats, group.sample.same),
        month=group.requests / months if months else None,
        task=task_of(group),
    )


def configured_workload(group: CallGroup, configured: frozenset[str]) -> str:
    """Return the configured workload that serves most requests of a group of calls, or "" if none serves them."""
    served = {name: number for name, number in group.sample.workloads.items() if name in configured}
    best = max(served, key=lambda name: served[name], default="")
    return best if best and 2 * served[best] > group.sample.requests else ""


def section_text(inventory: Inventory, one: FoundWorkload, sides: Sides, *, backends: bool = True) -> str:
    """Return the section of a workload as the text of a file.

    ``backends``: whether to include the backends that the configuration lacks.
    """
    match = match_key(one.group.key)
    together = [w for w in inventory.workloads if match_key(w.group.key) == match]
    comments = [f"{one.name}: {reason(one)}."]
    if len(together) > 1:
        callers = ", ".join(sorted({w.group.key.caller for w in together}))
        comments.append(f"This section has the requests of {len(together)} callers: {callers}.")
        comments.append("Only a header can tell them apart: see inventory.callers.")
    if not one.kind.declared:
        comments.append("Who waits for the answers was guessed; declare it in inventory.kinds.")
    missing = backends_section(sides) if backends else {}
    if missing:
        comments.append(f"Put the addresses of {' and '.join(missing)} in place of those below.")
    if missing and sides.cluster:
        comments.append(
            f"The cluster {sides.cluster} of your Envoy serves these requests now. host: the Host header "
            "that it expects."
        )
    sections: dict[str, Any] = {
        "backends": missing,
        "workloads": workload_section(one.section, match, one.task, sides),
    }
    return as_yaml(sections, comments)


def all_sections(inventory: Inventory, sides: Sides, configured: frozenset[str]) -> dict[str, str]:
    """Return a file for each workload that the configuration lacks, and one for its missing backends, by file name."""
    files: dict[str, str] = {}
    if missing := backends_section(sides):
        files["backends.yaml"] = as_yaml({"backends": missing}, ["Put the real addresses here."])
    for one in inventory.workloads:
        if one.section not in configured:
            files.setdefault(f"{one.section}.yaml", section_text(inventory, one, sides, backends=False))
    return files


def key_text(key: CallKey) -> str:
    """Return the key of a group of calls as one line for people."""
    return " · ".join((key.path, key.model or "model unknown", key.caller))
