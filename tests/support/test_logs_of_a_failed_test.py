"""Tests that the report of a failed test shows what its processes logged last."""

from __future__ import annotations

from pathlib import Path

from tests.support.logs_of_a_failed_test import log_ends


def test_the_last_lines_of_each_log_that_has_some_are_shown(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "envoy.log").write_text("".join(f"line {n}\n" for n in range(100)))
    (tmp_path / "empty.log").touch()
    (tmp_path / "other.txt").write_text("no log")
    (tmp_path / "redis.log").write_bytes(b"\xff damaged\nlast")
    ends = dict(log_ends(tmp_path))
    assert set(ends) == {"run/envoy.log", "redis.log"}
    assert ends["run/envoy.log"].splitlines()[0] == "line 85"
    assert ends["run/envoy.log"].splitlines()[-1] == "line 99"
    assert ends["redis.log"] == "\ufffd damaged\nlast"
