"""A summary of all gates of a step in a few words. Pure."""

from __future__ import annotations

from glidepath.status_and_decisions import WorkloadStatus


def gates_text(status: WorkloadStatus) -> str:
    """Return which gates fail, or how many are still open. Gates that only inform are ignored."""
    gating = [verdict for verdict in status.verdicts if verdict.gating]
    if not gating:
        return "no gate decides yet"
    if failing := [verdict.gate for verdict in gating if verdict.outcome == "fail"]:
        return f"✗ {', '.join(failing)}"
    waiting = sum(verdict.outcome != "pass" for verdict in gating)
    return f"… {waiting} of {len(gating)} still open" if waiting else "✓ all pass"
