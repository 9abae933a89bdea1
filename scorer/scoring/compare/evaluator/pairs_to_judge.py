"""Choose the pairs that the evaluator judges, and recognise the pairs that need no question. Pure. See ADR 0172."""

from __future__ import annotations

from collections.abc import Mapping

from glidepath.config.comparison import FREE_TEXT, EvaluatorSection, Task
from glidepath.pair_scores import Preference
from glidepath.sides import Side
from scorer.scoring.answers import Expectation, Extracted
from scorer.scoring.compare.evaluator.judge_addressing import addresses_judge
from scorer.scoring.compare.evaluator.questions import BOTH, AnswersToJudge
from scorer.scoring.compare.signals.operator_signs import changed_operators
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.sampling import is_sampled


def to_judge(
    pair_id: str, task: Task, expected: Expectation, answers: Mapping[Side, Extracted], settings: EvaluatorSection
) -> AnswersToJudge | Preference | None:
    """Return the texts to judge; a preference if the pair needs no question; None if the pair is not judged.

    Only pairs of free text that ``is_sampled`` draws are judged. Answers with tool calls or with several choices are
    not judged, because the evaluator reads one text of each side.
    """
    if task not in FREE_TEXT or not is_sampled(pair_id, settings.sample, "evaluator"):
        return None
    if any(len(answer.choices) > 1 or answer.tool_calls for answer in answers.values()):
        return None
    limit = settings.max_chars
    texts = {side: _cut(answer.text or answer.refusal, limit) for side, answer in answers.items()}
    baseline, candidate = texts[Side.BASELINE], texts[Side.CANDIDATE]
    if not baseline.strip() or not candidate.strip():
        return None
    if Document(baseline).canonical == Document(candidate).canonical and not changed_operators(baseline, candidate):
        return Preference.TIE
    addressing = [side.value for side in Side if addresses_judge(texts[side], expected.prompt)]
    who = BOTH if len(addressing) > 1 else "".join(addressing)
    return AnswersToJudge(pair_id, _cut(expected.prompt, limit), baseline, candidate, who)


def _cut(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of the text, without lone surrogates, which UTF-8 cannot encode."""
    return text[:limit].encode("utf-8", "replace").decode()
