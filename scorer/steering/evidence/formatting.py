"""Format shares and the names of latency signals as text for people."""

from __future__ import annotations


def share_text(share: float | None) -> str:
    """Return a share from 0 to 1 as a percentage, such as ``1.23 %`` for 0.0123; ``–`` for None."""
    return "–" if share is None else f"{share * 100:.3g} %"


def signal_text(gate: str) -> str:
    """Return a latency gate's name as text: ``latency_p99`` → ``p99``, ``ttft_p95`` → ``time to first token p95``."""
    signal, _, quantile = gate.rpartition("_")
    return {"ttft": f"time to first token {quantile}", "per_token": f"time per token {quantile}"}.get(signal, quantile)


def why_unmeasured(signal: str, without: int) -> str:
    """Return a text that explains why a latency gate has no data.

    ``without``: how many answers of the candidate have no value of ``signal``.
    """
    if signal == "ttft":
        return f"none of {without} answers was streamed, and only a streamed answer has a time to first token"
    if signal == "per_token":
        return f"none of {without} pairs has tokens or text in both answers; gate on the total time instead"
    return f"none of {without} answers could be timed"


def estimate_note(estimated: int, n: int) -> str:
    """Return a note that ``estimated`` of ``n`` values are estimates; "" if none are."""
    if not estimated:
        return ""
    return f"; {estimated} of {n} answers have no token count, and four characters count as a token there"
