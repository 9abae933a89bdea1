"""Write off pairs that are too old: their scores would not describe the backends as they are now.

The queue is first in, first out, so where scoring is slower than the traffic every score would lag by the whole
backlog. Pairs that were written more than ``scorer.max_backlog`` before the newest pair are written off before anything
is embedded. Pairs of an earlier step are written off once they are SHORT_MS behind, because no gate would count them.
Only the time decides, so the pairs that remain are still a fair sample. Each pair that is written off gets a result
with the reason "backlog". See ADR 0110.
"""

from __future__ import annotations

from collections.abc import Sequence

from glidepath.errors import InputError
from glidepath.wire import decode_pair, encode_scored
from scorer.scoring.worker.scoring_process.batch_result import PairResult
from scorer.scoring.worker.unscored_result import unscored

BACKLOG_REASON = "backlog"
SHORT_MS = 5_000


def stale_before_ms(newest_ms: int, step_start_ms: int, max_backlog_s: float) -> int:
    """Return the time before which pairs are written off. ``newest_ms`` is when the newest pair was written.

    The times of pairs and ``newest_ms`` are all of Redis' clock, so the limit does not depend on the scorer's clock.
    """
    return max(newest_ms - round(max_backlog_s * 1000), min(step_start_ms, newest_ms - SHORT_MS))


def written_ms(entry_id: str) -> int:
    """Return when Redis added the stream entry with this id, in ms since 1970."""
    milliseconds, _, _ = entry_id.partition("-")
    return int(milliseconds) if milliseconds.isdigit() else 0


def stale_results(stored: Sequence[bytes], now_ms: int) -> list[PairResult]:
    """Return for each stored pair a result without a score, or why its bytes are unreadable."""
    return [_stale_result(data, now_ms) for data in stored]


def _stale_result(data: bytes, now_ms: int) -> PairResult:
    try:
        pair = decode_pair(data)
    except InputError as error:
        return PairResult(unreadable=str(error))
    if not pair.id:
        return PairResult(unreadable="a stored pair has no id")
    return PairResult(encode_scored(unscored(pair, now_ms, BACKLOG_REASON)))
