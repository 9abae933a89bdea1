"""Warns if the scorer does not know yet how the baseline varies: the worst pairs may then be harmless. Pure."""

from __future__ import annotations

from glidepath.config import Workload
from glidepath.config.comparison import FREE_TEXT
from glidepath.pair_scores import MIN_NOISE_PAIRS
from glidepath.pluralization import number_of
from glidepath.status_and_decisions import WorkloadStatus


def noise_floor_warning(workload: Workload, status: WorkloadStatus | None) -> str:
    """Return the warning, or "" if none is needed.

    None is needed if MIN_NOISE_PAIRS noise pairs are scored, if no pair is scored, or if the answers are not free text
    (ADR 0034).
    """
    if workload.task not in FREE_TEXT or status is None or not status.pairs_scored:
        return ""
    known = status.pairs_apart.get("noise", 0)
    if known >= MIN_NOISE_PAIRS:
        return ""
    why = "shadow.same_side is 0, so none is made" if not workload.shadow.same_side else f"{known} so far"
    return (
        f"the worst pairs may be harmless: until {number_of(MIN_NOISE_PAIRS, 'noise pair')} (two answers of the"
        f" baseline to one request) are scored, it is unknown how much the baseline itself varies ({why})"
    )
