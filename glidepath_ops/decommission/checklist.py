"""Builds the checklist for switching off a baseline.

The functions of this module do no I/O: they turn facts into checklist items. See ADR 0092.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from glidepath.config import Config, Workload
from glidepath.config.backends import Backend
from glidepath.status_and_decisions import Decision, Phase, WorkloadStatus
from glidepath_ops.drill_command import drill_command

DAY_MS = 86_400_000


# How the clusters of Istio and of Envoy Gateway begin, and the resources with the routes and with the patches.
_MESHES = (("outbound|", "VirtualService", "EnvoyFilter"), ("httproute/", "HTTPRoute", "EnvoyPatchPolicy"))


class ItemState(StrEnum):
    OK = "ok"
    WARN = "warn"
    BLOCK = "block"
    TODO = "todo"  # a task for a person; Glidepath cannot check whether it is done


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One line of the checklist. ``remedy``: how to solve the problem; "" if there is no problem."""

    level: ItemState
    workload: str
    what: str
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """The facts about one workload that the checklist uses.

    ``decisions`` are in the order of the log, oldest first. ``probes_failing`` names the sides that failed the last
    probes; it is empty if none failed.
    """

    status: WorkloadStatus | None = None
    decisions: tuple[Decision, ...] = ()
    probes_failing: str = ""


def users_of(config: Config, backend: str) -> dict[str, str]:
    """Return how each workload uses ``backend``. Workloads that do not use it are left out.

    The keys are names of workloads; the values are "baseline", "baseline and fallback" or "candidate".
    """
    uses: dict[str, str] = {}
    for name, workload in config.workloads.items():
        if workload.baseline == backend:
            uses[name] = "baseline and fallback" if workload.fallback else "baseline"
        elif workload.candidate == backend:
            uses[name] = "candidate"
    return uses


def in_order(config: Config, volumes: Mapping[str, int]) -> list[str]:
    """Return the names of all workloads in the order in which to switch off their baselines, least critical first.

    A workload comes after the workloads that its setting ``after`` names, because they must be completed before it.
    Workloads at the same depth of this chain are in the order of their numbers of requests (``volumes``), smallest
    first.
    """
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 1 + max((depth(other) for other in config.workloads[name].after), default=-1)
        return depths[name]

    return sorted(config.workloads, key=lambda name: (depth(name), volumes.get(name, 0), name))


def checklist(config: Config, workload: str, facts: Mapping[str, WorkloadFacts], now_ms: int) -> list[ChecklistItem]:
    """Return the checklist for switching off the baseline of ``workload``: first the checks, then a person's tasks.

    ``facts`` maps the name of each workload to its facts.
    """
    settings = config.workload(workload)
    own = facts.get(workload, WorkloadFacts())
    return [
        *_migration(workload, settings, own, now_ms),
        *_rehearsal(workload, own),
        *_synchronisation(workload, settings, own),
        *_earlier_workloads(config, workload, facts),
        *_other_users(config, workload, facts),
        *_to_do(config, workload, own, tuple(_still_using(config, workload, facts))),
    ]


def blocked(items: list[ChecklistItem]) -> list[ChecklistItem]:
    return [item for item in items if item.level is ItemState.BLOCK]


def _migration(name: str, settings: Workload, facts: WorkloadFacts, now_ms: int) -> list[ChecklistItem]:
    status, last = facts.status, settings.ramp.steps[-1]
    if status is None:
        return [ChecklistItem(ItemState.BLOCK, name, "migrated", "no scorer has steered it", "run the migration first")]
    share = f"{status.percent:g} % at the candidate, {status.phase.replace('_', ' ')}"
    if last < 100:
        detail = f"its ramp ends at {last:g} %, so the workload still needs its baseline"
        return [ChecklistItem(ItemState.BLOCK, name, "migrated", detail, "add a step of 100 % first")]
    if status.percent < 100:
        return [ChecklistItem(ItemState.BLOCK, name, "migrated", share, f"wait for 100 %: glidepath status -w {name}")]
    failing = [v.gate for v in status.verdicts if v.gating and v.outcome == "fail"]
    if status.phase != Phase.COMPLETED.value:
        left = max(status.since_ms + settings.ramp.validation * 1000 - now_ms, 0) / DAY_MS
        waits = status.phase == Phase.VALIDATING.value and not failing and left
        remedy = f"wait: the validation ends in {left:.1f} days" if waits else f"glidepath status -w {name}"
        share = f"{share}; {', '.join(failing)} fail" if failing else share
        return [ChecklistItem(ItemState.BLOCK, name, "validated", share, remedy)]
    items = [ChecklistItem(ItemState.OK, name, "migrated and validated", share)]
    if failing:
        items.append(
            ChecklistItem(
                ItemState.BLOCK,
                name,
                "gates",
                f"{', '.join(failing)} fail",
                "find the cause before rollback becomes impossible",
            )
        )
    return items


def _rehearsal(name: str, facts: WorkloadFacts) -> list[ChecklistItem]:
    command = drill_command(name, facts.status)
    # A drill of the loss of all scorers (details.lost_after_ms) rehearses no rollback.
    drills = [d for d in facts.decisions if d.event == "drill_finished" and "lost_after_ms" not in d.details]
    if not drills:
        return [ChecklistItem(ItemState.WARN, name, "rollback rehearsed", "no drill in the log", command)]
    passed = bool(drills[-1].details.get("passed"))
    remedy = "" if passed else command
    return [
        ChecklistItem(ItemState.OK if passed else ItemState.WARN, name, "rollback rehearsed", drills[-1].reason, remedy)
    ]


def _synchronisation(name: str, settings: Workload, facts: WorkloadFacts) -> list[ChecklistItem]:
    if settings.probes is None and settings.shadow.reverse == 0:
        detail = "neither probes nor reverse shadow: nothing shows that both sides are still in sync"
        return [
            ChecklistItem(ItemState.WARN, name, "both sides in sync", detail, "add a probes section; glidepath probe")
        ]
    if facts.probes_failing:
        detail = f"synthetic probes fail: {facts.probes_failing}"
        return [ChecklistItem(ItemState.WARN, name, "both sides in sync", detail, f"glidepath probe {name}")]
    level, seen, remedy = _agreement(name, settings, facts.status)
    return [ChecklistItem(level, name, "both sides in sync", seen, remedy)]


def _agreement(name: str, settings: Workload, status: WorkloadStatus | None) -> tuple[ItemState, str, str]:
    """Return the state, the detail and the remedy of the item about the agreement in the current step."""
    if status is None or status.agreement is None:
        remedy = f"glidepath probe {name}" if settings.probes is not None else f"glidepath status -w {name}"
        return ItemState.WARN, "no pair has been scored in this step, so the agreement is unknown", remedy
    seen, least = f"agreement {status.agreement:.3f}", _least_agreement(settings, status)
    margin = None if settings.sameness is None else settings.sameness.margin
    unmeasured = margin is not None and status.noise is None
    if unmeasured and least is None:
        detail = f"{seen}, and no noise floor measured in this step, to which the margin {margin:g} is relative"
        remedy = f"glidepath log -w {name} (the gate in earlier steps), or set gates.sameness.min_agreement"
        return ItemState.WARN, detail, remedy
    if least is None:
        return ItemState.WARN, f"{seen}, and no limit in gates.sameness to compare it with", "set gates.sameness"
    if status.agreement < least:
        return ItemState.WARN, f"{seen}, below the limit {least:.3f} of gates.sameness", f"glidepath status -w {name}"
    rest = "; the margin is not checked, because no noise floor is measured in this step" if unmeasured else ""
    return ItemState.OK, f"{seen}, at least {least:.3f}{rest}", ""


def _least_agreement(settings: Workload, status: WorkloadStatus) -> float | None:
    """Return the lowest agreement that the sameness gates allow, or None if there is no limit to compare with."""
    limit = settings.sameness
    if limit is None:
        return None
    relative = None if limit.margin is None or status.noise is None else status.noise - limit.margin
    limits = [least for least in (limit.min_agreement, relative) if least is not None]
    return max(limits, default=None)


def _earlier_workloads(config: Config, workload: str, facts: Mapping[str, WorkloadFacts]) -> list[ChecklistItem]:
    """Return an item for each workload in ``after`` that has the same baseline.

    These workloads should be decommissioned before ``workload``.
    """
    items = []
    for other in config.workload(workload).after:
        if config.workload(other).baseline != config.workload(workload).baseline:
            continue
        ended = any(d.event == "decommission" for d in facts.get(other, WorkloadFacts()).decisions)
        level = ItemState.OK if ended else ItemState.WARN
        remedy = "" if ended else f"glidepath decommission {other} first: it is less critical"
        items.append(
            ChecklistItem(
                level, workload, f"{other} before it", "switched off" if ended else "not switched off yet", remedy
            )
        )
    return items


def _still_using(config: Config, workload: str, facts: Mapping[str, WorkloadFacts]) -> dict[str, str]:
    """Return the other users of the workload's baseline, with a description of each use.

    The keys are names of workloads, or ``envoy.default_backend``. A workload that has already switched off this backend
    as its baseline is left out.
    """
    backend = config.workload(workload).baseline
    users = {}
    for other, use in users_of(config, backend).items():
        one = facts.get(other, WorkloadFacts())
        ended = any(d.event == "decommission" for d in one.decisions)
        if other != workload and not (ended and use != "candidate"):
            share = "not steered yet" if one.status is None else f"at {one.status.percent:g} %"
            users[other] = f"as its {use}; {share}"
    if config.envoy.default_backend == backend:
        users["envoy.default_backend"] = "for requests that match no workload"
    return users


def _other_users(config: Config, workload: str, facts: Mapping[str, WorkloadFacts]) -> list[ChecklistItem]:
    """Return a warning for each other user of the workload's baseline.

    The baseline must keep running for these users.
    """
    backend = config.workload(workload).baseline
    remedy = f"keep {backend} until this use has ended too"
    users = _still_using(config, workload, facts)
    return [
        ChecklistItem(ItemState.WARN, workload, f"{backend} used by {other}", use, remedy)
        for other, use in users.items()
    ]


def _to_do(config: Config, workload: str, own: WorkloadFacts, users: tuple[str, ...]) -> list[ChecklistItem]:
    """Return the tasks that only a person can do, in the order in which to do them.

    Some tasks, such as ending the contract, must wait until no other user needs the baseline. These tasks name the
    other ``users``.
    """
    settings = config.workload(workload)
    baseline, candidate = settings.baseline, settings.candidate
    backend = config.backends[baseline]
    later = f"; not before: {', '.join(users)}" if users else ""
    todo = [
        ("tell the owner", settings.owner or "no owner named in the configuration"),
        ("last drill", f"{drill_command(workload, own.status)}: the last chance to rehearse a rollback"),
        (
            "archive",
            f"glidepath decommission {workload} --archive FILE.tar.gz; keep it as long as audits require",
        ),
        *_lease_to_do(settings),
        ("end the fallback", f"fallback: false; a failed request to {candidate} is then an error for the client"),
        (
            "remove the split",
            f"remove workloads.{workload} from glidepath.yaml; route its requests to {candidate}",
        ),
        ("roll out", f"glidepath render, then glidepath doctor for every Envoy{_order(config)}"),
        ("watch", f"check {baseline}'s own metrics: no request of {workload} should arrive for a week"),
        ("revoke the credential", f"{_credential(backend)}, at the provider and in the secret store{later}"),
        ("end the contract", f"quota, reserved capacity, private links and alarms of {_host(backend)}{later}"),
        ("delete stored data", "the provider's logs and stored prompts; copies in Redis expire by retention"),
    ]
    return [ChecklistItem(ItemState.TODO, workload, what, detail) for what, detail in todo]


def _lease_to_do(settings: Workload) -> list[tuple[str, str]]:
    """Return the task to set ``if_lost: hold``, because without a scorer the split would otherwise end."""
    if settings.if_lost == "hold":
        return []
    detail = f"if_lost: hold; without a scorer, Envoy would send all requests to {settings.baseline}"
    return [("end the lease of the split", detail)]


def _order(config: Config) -> str:
    """Return the order in which to apply rendered mesh resources, or "" without a backend in a mesh (ADR 0142)."""
    for prefix, route, patches in _MESHES:
        if any(str(backend.cluster).startswith(prefix) for backend in config.backends.values()):
            return (
                f"; apply the {route} first and the {patches} after it, because the mesh removes clusters before "
                "routes: otherwise a request can meet a removed cluster (500 or 503)"
            )
    return ""


def _credential(backend: Backend) -> str:
    secret = backend.credential
    if secret is None or secret.passthrough:
        return "the clients' own credentials"
    return f"env {secret.env}" if secret.env else f"file {secret.file}"


def _host(backend: Backend) -> str:
    return urlsplit(backend.address).hostname or backend.address
