"""Tool calls: the same tools with the same arguments. Cost: 10 µs a call."""

from __future__ import annotations

from collections.abc import Sequence

from glidepath.config.scoring import ExtractionSection
from scorer.compare.result import Comparison
from scorer.compare.structure import match_trees
from scorer.extract.answer import ToolCall

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
    """Calls of one name, best matches first, and in words what is left over."""
    scored = sorted(
        (-_call(a, b, settings), abs(i - j), i, j)
        for i, a in enumerate(left)
        for j, b in enumerate(right)
        if a.name == b.name
    )
    taken: dict[int, int] = {}
    used: set[int] = set()
    for _, _, i, j in scored:
        if i not in taken and j not in used:
            taken[i] = j
            used.add(j)
    gone = [call.name for i, call in enumerate(left) if i not in taken]
    come = [call.name for j, call in enumerate(right) if j not in used]
    rest = f"{', '.join(gone) or '(no call)'} → {', '.join(come) or '(no call)'}" if gone or come else ""
    return [(left[i], right[j]) for i, j in sorted(taken.items())], rest


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
