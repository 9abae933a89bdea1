"""Find settings by which an index could get vectors of two embedding models, which must not be mixed. Pure."""

from __future__ import annotations

from glidepath.config import Workload


def mixed_vectors(workload: Workload) -> tuple[str, ...]:
    """Return the reasons why an index could get vectors of both sides, which must not be mixed. See ADR 0315."""
    if workload.task != "embeddings":
        return ()
    found = []
    if workload.fallback:
        found.append("fallback: a rescue puts the baseline's vector among the candidate's; set fallback: false")
    split = [step for step in workload.ramp.steps if step < 100]
    if split:
        steps = ", ".join(f"{step:g} %" for step in split)
        found.append(f"ramp.steps: at {steps}, one index gets vectors of two models; leave steps out, or set [100]")
    return tuple(found)
