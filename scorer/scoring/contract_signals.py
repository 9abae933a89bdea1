"""The contract signals. Each shows a difference in a part of an answer that programs read in addition to the content.

glidepath/answer_contract.py lists these parts. A signal is 1 if the answers differ in the part, 0 if they do not, and
absent if neither answer has the part. No signal changes the agreement or a gate.
"""

from __future__ import annotations

from dataclasses import dataclass

from glidepath.answer_contract import ContractPart
from glidepath.pairs import Answer, Ending
from scorer.scoring.answers import Expectation, Extracted, Surface, Unusable
from scorer.scoring.answers.error_form import ErrorForm, error_form

_FORM_OF_API = {
    **dict.fromkeys(
        (Surface.OPENAI_CHAT, Surface.OPENAI_COMPLETIONS, Surface.OPENAI_RESPONSES, Surface.OPENAI_EMBEDDINGS),
        ErrorForm.OPENAI,
    ),
    Surface.ANTHROPIC_MESSAGES: ErrorForm.ANTHROPIC,
    Surface.GEMINI: ErrorForm.GOOGLE,
    **dict.fromkeys((Surface.OLLAMA_CHAT, Surface.OLLAMA_GENERATE, Surface.OLLAMA_EMBED), ErrorForm.TEXT_FIELD),
    **dict.fromkeys((Surface.COHERE_CHAT, Surface.COHERE_EMBED, Surface.COHERE_RERANK), ErrorForm.MESSAGE),
    Surface.BEDROCK_CONVERSE: ErrorForm.MESSAGE,
}


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """An answer, and what was extracted from its body."""

    answer: Answer
    found: Extracted | Unusable


def contract_signals(expected: Expectation, baseline: ReadAnswer, candidate: ReadAnswer) -> dict[str, float]:
    """Return the contract signals of a pair. ``expected``: what the request asks for."""
    left, right = baseline.found, candidate.found
    if isinstance(left, Extracted) and isinstance(right, Extracted):
        parts = {
            ContractPart.MODEL: _model(expected, left, right),
            ContractPart.REASONING: _differ(_reasoning(left), _reasoning(right)),
            ContractPart.USAGE: _differ(_states_tokens(left), _states_tokens(right)),
        }
    else:
        parts = {ContractPart.ERROR: _error(expected, baseline.answer, candidate.answer)}
    return {part.value: float(differs) for part, differs in parts.items() if differs is not None}


def _model(expected: Expectation, left: Extracted, right: Extracted) -> bool | None:
    """Return whether the candidate's answer names a model that a client does not expect.

    A client expects the name in its request and the name in the baseline's answer, which may be longer. Return None if
    the baseline's answer names no model.
    """
    return right.model not in (left.model, expected.model or left.model) if left.model else None


def _reasoning(answer: Extracted) -> str:
    """Return the API format and the field of the reasoning, or "" if the answer has no reasoning."""
    return f"{answer.surface.value} {answer.first.reasoning_field}" if answer.reasoning else ""


def _states_tokens(answer: Extracted) -> str:
    return "tokens" if answer.input_tokens or answer.output_tokens else ""


def _differ(left: str, right: str) -> bool | None:
    return left != right if left or right else None


def _error(expected: Expectation, baseline: Answer, candidate: Answer) -> bool | None:
    """Return whether the form of the candidate's error differs from that of the baseline's error.

    If the baseline's answer is not an error, the form of the API's errors is compared instead.
    None: the candidate's answer is not an error, or the form of the API's errors is unknown.
    """
    if not _is_error(candidate):
        return None
    wanted = error_form(baseline.body) if _is_error(baseline) else _FORM_OF_API.get(expected.surface)
    return None if wanted is None else error_form(candidate.body) is not wanted


def _is_error(answer: Answer) -> bool:
    return answer.ending is Ending.COMPLETE and answer.status >= 400 and not answer.failed_over
