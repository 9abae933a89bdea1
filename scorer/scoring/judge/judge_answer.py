"""Judge one answer from its body, its text and its tool calls, without the other side's answer.

Both sides' answers are judged in the same way, whether clients or copies got them. The kinds of faults and their grades
are in glidepath/answer_faults.py. The work for one answer is bounded.
"""

from __future__ import annotations

from glidepath.answer_faults import AnswerFault, FoundFault, Grade
from glidepath.failed_answers import failed_answer
from scorer.scoring.answers import Expectation, Extracted, FinishReason, Surface, Unusable, UnusableReason
from scorer.scoring.judge.call_and_schema_faults import call_and_schema_faults
from scorer.scoring.judge.text_faults import text_faults

_WITHOUT_ANSWER = (
    UnusableReason.TRUNCATED,
    UnusableReason.MALFORMED,
    UnusableReason.ERROR_BODY,
    UnusableReason.EMPTY_BODY,
)
_COMPLETIONS = (Surface.OPENAI_COMPLETIONS, Surface.OLLAMA_GENERATE, Surface.LLAMACPP_COMPLETION)  # " " is an answer
_ENDED = (FinishReason.STOP, FinishReason.TOOL_CALLS, FinishReason.OTHER)  # not by a limit or a filter


def judge_answer(
    *,
    status: int,
    content_type: str,
    body: bytes,
    cut: bool,
    expected: Expectation,
    found: Extracted | Unusable,
    declared: bool = False,
) -> tuple[FoundFault, ...]:
    """Return the faults of one answer; the first one decides its grade. A sound answer has no faults.

    - ``body``: without content encoding
    - ``cut``: whether the capture kept only its beginning
    - ``found``: the result of ``extract`` for this answer
    - ``declared``: whether the configuration says where the answer is (``scoring.answer``)

    If the status is neither 2xx nor 3xx, the result is empty, because the status already shows the failure.
    """
    if not 200 <= status < 400:
        return ()
    known_api = expected.surface is not Surface.UNKNOWN and not declared
    if fault := failed_answer(status, content_type, body, cut=cut, known_api=known_api):
        return (fault,)
    if unusable := "" if cut else _unusable(content_type, expected, found):
        return (FoundFault(AnswerFault.UNUSABLE, unusable),)
    if isinstance(found, Unusable):
        return ()
    return (*call_and_schema_faults(found.first, expected), *text_faults(found.first, expected))


def _unusable(content_type: str, expected: Expectation, found: Extracted | Unusable) -> str:
    """Return why a client of the request's API cannot use an answer, or "" if the client can use it.

    ``failed_answer``, the check that extproc uses too, has found no failure in this answer. extproc has therefore
    counted the answer as good, so it has a defect but is not a failure.
    """
    known_api = expected.surface is not Surface.UNKNOWN
    if isinstance(found, Unusable):
        unreadable = found.reason in _WITHOUT_ANSWER or (found.unknown_format and known_api)
        return found.detail or found.reason.value if unreadable else ""
    if found.surface is Surface.PLAIN_TEXT and known_api and content_type:  # a file of pairs has no content type
        return "plain text instead of JSON"
    first = found.first
    text = first.text if found.surface in _COMPLETIONS else first.text.strip()
    said = text or first.tool_calls or first.refusal
    if said or not found.choices or first.finish_reason not in _ENDED:
        return ""
    return "only reasoning" if first.reasoning else "no content"


def only_one_side(
    baseline: tuple[FoundFault, ...], candidate: tuple[FoundFault, ...]
) -> tuple[frozenset[AnswerFault], frozenset[AnswerFault]]:
    """Return the kinds of faults that only the baseline's answer has, and those that only the candidate's has.

    A fault of both answers shows no difference between the sides. For example, a length limit in the request cuts off
    both answers.
    """
    first, second = frozenset(f.kind for f in baseline), frozenset(f.kind for f in candidate)
    return first - second, second - first


def has_failed(faults: tuple[FoundFault, ...]) -> bool:
    return any(fault.grade is Grade.FAILED for fault in faults)
