"""The table below a chart has the times of all steps and rollbacks, and says how many other times it leaves out."""

from __future__ import annotations

from glidepath_ops.report.chart_numbers import table_of_numbers
from glidepath_ops.report.document import Chart, Mark, Series

FIVE_MINUTES = 300.0


def chart(shares: list[float], *marks: float) -> Chart:
    times = [FIVE_MINUTES * number for number in range(len(shares))]
    return Chart("the share", times, [Series("asked for", shares)], "%", [Mark(at, "") for at in marks])


def test_a_share_that_was_served_for_one_period_only_is_in_the_table() -> None:
    shares = [0.0] * 100
    shares[50] = 5.0
    table = table_of_numbers(chart(shares, 50.9 * FIVE_MINUTES, 51.2 * FIVE_MINUTES), most=10)
    assert [row[1] for row in table.rows].count("5") == 1
    assert table.rows == sorted(table.rows)
    assert table.caption == "11 of 100 times: at equal distances, and those of steps and rollbacks"


def test_without_marks_the_times_have_equal_distances() -> None:
    table = table_of_numbers(chart([float(number) for number in range(100)]), most=10)
    assert [row[1] for row in table.rows] == [str(number) for number in range(0, 100, 10)]
    assert table.caption == "10 of 100 times: at equal distances"


def test_a_table_of_all_times_has_no_caption() -> None:
    table = table_of_numbers(chart([1.0, 2.0], -5.0, 300.0), most=10)
    assert (len(table.rows), table.caption) == (2, "")


def test_the_number_of_rows_is_bounded_however_many_steps_there_were() -> None:
    marks = [FIVE_MINUTES * number for number in range(100)]
    table = table_of_numbers(chart([0.0] * 100, *reversed(marks)), most=10)
    assert len(table.rows) == 19
    assert table.rows[-1][0] == "1970-01-01 08:15:00"  # the latest marks, in any order
