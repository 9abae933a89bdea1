"""Compare answers with several choices (``n``, ``best_of``): pair the choices and combine the results (ADR 0125)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glidepath.pair_scores import EXACT_CALL
from scorer.scoring.answers.answer import Extracted
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.structured.assignment import pair_equal

MISSING_CHOICE = Comparison(0.0, ("choices",), {}, {"choices": "only one side has this choice"})


def pair_choices(left: Extracted, right: Extracted) -> list[tuple[Extracted, Extracted] | None]:
    """Pair the choices of two answers: equal choices first, then the others in their order.

    Each pair is returned as two answers that are cut down to the paired choice. One None is appended for each choice
    that has no partner.
    """
    both = pair_equal(
        [_content(left, i) for i in range(len(left.choices))], [_content(right, j) for j in range(len(right.choices))]
    )
    pairs = sorted([*both.pairs, *zip(both.left, both.right, strict=False)])
    found: list[tuple[Extracted, Extracted] | None] = [
        (replace(left, choices=(left.choices[i],)), replace(right, choices=(right.choices[j],))) for i, j in pairs
    ]
    return found + [None] * abs(len(left.choices) - len(right.choices))


def combine_choices(results: Sequence[Comparison]) -> Comparison:
    """Combine the comparisons of all choices into one comparison.

    The agreement is the mean over the choices. Signals and details come from the choice with the lowest agreement,
    flags from all choices, and labels from the first choice. Tool calls are exact if the calls of all choices are
    exact.
    """
    place = min(range(len(results)), key=lambda i: results[i].agreement)
    worst = results[place]
    calls = [one.signals.get(EXACT_CALL) for one in results]
    exact = {EXACT_CALL: float(all(call == 1 for call in calls))} if any(call is not None for call in calls) else {}
    missing = sum(one is MISSING_CHOICE for one in results) / len(results)
    return replace(
        worst,
        agreement=sum(one.agreement for one in results) / len(results),
        flags=tuple(dict.fromkeys(flag for one in results for flag in one.flags)),
        signals={**worst.signals, **exact, "choices": missing},
        details={name: f"choice {place + 1} of {len(results)}: {reason}" for name, reason in worst.details.items()},
        labels=results[0].labels,
    )


def _content(answer: Extracted, place: int) -> str:
    choice = answer.choices[place]
    return repr((choice.text, choice.tool_calls, choice.refusal, choice.finish_reason))
