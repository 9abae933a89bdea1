"""The lines of ``glidepath status`` below the gates: failures by kind, coverage, a failing baseline. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from glidepath import runtime_keys
from glidepath.answer_contract import contract_counts
from glidepath.config import Config
from glidepath.duration_text import duration_text
from glidepath.movable_share import movable_share_of
from glidepath.outcome_summaries import PINNED, Coverage
from glidepath.pair_scores import ScoredPair
from glidepath.pluralization import number_of
from glidepath.printable_text import one_line, shown_id
from glidepath.sides import Side
from glidepath.status_and_decisions import SideStatus, WorkloadStatus
from glidepath_ops.envoyconfig.outlier_detection import may_be_ejected_whole
from glidepath_ops.pairs.select_pairs import facts_of

FAILING_SHARE, FAILING_ERRORS = 0.05, 5  # a side that fails this share and this number of its requests is named
_SHOWN_KINDS = 12
_STAGES = (Coverage.CAPTURED.value, Coverage.PAIRED.value)


def details(
    status: WorkloadStatus, examples: Mapping[str, str], baseline: str, *, stale: bool = False
) -> Iterator[str]:
    """Yield the detail lines of a workload.

    ``examples``: "SIDE ORIGIN KIND" → the id of a pair with such an error.
    ``baseline``: the name of the baseline's backend.
    ``stale``: whether no scorer has updated the status lately.
    """
    yield from without_a_scorer(status, stale=stale)
    yield from failing_baseline(status.baseline, baseline)
    yield from error_kinds(status.error_kinds, examples)
    if status.instruments:
        yield f"evaluator and verifier, since the beginning: {counts_text(status.instruments)}"
    if status.feedback:
        yield f"feedback since the beginning: {counts_text(status.feedback)}"
    if status.local_replies:
        yield f"answered by Envoy itself, since the beginning: {counts_text(status.local_replies)}"
    yield from coverage(status)
    yield from contract(status)
    if (movable := movable_share_of(status)) is not None:
        yield str(movable)


def without_a_scorer(status: WorkloadStatus, *, stale: bool = False) -> Iterator[str]:
    """Yield lines on what Envoy does if all scorers are lost, and at which Envoys this does not work.

    ``stale``: whether all scorers may be lost now.
    """
    if status.if_lost == "hold":
        yield "if all scorers are lost: Envoy keeps the split (if_lost: hold)"
    if status.if_lost != "baseline" or status.lost_after_s is None:
        return
    after = duration_text(status.lost_after_s)
    envoys = f"{status.leases_held} of {number_of(status.lease_envoys, 'Envoy')}"
    held = f"the lease {'was' if stale else 'is'} in force in {envoys}"
    asks = " when a scorer last said so; `glidepath doctor` asks every Envoy now" if stale else ""
    yield f"if all scorers are lost: back to the baseline after {after}; {held}{asks}"
    if status.lease_set_at:
        where = ", ".join(map(one_line, status.lease_set_at[:3]))
        yield f"  not at {where}: a person set {runtime_keys.lease_key(status.workload)} there; remove it by curl"


def ejection_line(config: Config, workload: str) -> list[str]:
    """Return a line that says when Envoy itself stops using the candidate, or no line without outlier detection."""
    candidate = config.workload(workload).candidate
    section = config.backends[candidate].outlier_detection
    if section is None:
        return []
    failures = number_of(section.failures, "failure")
    part = "" if may_be_ejected_whole(config, candidate) else ", at most half of its endpoints"
    return [f"outlier detection: Envoy leaves {candidate} for {section.time:g} s after {failures} in a row{part}"]


def failing_baseline(side: SideStatus, backend: str) -> Iterator[str]:
    share = side.errors / side.requests if side.requests else 0.0
    if side.errors >= FAILING_ERRORS and share >= FAILING_SHARE:
        seen = f"{side.errors} of {side.requests} requests in this step ({share:.0%})"
        yield f"the baseline {backend} fails {seen}: while it fails, the comparison with it shows little"


def error_kinds(kinds: Mapping[str, int], examples: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each kind of error since the beginning, the most frequent first, with a pair as an example."""
    if not kinds:
        return
    yield "errors since the beginning (side, origin, kind):"
    ordered = sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
    for name, number in ordered[:_SHOWN_KINDS]:
        example = f", such as pair {shown_id(examples[name])}" if name in examples else ""
        yield f"  {number} {one_line(name)}{example}"
    if len(ordered) > _SHOWN_KINDS:
        yield f"  and {len(ordered) - _SHOWN_KINDS} more kinds (--json)"


def coverage(status: WorkloadStatus) -> Iterator[str]:
    """Yield lines on the results of the captured exchanges and on the checked share of the candidate's answers."""
    counts = status.coverage
    if counts:
        captured, paired, scored = stages(status)
        yield f"coverage since the beginning: captured {captured} → paired {paired} → scored {scored}"
        yield from _scored_apart(status)
        lost = {
            name: number
            for name, number in counts.items()
            if number and name.removeprefix("noise_") not in _STAGES and not name.startswith(PINNED)
        }
        if lost:
            yield f"  not paired: {counts_text(lost)}"
    if status.pairs_unscored:
        yield f"  not scored, of all pairs: {counts_text(status.pairs_unscored)}"
    answers = status.live_answers
    if live := answers.get("candidate requests", 0):
        checked = min(answers.get("candidate checked", 0), live)
        rest = "; the others by status, content type and length" if checked < live else ""
        yield f"candidate's live answers checked in full: {checked} of {live} ({checked / live:.0%}){rest}"


def contract(status: WorkloadStatus) -> Iterator[str]:
    """Yield a line on the parts of answers, besides the content, in which the two sides differ."""
    parts = [
        f"{one.part.meaning} differs in {one.different} of {number_of(one.compared, 'pair')}"
        for one in contract_counts(status.contract)
        if one.different
    ]
    if parts:
        yield f"clients' programs can notice the candidate, since the beginning: {'; '.join(parts)}"


def stages(status: WorkloadStatus) -> tuple[int, int, int]:
    """Return how many exchanges were captured, paired and scored since the beginning.

    extproc stores its counts up to a second after a pair, which may be scored by then. So a scored pair counts as
    paired.
    """
    scored = max(status.pairs_scored - sum(status.pairs_apart.values()), 0)
    paired = max(status.coverage.get(Coverage.PAIRED.value, 0), scored)
    return max(status.coverage.get(Coverage.CAPTURED.value, 0), paired), paired, scored


def _scored_apart(status: WorkloadStatus) -> Iterator[str]:
    """Yield a line about pairs other than a captured exchange with its copy (noise, probes), if there are any."""
    noise = status.pairs_apart.get("noise", 0)
    paired = max(status.coverage.get("noise_paired", 0), noise)
    apart = [f"noise pairs: paired {paired} → scored {noise}"] if paired or noise else []
    if probes := status.pairs_apart.get("probe", 0):
        apart.append(f"probes: scored {probes}")
    if apart:
        yield f"  apart from these: {'; '.join(apart)}"


def counts_text(counts: Mapping[str, int]) -> str:
    """Return the counts as text, the largest first."""
    return ", ".join(f"{n} {one_line(name)}" for name, n in sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def examples_of(kinds: Iterable[str], pairs: Iterable[ScoredPair]) -> dict[str, str]:
    """Return for each of ``kinds`` ("SIDE ORIGIN KIND") the id of the first pair whose answer failed in this way.

    A kind without such a pair, for example a refused connection, is left out.
    """
    wanted, found = set(kinds), dict[str, str]()
    for pair in pairs:
        for side in Side:
            facts = facts_of(pair, side)
            for kind in (*facts.faults, f"http_{facts.status}"):
                name = f"{side.value} {facts.origin.value} {kind}"
                if name in wanted and name not in found:
                    found[name] = pair.pair_id
        if len(found) == len(wanted):
            break
    return found
