"""Judge one answer by itself, by its body, its text and its tool calls.

Both sides' answers are judged in the same way, whether clients or copies got them. The kinds of faults and their grades
are in glidepath/answer_faults.py. The work for one answer is bounded.
"""

from __future__ import annotations

from glidepath.answer_faults import AnswerFault, FoundFault, Grade
from glidepath.failed_answers import failed_answer
from scorer.scoring.answers import Expectation, Extracted, Unusable, UnusableReason
from scorer.scoring.judge.call_and_schema_faults import call_and_schema_faults
from scorer.scoring.judge.text_faults import text_faults

# What the reader of a body finds, where the bounded check of the body cannot decide.
_UNUSABLE = {
    UnusableReason.TRUNCATED: AnswerFault.UNFINISHED_STREAM,
    UnusableReason.MALFORMED: AnswerFault.MALFORMED_BODY,
    UnusableReason.ERROR_BODY: AnswerFault.ERROR_BODY,
    UnusableReason.EMPTY_BODY: AnswerFault.EMPTY_BODY,
}


def judge_answer(
    *, status: int, content_type: str, body: bytes, cut: bool, expected: Expectation, found: Extracted | Unusable
) -> tuple[FoundFault, ...]:
    """Return the faults of one answer; the first one decides its grade. A sound answer has no faults.

    ``body``: without content encoding. ``cut``: whether the capture kept only its beginning. ``found``: the result of
    ``extract`` for it. If the status is neither 2xx nor 3xx, the result is empty, because the status already shows the
    failure.
    """
    if not 200 <= status < 400:
        return ()
    if fault := failed_answer(status, content_type, body, cut=cut):
        return (fault,)
    if isinstance(found, Unusable):
        kind = None if cut else _UNUSABLE.get(found.reason)
        return (FoundFault(kind, found.detail),) if kind else ()
    return (*call_and_schema_faults(found.first, expected), *text_faults(found.first, expected))


def only_one_side(
    baseline: tuple[FoundFault, ...], candidate: tuple[FoundFault, ...]
) -> tuple[frozenset[AnswerFault], frozenset[AnswerFault]]:
    """Return the kinds of faults that only the baseline's answer has, and those that only the candidate's has.

    A fault of both answers shows no difference between the sides. For example, a request's own limit on the length cuts
    both answers.
    """
    first, second = frozenset(f.kind for f in baseline), frozenset(f.kind for f in candidate)
    return first - second, second - first


def has_failed(faults: tuple[FoundFault, ...]) -> bool:
    return any(fault.grade is Grade.FAILED for fault in faults)
