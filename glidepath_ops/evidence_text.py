"""Formats the evidence of a gate for people."""

from __future__ import annotations

from glidepath.status_and_decisions import Verdict

# Verdict.basis → what the gate compared, as text
BASES = {"live": "live requests", "pairs": "pairs of answers to one request", "both": "live requests and pairs"}


def evidence_text(verdict: Verdict) -> str:
    """Return the evidence as a percentage of the amount that a decision needs. At 100 % the gate has decided.

    Higher values are shown as 100 %, because they decide nothing more. JSON output and metrics have the exact ratio.
    """
    return f"{100 * min(verdict.evidence, 1):.0f} %"
