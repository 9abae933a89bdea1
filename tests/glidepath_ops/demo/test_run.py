"""Tests of the errors that a demo raises."""

from __future__ import annotations

from glidepath.errors import UnreachableError
from glidepath_ops.demo.run import first_glidepath_error


def test_a_glidepath_error_is_found_in_nested_task_groups() -> None:
    ours = UnreachableError("redis ended")
    group = ExceptionGroup("outer", [ValueError("x"), ExceptionGroup("inner", [KeyError("y"), ours])])
    assert first_glidepath_error(group) is ours


def test_another_error_keeps_its_group() -> None:
    group = ExceptionGroup("outer", [ValueError("x")])
    assert first_glidepath_error(group) is group
