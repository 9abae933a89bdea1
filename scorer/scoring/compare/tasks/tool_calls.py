"""Compare the tool calls of two answers: the tools and their arguments. Cost: 10 µs for each call."""

from __future__ import annotations

import json
from collections.abc import Sequence

from glidepath.config.comparison import ExtractionSection
from glidepath.pair_scores import EXACT_CALL
from scorer.scoring.answers.answer import ToolCall
from scorer.scoring.compare.result import Comparison, excerpt
from scorer.scoring.compare.structured.assignment import Pairing, pair_by_similarity, pair_equal
from scorer.scoring.compare.structured.json_diff import match_trees

_MAX_MATCHED = 400  # maximum number of pairs of calls that are compared to find the best pairing
_SHOWN = 5
_SAME_TOOL = 0.5  # the agreement of two calls of one tool whose arguments differ completely


def compare_tools(left: Sequence[ToolCall], right: Sequence[ToolCall], settings: ExtractionSection) -> Comparison:
    """Pair the tool calls of two answers and compare the calls of each pair. The order of the calls does not matter.

    The measure ``exact_call`` is 1 if every call has a partner with the same name and the same arguments as JSON
    values, else 0. Its mean is the rate of exact calls.
    """
    if not left and not right:
        return Comparison(1.0, (), {"tool": 0.0, "arguments": 0.0, EXACT_CALL: 1.0})
    pairs, rest = _pair_calls(left, right, settings)
    scores = [_arguments_agreement(a, b, settings) for a, b in pairs]
    total = max(len(left), len(right))
    arguments = sum(1 - score for score in scores) / len(scores) if scores else 0.0
    agreement = sum(_SAME_TOOL + (1 - _SAME_TOOL) * score for score in scores) / total
    flags = (["tool"] if rest else []) + (["arguments"] if arguments > 0 else [])
    details = {"tool": rest} if rest else {}
    details |= {"arguments": why} if (why := _differences(pairs, settings)) else {}
    signals = {
        "tool": 1 - len(pairs) / total,
        "arguments": round(arguments, 4),
        EXACT_CALL: float(not rest and not arguments),
    }
    return Comparison(agreement, tuple(flags), signals, details)


def _pair_calls(
    left: Sequence[ToolCall], right: Sequence[ToolCall], settings: ExtractionSection
) -> tuple[list[tuple[ToolCall, ToolCall]], str]:
    """Pair the calls of the same tool: equal calls first, then the most similar calls.

    Return the pairs, and a description of the calls without a partner.
    """
    known = pair_equal([_identity(call) for call in left], [_identity(call) for call in right])
    if len(known.left) * len(known.right) <= _MAX_MATCHED:
        known = pair_by_similarity(
            known, lambda i, j: _call_similarity(left[known.left[i]], right[known.right[j]], settings)
        )
    else:  # too many calls, for example of a looping model: pair them by name, in order
        named = pair_equal([left[i].name for i in known.left], [right[j].name for j in known.right])
        paired = tuple((known.left[i], known.right[j]) for i, j in named.pairs)
        unpaired = tuple(known.left[i] for i in named.left), tuple(known.right[j] for j in named.right)
        known = Pairing((*known.pairs, *paired), *unpaired)
    removed, added = [left[i].name for i in known.left], [right[j].name for j in known.right]
    rest = f"{_names(removed)} → {_names(added)}" if removed or added else ""
    return [(left[i], right[j]) for i, j in sorted(known.pairs)], rest


def _names(names: Sequence[str]) -> str:
    shown = [excerpt(name) for name in names[:_SHOWN]]
    return ", ".join([*shown, f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else shown) or "(no call)"


def _identity(call: ToolCall) -> tuple[str, str]:
    """Return a value that is the same for equal calls. The order of the keys in the arguments does not matter."""
    return call.name, "!" + call.raw if call.error else json.dumps(call.arguments, sort_keys=True)


def _call_similarity(a: ToolCall, b: ToolCall, settings: ExtractionSection) -> float:
    """Return the similarity of two calls. It is 0 for different tools, and above 0 for the same tool."""
    return 0.01 + _arguments_agreement(a, b, settings) if a.name == b.name else 0.0


def _arguments_agreement(a: ToolCall, b: ToolCall, settings: ExtractionSection) -> float:
    """Return the agreement of the arguments of two calls, in [0, 1].

    Arguments that are invalid JSON agree only if both calls have the same text as arguments.
    """
    if a.error or b.error:
        return 1.0 if a.error and b.error and a.raw == b.raw else 0.0
    return match_trees(a.arguments, b.arguments, settings).share


def _differences(pairs: Sequence[tuple[ToolCall, ToolCall]], settings: ExtractionSection) -> str:
    for a, b in pairs:
        if a.error or b.error:
            if _arguments_agreement(a, b, settings) < 1:
                return f"{a.name}: {a.error or b.error}"
            continue
        differences = match_trees(a.arguments, b.arguments, settings).differences
        if differences:
            return f"{a.name}: " + "; ".join(str(d) for d in differences[:3])
    return ""
