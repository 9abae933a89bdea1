"""Tool calls: the same tools with the same arguments. Cost: 10 µs a call."""

from __future__ import annotations

import json
from collections.abc import Sequence

from glidepath.config.comparison import ExtractionSection
from scorer.scoring.answers.answer import ToolCall
from scorer.scoring.compare.result import Comparison, excerpt
from scorer.scoring.compare.structured.assignment import Pairs, best_partners, equal_partners
from scorer.scoring.compare.structured.json_diff import match_trees

_MAX_MATCHED = 400  # pairs of calls that are held against each other to find partners
_SHOWN = 5
_SAME_TOOL = 0.5  # of a call's agreement is the tool itself, the rest its arguments


def compare_tools(left: Sequence[ToolCall], right: Sequence[ToolCall], settings: ExtractionSection) -> Comparison:
    """Agreement over the calls, each with its best partner: calls in parallel have no order that means anything."""
    if not left and not right:
        return Comparison(1.0, (), {"tool": 0.0, "arguments": 0.0})
    pairs, rest = _partners(left, right, settings)
    scores = [_call(a, b, settings) for a, b in pairs]
    total = max(len(left), len(right))
    arguments = sum(1 - score for score in scores) / len(scores) if scores else 0.0
    agreement = sum(_SAME_TOOL + (1 - _SAME_TOOL) * score for score in scores) / total
    flags = (["tool"] if rest else []) + (["arguments"] if arguments > 0 else [])
    details = {"tool": rest} if rest else {}
    details |= {"arguments": why} if (why := _differences(pairs, settings)) else {}
    return Comparison(
        agreement, tuple(flags), {"tool": 1 - len(pairs) / total, "arguments": round(arguments, 4)}, details
    )


def _partners(
    left: Sequence[ToolCall], right: Sequence[ToolCall], settings: ExtractionSection
) -> tuple[list[tuple[ToolCall, ToolCall]], str]:
    """Calls of one name, equal ones first, then best matches, and in words what is left over."""
    known = equal_partners([_form(call) for call in left], [_form(call) for call in right])
    if len(known.left) * len(known.right) <= _MAX_MATCHED:
        known = best_partners(known, lambda i, j: _nearness(left[known.left[i]], right[known.right[j]], settings))
    else:  # a model that calls without end: by name, in order
        named = equal_partners([left[i].name for i in known.left], [right[j].name for j in known.right])
        met = tuple((known.left[i], known.right[j]) for i, j in named.pairs)
        alone = tuple(known.left[i] for i in named.left), tuple(known.right[j] for j in named.right)
        known = Pairs((*known.pairs, *met), *alone)
    gone, come = [left[i].name for i in known.left], [right[j].name for j in known.right]
    rest = f"{_names(gone)} → {_names(come)}" if gone or come else ""
    return [(left[i], right[j]) for i, j in sorted(known.pairs)], rest


def _names(names: Sequence[str]) -> str:
    shown = [excerpt(name) for name in names[:_SHOWN]]
    return ", ".join([*shown, f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else shown) or "(no call)"


def _form(call: ToolCall) -> tuple[str, str]:
    """Equal for calls that are the same to the letter, but for the order of keys."""
    return call.name, "!" + call.raw if call.error else json.dumps(call.arguments, sort_keys=True)


def _nearness(a: ToolCall, b: ToolCall, settings: ExtractionSection) -> float:
    """Above 0 for calls of one tool, however different the arguments."""
    return 0.01 + _call(a, b, settings) if a.name == b.name else 0.0


def _call(a: ToolCall, b: ToolCall, settings: ExtractionSection) -> float:
    """How far the arguments agree; a call whose arguments are no JSON agrees with none but its like."""
    if a.error or b.error:
        return 1.0 if a.error and b.error and a.raw == b.raw else 0.0
    return match_trees(a.arguments, b.arguments, settings).share


def _differences(pairs: Sequence[tuple[ToolCall, ToolCall]], settings: ExtractionSection) -> str:
    for a, b in pairs:
        if a.error or b.error:
            if _call(a, b, settings) < 1:
                return f"{a.name}: {a.error or b.error}"
            continue
        differences = match_trees(a.arguments, b.arguments, settings).differences
        if differences:
            return f"{a.name}: " + "; ".join(str(d) for d in differences[:3])
    return ""
