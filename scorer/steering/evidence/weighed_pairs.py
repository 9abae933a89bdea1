"""Select the pairs that weigh most against the candidate in a gate's evidence. Pure, with bounded memory. See ADR 0230.

When the gate fails, this selection is shown and kept, so that people see the answers that caused a rollback or a hold.
"""

from __future__ import annotations

from glidepath.pair_scores import ScoredPair
from glidepath.status_and_decisions import WeighedPair
from scorer.steering.evidence.gate_observations import PairRef

MOST_PAIRS = 10
_DIGITS = 2  # of rounded weights; of equal ones, the newer pair counts, because its bodies are stored for longer


def pair_ref(pair: ScoredPair) -> PairRef:
    return PairRef(pair.pair_id, pair.entry, pair.captured_at_ms)


def with_pair(pairs: tuple[WeighedPair, ...], pair: PairRef | None, weight: float) -> tuple[WeighedPair, ...]:
    """Add ``pair`` to the heaviest ``pairs``. Return at most MOST_PAIRS, the heaviest first, then the newest first.

    ``pairs`` must be in this order. The same object is returned if ``pair`` is None, weighs nothing, or is not among
    the heaviest.
    """
    weight = round(weight, _DIGITS)
    if pair is None or weight <= 0:
        return pairs
    new = WeighedPair(pair.id, pair.entry, weight, pair.at_ms)
    if len(pairs) >= MOST_PAIRS and _order(new) >= _order(pairs[-1]):
        return pairs
    return tuple(sorted((new, *pairs), key=_order)[:MOST_PAIRS])


def _order(pair: WeighedPair) -> tuple[float, int]:
    return -pair.weight, -pair.at_ms
