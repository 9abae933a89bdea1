"""Format shares and the names of latency signals as text for people."""

from __future__ import annotations


def share_text(share: float | None) -> str:
    """Return a share from 0 to 1 as a percentage, such as ``1.23 %`` for 0.0123; ``–`` for None."""
    return "–" if share is None else f"{share * 100:.3g} %"


def signal_text(gate: str) -> str:
    """Return a latency gate's name as text: ``latency_p99`` → ``p99``, ``ttft_p95`` → ``time to first token p95``."""
    signal, _, quantile = gate.rpartition("_")
    return {"ttft": f"time to first token {quantile}", "per_token": f"time per token {quantile}"}.get(signal, quantile)
