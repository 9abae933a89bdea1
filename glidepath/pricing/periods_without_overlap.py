"""Joins the levels of the history into one series without overlap: long periods, with short ones at both ends."""

from __future__ import annotations

from collections.abc import Sequence

from glidepath.history import HistoryPoint


def without_overlap(levels: Sequence[Sequence[HistoryPoint]]) -> list[HistoryPoint]:
    """Return the periods of the longest level, with shorter periods before the first and after the last of them.

    ``levels``: the periods of each level, in order of time; the level with the longest periods comes first. A
    workload's first period may begin long before its first request. If shorter periods show when the requests began,
    they replace it, so that the time without traffic costs nothing.
    """
    found: list[HistoryPoint] = []
    for level in levels:
        if not found:
            found = list(level)
            continue
        begin, end = found[0].at_ms, end_of(found[-1])
        before = [point for point in level if end_of(point) <= begin]
        after = [point for point in level if point.at_ms >= end]
        found = before + (found if before else _with_a_later_begin(found, level)) + after
    return found


def _with_a_later_begin(found: list[HistoryPoint], level: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    begin, end = found[0].at_ms, end_of(found[0])
    inside = [point for point in level if point.at_ms >= begin and end_of(point) <= end]
    begins_later = bool(inside) and inside[0].at_ms > begin and end_of(inside[-1]) == end
    return inside + found[1:] if begins_later else found


def end_of(point: HistoryPoint) -> int:
    """Return the end of a period, in Unix milliseconds."""
    return point.at_ms + point.seconds * 1000
