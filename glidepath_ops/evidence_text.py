"""Show the evidence of a gate to people."""

from __future__ import annotations

from glidepath.status_and_decisions import Verdict

# Verdict.basis → what the gate compared, as text
BASES = {"live": "live requests", "pairs": "pairs of answers to one request", "both": "live requests and pairs"}


def evidence_text(verdict: Verdict) -> str:
    """Return the evidence as a percentage of what a decision needs: at 100 % the gate has decided.

    More evidence than that decides nothing more, so it is not shown. JSON output and metrics have the ratio.
    """
    return f"{100 * min(verdict.evidence, 1):.0f} %"
