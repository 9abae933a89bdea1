"""Skip pairs that are too old, because their scores would not describe the current state of the backends.

The queue is first in, first out. If pairs arrived faster than they are scored and none were skipped, every score would
be late by the time that it takes to score the whole queue. A pair is therefore skipped, before it is embedded, if it is
more than ``scorer.max_backlog`` older than the newest pair. A pair of an earlier step is skipped if it is more than
SHORT_MS older than the newest pair, because no gate would count it. Which pairs are skipped does not depend on their
content, so the other pairs are a fair sample. Each skipped pair gets a result with the reason "backlog". See ADR 0110.
"""

from __future__ import annotations

from collections.abc import Sequence

from glidepath.errors import InputError
from glidepath.protobuf_codec import decode_pair, encode_scored
from scorer.scoring.worker.scoring_process.batch_result import PairResult
from scorer.scoring.worker.unscored_result import unscored

BACKLOG_REASON = "backlog"
SHORT_MS = 5_000


def stale_before_ms(newest_ms: int, step_start_ms: int, max_backlog_s: float) -> int:
    """Return a time in Unix ms. Every pair that was written before this time is stale.

    ``newest_ms``: when the newest pair was written.
    ``step_start_ms``: when the current step began.

    Redis' clock gives the times at which pairs are written, so the result does not depend on the scorer's clock.
    """
    return max(newest_ms - round(max_backlog_s * 1000), min(step_start_ms, newest_ms - SHORT_MS))


def written_ms(entry_id: str) -> int:
    """Return the Unix time in ms at which Redis added the stream entry with this id, or 0 if the id has no time."""
    milliseconds, _, _ = entry_id.partition("-")
    return int(milliseconds) if milliseconds.isdigit() else 0


def stale_results(stored: Sequence[bytes], now_ms: int) -> list[PairResult]:
    """Return one result for each of the stale pairs ``stored``, in order.

    A result says that the pair is unscored because of the backlog, or why the stored pair is unreadable.
    """
    return [_stale_result(data, now_ms) for data in stored]


def _stale_result(data: bytes, now_ms: int) -> PairResult:
    try:
        pair = decode_pair(data)
    except InputError as error:
        return PairResult(unreadable=str(error))
    if not pair.id:
        return PairResult(unreadable="a stored pair has no id")
    return PairResult(encode_scored(unscored(pair, now_ms, BACKLOG_REASON)))
