"""Which pairs are given up facts_without_body, because evidence about a backend that was is none about the one that is.

The queue is first in, first out: where scoring is slower than what comes in, every verdict would lag by all of it.
Pairs behind the newest one by more than ``scorer.max_backlog`` are given up before anything is embedded, and so are
those of an earlier step once they are SHORT_MS behind: no gate would count them. Which ones are given up depends on
time alone, so that the others remain a fair sample. Each gets its result, "backlog": nothing is lost in silence.
"""

from __future__ import annotations

from collections.abc import Sequence

from glidepath.errors import InputError
from glidepath.wire import decode_pair, encode_scored
from scorer.scoring.worker.scoring_process.batch_result import PairResult
from scorer.scoring.worker.unscored_result import unscored

BACKLOG_REASON = "backlog"
SHORT_MS = 5_000


def stale_before_ms(newest_ms: int, since_ms: int, max_backlog_s: float) -> int:
    """Pairs written before this are given up. ``newest_ms``: the queue's last pair; ``since_ms``: the step's begin.

    Both the pairs' times and ``newest_ms`` are of Redis' own clock: the bound does not depend on the scorer's.
    """
    return max(newest_ms - round(max_backlog_s * 1000), min(since_ms, newest_ms - SHORT_MS))


def written_ms(entry_id: str) -> int:
    """When Redis took a stream's entry."""
    milliseconds, _, _ = entry_id.partition("-")
    return int(milliseconds) if milliseconds.isdigit() else 0


def stale_results(stored: Sequence[bytes], now_ms: int) -> list[PairResult]:
    """The result of each: no score, or why the bytes are no pair."""
    return [_stale_result(data, now_ms) for data in stored]


def _stale_result(data: bytes, now_ms: int) -> PairResult:
    try:
        pair = decode_pair(data)
    except InputError as error:
        return PairResult(why=str(error))
    if not pair.id:
        return PairResult(why="a stored pair has no id")
    return PairResult(encode_scored(unscored(pair, now_ms, BACKLOG_REASON)))
