"""The history as columns for the charts and rows for the table."""

from __future__ import annotations

from dataclasses import replace

from glidepath.history import HistoryPoint, SidePoint
from glidepath_ops.console.history_series import MOST_ROWS, axis_start_ms, columns, kind_columns, marks, table_rows
from tests.support.console_data import decision


def point(at_s: int, **changes: object) -> HistoryPoint:
    side = SidePoint(requests=90, errors=9, p50=100.0)
    return HistoryPoint(at_s * 1000, 10, 10.0, "baking", side, SidePoint(requests=10), agreement=0.8)


def test_each_column_has_a_number_for_each_period() -> None:
    found = columns([point(0), point(10)])
    assert {len(values) for values in found.values()} == {2}
    assert (found["seen"], found["baseline_errors"], found["baseline_rate"]) == ([10.0, 10.0], [10.0] * 2, [9.0] * 2)
    assert found["candidate_p50"] == [None, None]


def test_a_missing_period_is_a_gap_in_each_line() -> None:
    found = columns([point(0), point(10), point(50)])
    assert found["t"] == [0, 10, 20, 50]
    assert found["asked"] == [10.0, 10.0, None, 10.0]


def test_the_axis_begins_with_a_history_that_began_lately() -> None:
    hour_ago, now = 1000_000, 4600_000
    assert axis_start_ms([point(4000)], hour_ago, now) == 3_990_000
    assert axis_start_ms([point(4595)], hour_ago, now) == 4_480_000  # at least twelve periods
    assert axis_start_ms([point(1004)], hour_ago, now) == hour_ago
    assert axis_start_ms([], hour_ago, now) == hour_ago


def test_the_most_frequent_kinds_of_errors_are_lines_of_their_own() -> None:
    def failed(at_s: int, **kinds: int) -> HistoryPoint:
        return replace(point(at_s), candidate=SidePoint(requests=10, errors=sum(kinds.values()), kinds=kinds))

    found = kind_columns([failed(0, http_503=2), failed(10), failed(50, http_503=1, reset=9)])
    assert list(found) == ["candidate: reset", "candidate: http_503"]
    assert found["candidate: http_503"] == [12.0, 0.0, None, 6.0]
    many = kind_columns([failed(0, **{f"kind_{number}": number + 1 for number in range(9)})])
    assert list(many) == [f"candidate: kind_{number}" for number in (8, 7, 6, 5, 4)]
    assert kind_columns([point(0)]) == {}


def test_no_period_is_no_number() -> None:
    assert set(map(tuple, columns([]).values())) == {()}


def test_only_decisions_that_moved_something_are_marked() -> None:
    moved = decision("rollback", 5000, from_percent=10.0, to_percent=5.0)
    taken = decision("promote", 6000, from_percent=5.0, to_percent=10.0)
    held = decision("hold", 7000, phase="held")
    noted = decision("annotate", 8000, trigger="command:annotate")
    asked = decision("shadow", 9000, trigger="command:shadow")
    old = decision("rollback", 1000, from_percent=10.0, to_percent=5.0)
    found = marks([old, moved, taken, held, noted, asked, decision("clock", 9500)], since_ms=2000)
    assert [mark.tone for mark in found] == ["bad", "step", "hold", "person"]


def test_the_table_has_few_rows_and_begins_with_the_newest() -> None:
    points = [point(number * 10) for number in range(1000)]
    rows = table_rows(points)
    assert len(rows) == MOST_ROWS
    assert rows[0].at_ms == 9_990_000
    assert [row.at_ms for row in rows] == sorted((row.at_ms for row in rows), reverse=True)
    assert len(table_rows(points[:3])) == 3
