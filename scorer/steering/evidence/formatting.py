"""Format shares, durations and the names of latency signals as text for people."""

from __future__ import annotations


def share_text(share: float | None) -> str:
    """Return a share from 0 to 1 as a percentage, such as ``1.23 %`` for 0.0123; ``–`` for None."""
    return "–" if share is None else f"{share * 100:.3g} %"


def signal_text(gate: str) -> str:
    """Return a latency gate's name as text: ``latency_p99`` → ``p99``, ``ttft_p95`` → ``time to first token p95``."""
    signal, _, quantile = gate.rpartition("_")
    return {"ttft": f"time to first token {quantile}", "per_token": f"time per token {quantile}"}.get(signal, quantile)


def duration_text(seconds: float) -> str:
    """Return a number of seconds as text with at most two units: ``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
