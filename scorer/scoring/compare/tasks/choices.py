"""Requests with several choices (``n``, ``best_of``): each choice of one side against one of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scorer.scoring.answers.answer import Extracted
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.structured.assignment import equal_partners

MISSING = Comparison(0.0, ("choices",), {}, {"choices": "only one side has this choice"})


def paired_choices(left: Extracted, right: Extracted) -> list[tuple[Extracted, Extracted] | None]:
    """Choices that say the same belong together, the others in their order; None for one that only one side has."""
    both = equal_partners(
        [_said(left, i) for i in range(len(left.choices))], [_said(right, j) for j in range(len(right.choices))]
    )
    pairs = sorted([*both.pairs, *zip(both.left, both.right, strict=False)])
    found: list[tuple[Extracted, Extracted] | None] = [
        (replace(left, choices=(left.choices[i],)), replace(right, choices=(right.choices[j],))) for i, j in pairs
    ]
    return found + [None] * abs(len(left.choices) - len(right.choices))


def over_choices(results: Sequence[Comparison]) -> Comparison:
    """Agreement is the mean over the choices; signals and details are those of the worst one, flags are of all."""
    worst = min(range(len(results)), key=lambda i: results[i].agreement)
    told = results[worst]
    return replace(
        told,
        agreement=sum(one.agreement for one in results) / len(results),
        flags=tuple(dict.fromkeys(flag for one in results for flag in one.flags)),
        signals={**told.signals, "choices": sum(one is MISSING for one in results) / len(results)},
        details={name: f"choice {worst + 1} of {len(results)}: {why}" for name, why in told.details.items()},
        labels=results[0].labels,
    )


def _said(answer: Extracted, place: int) -> str:
    choice = answer.choices[place]
    return repr((choice.text, choice.tool_calls, choice.refusal, choice.finish_reason))
