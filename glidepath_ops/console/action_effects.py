"""The effect of each command, shown before a person confirms it, and the commands that a state allows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from glidepath.status_and_decisions import CommandKind, Phase, WorkloadStatus
from scorer.steering.ramp.drill import MAX_PERCENT

LABELS = {
    CommandKind.ROLLBACK: "Roll back",
    CommandKind.SHADOW: "Share of copies",
    CommandKind.DRILL: "Rehearse a rollback",
    CommandKind.ANNOTATE: "Add the cause",
}
_AT_A_STEP = (Phase.SHADOW, Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.HELD)


@dataclass(frozen=True, slots=True)
class Choice:
    """A share that a command can set.

    ``percent``: None for the configured share. ``effect``: the effect of the command, as text.
    """

    percent: float | None
    effect: str


@dataclass(frozen=True, slots=True)
class Effect:
    """The text of a confirmation.

    ``choices``: the shares to choose from, the usual one first.
    ``asks_percent``: whether the person may give any share.
    ``may_force``: whether the command has --force.
    """

    title: str
    text: str
    choices: tuple[Choice, ...] = ()
    asks_percent: bool = False
    may_force: bool = False
    dangerous: bool = False


def label_of(kind: CommandKind) -> str:
    """Return the text of the button for a command."""
    return LABELS.get(kind, kind.value.capitalize())


def requests_per_second(status: WorkloadStatus) -> float | None:
    """Return the mean rate of the clients' requests in this step; None without requests, and in the step's first 5 s.

    For a side that serves no client (the candidate at 0 %, the baseline at 100 %), the status counts copies. These are
    left out.
    """
    seconds = (status.updated_at_ms - status.since_ms) / 1000
    of_baseline = 0 if status.baseline_counts_copies else status.baseline.requests
    of_candidate = 0 if status.candidate_counts_copies else status.candidate.requests
    total = of_baseline + of_candidate
    return total / seconds if seconds >= 5 and total else None


def moved(status: WorkloadStatus, percent: float) -> str:
    """Return, as text, how many requests change their side if the candidate gets the share ``percent``."""
    if not status.share_known:
        return f"to {percent:g} %; the present share is unknown"
    rate, change = requests_per_second(status), abs(percent - status.percent) / 100
    text = f"{'back ' if percent < status.percent else ''}to {percent:g} %"
    if rate is None:
        return text
    return f"{text}: about {rate * change:.3g} of {rate:.3g} requests a second change side"


def next_step(status: WorkloadStatus) -> float | None:
    return next((step for step in status.steps if step > status.percent), None)


def effect_of(kind: CommandKind, status: WorkloadStatus, shadow_sample: float) -> Effect:
    """Return the effect of the command on the workload. ``shadow_sample``: configured percent of copied requests."""
    name = status.workload
    match kind:
        case CommandKind.ROLLBACK:
            lower = sorted({0.0, *(step for step in status.steps if step < status.percent)})
            choices = tuple(Choice(step, moved(status, step)) for step in lower)
            text = "The candidate's share falls within seconds. It stays there until somebody retries."
            return Effect(f"Roll back {name}", text, choices, dangerous=True)
        case CommandKind.PROMOTE:
            return _promotion(status)
        case CommandKind.APPROVE:
            target = next_step(status)
            choices = () if target is None else (Choice(target, moved(status, target)),)
            text = "The step is taken." if choices else "There is no further step."
            return Effect(f"Approve the next step of {name}", text, choices, may_force=True)
        case CommandKind.HOLD:
            text = f"The automation stops at {status.percent:g} %. A gate that fails and rolls back still does so."
            return Effect(f"Hold {name}", text)
        case CommandKind.RESUME:
            return Effect(
                f"Resume {name}",
                "The automation continues from the present share. The next step still needs its evidence.",
            )
        case CommandKind.RETRY:
            text = f"The ramp starts again at {status.percent:g} %. Earlier evidence is discarded."
            return Effect(f"Retry {name}", text, may_force=True)
        case CommandKind.ABORT:
            text = f"All traffic goes to the baseline ({moved(status, 0)}), and the ramp stops until somebody retries."
            return Effect(f"Abort {name}", text, dangerous=True)
        case CommandKind.DRILL:
            return Effect(f"Rehearse a rollback of {name}", _rehearsal(status), may_force=True)
        case CommandKind.SHADOW:
            return _shadow(status, shadow_sample)
        case CommandKind.ANNOTATE:
            return Effect(
                "Add a root cause", "The log keeps the decision as it is. The cause is a new entry that names it."
            )


def _promotion(status: WorkloadStatus) -> Effect:
    target = next_step(status)
    if target is None or status.phase == Phase.VALIDATING.value:
        text = "This ends the validation now: the workload is completed."
        return Effect(f"End the validation of {status.workload}", text, may_force=True)
    undecided = [v.gate.replace("_", " ") for v in status.verdicts if v.gating and v.outcome == "inconclusive"]
    missing = f" Undecided gates: {', '.join(undecided)}." if undecided else ""
    if failing := [v.gate.replace("_", " ") for v in status.verdicts if v.outcome == "fail" and v.gating]:
        missing = f" Failing gates: {', '.join(failing)}; without the tick below, the scorer refuses.{missing}"
    text = f"The next step is taken now, before its evidence is complete.{missing}"
    return Effect(f"Promote {status.workload}", text, (Choice(target, moved(status, target)),), may_force=True)


def _rehearsal(status: WorkloadStatus) -> str:
    after = "becomes 0 for a few seconds and is then restored; the log has the time it took."
    if status.percent > 0 or not status.steps:
        return f"The candidate's weight {after}"
    share = min(status.steps[0], MAX_PERCENT)
    return f"The candidate first gets {share:g} % of the clients' requests for a few seconds. Then its weight {after}"


def _shadow(status: WorkloadStatus, sample: float) -> Effect:
    rate = requests_per_second(status)
    now = f"Configured is {sample:g} %" + (f", of about {rate:.3g} requests a second." if rate else ".")
    text = f"The share of requests that are copied to the other side changes. {now} An empty field: as configured."
    return Effect(f"Copy more or fewer requests of {status.workload}", text, asks_percent=True)


def possible(status: WorkloadStatus) -> tuple[CommandKind, ...]:
    """Return the commands that the page offers for a workload with this status.

    The scorer may still refuse one, because it decides by newer facts. A refused command changes nothing.
    """
    try:
        phase = Phase(status.phase)
    except ValueError:
        return (CommandKind.ROLLBACK,)
    found = []
    if phase is Phase.AWAITING_APPROVAL:
        found.append(CommandKind.APPROVE)
    if phase is Phase.HELD or not status.autopilot:
        found.append(CommandKind.RESUME)
    if phase in (Phase.COOLING_DOWN, Phase.ABORTED):
        found.append(CommandKind.RETRY)
    if phase is not Phase.HELD:
        found.append(CommandKind.HOLD)
    if (phase in _AT_A_STEP and next_step(status) is not None) or phase is Phase.VALIDATING:
        found.append(CommandKind.PROMOTE)
    found.append(CommandKind.SHADOW)
    if phase not in (Phase.COOLING_DOWN, Phase.ROLLING_BACK, Phase.ABORTED):
        found.append(CommandKind.DRILL)
    if status.percent > 0 or not status.share_known:
        found += [CommandKind.ROLLBACK, CommandKind.ABORT]
    return tuple(found)
