"""The kind of a group of calls: batch jobs, internal tools or customers. It is declared or guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from glidepath.config.inventory import KindsSection
from glidepath_ops.inventory.estimate import CallGroup

_STREAMS, _FEW_STREAMS = 0.5, 0.01  # shares of streamed answers that distinguish people from programs
_WORDS = {
    "batch": r"batch|etl|nightly|cron|job|jobs|pipeline|backfill|eval|evals|index|indexer|ingest|offline|scheduled",
    "internal": r"internal|admin|staff|backoffice|employee|employees|intranet|dev|ci|test|tests|staging|ops|support",
    "customer": r"customer|customers|public|prod|web|app|mobile|frontend|user|users|client|clients",
}
_IN_NAMES = {kind: re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])") for kind, words in _WORDS.items()}


class Kind(StrEnum):
    """The people or programs that wait for the answers, the most tolerant first."""

    BATCH = "batch"
    INTERNAL = "internal"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class FoundKind:
    """The kind of a group of calls. ``why``: the reason, for people. ``declared``: False if the kind was guessed."""

    kind: Kind
    why: str
    declared: bool


def kind_of(group: CallGroup, declared: KindsSection) -> FoundKind:
    """Return the kind that the configuration declares, or else a guess based on names and streams."""
    names = (group.key.caller, group.key.path, group.key.model, *group.sample.workloads)
    for kind in Kind:
        patterns: tuple[str, ...] = getattr(declared, kind.value)
        found = next((p for p in patterns for name in names if fnmatchcase(name, p)), None)
        if found is not None:
            return FoundKind(kind, f"inventory.kinds.{kind.value}: {found}", declared=True)
    for kind in Kind:
        for name in (group.key.caller, *group.sample.workloads):
            if word := _IN_NAMES[kind.value].search(name.lower()):
                return FoundKind(kind, f"{name} has the word {word[0]}", declared=False)
    streamed = group.sums.get("streamed", 0.0) / group.requests if group.requests else 0.0
    if streamed >= _STREAMS:
        return FoundKind(
            Kind.CUSTOMER, f"{streamed:.0%} of the answers are streamed, as is usual for people", declared=False
        )
    if streamed <= _FEW_STREAMS:
        return FoundKind(Kind.INTERNAL, "no answers are streamed, as is usual for programs", declared=False)
    return FoundKind(Kind.CUSTOMER, "nothing shows who waits for the answers, so it may be customers", declared=False)
