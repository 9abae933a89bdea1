"""docs/how-to/troubleshoot.md has every warning and error of the logs, and every check of ``glidepath doctor``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from glidepath.sides import Side
from tests.docs.test_log_events import calls

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "troubleshoot.md").read_text()
DOCTOR = [*(ROOT / "glidepath_ops" / "doctor").glob("*.py"), ROOT / "glidepath_ops" / "cli" / "doctor.py"]
MAKERS = {"ok", "warn", "fail", "Finding", "_clock", "_finding"}
WARNERS = [
    *(ROOT / "glidepath_ops" / "cli").glob("*.py"),
    *(ROOT / "glidepath_ops" / "decommission").glob("*.py"),
    *(ROOT / "scorer" / "steering" / "planning").glob("*.py"),
]
ROW = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \|", re.MULTILINE)


def listed(heading: str) -> set[str]:
    """Return the names in the first column of the tables below a heading, up to the next heading of its level."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {name for cell in ROW.findall(section) for name in re.findall(r"`([^`]+)`", cell)}


def _text(node: ast.expr | None) -> str | None:
    """Return the text of a literal. For an f-string such as ``f"{name}: split"``, return its last part, split."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[-1], ast.Constant):
        return str(node.values[-1].value).removeprefix(": ")
    return None


def _assigned(tree: ast.AST) -> Iterator[str]:
    """Yield each literal that is assigned to a variable ``check``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        target, value = node.targets[0], node.value
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = value.elts if isinstance(value, ast.Tuple) else [value]
        for name, one in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and name.id == "check" and (text := _text(one)):
                yield text


def checks() -> set[str]:
    found: set[str] = set()
    for path in DOCTOR:
        tree = ast.parse(path.read_text())
        found |= set(_assigned(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                second = node.args[1] if len(node.args) > 1 else None
                if text := _text(second):
                    found.add(text)
    return found | {"runtime layer", "evaluator", "verifier"} | {side.value for side in Side}


def test_the_source_has_checks() -> None:
    assert len(checks()) > 25


def test_every_check_of_doctor_is_on_the_page_and_no_other() -> None:
    named = listed("The checks of doctor")
    assert checks() - named == set(), "missing on the page"
    assert named - checks() == set(), "no longer checked"


@pytest.mark.parametrize("level", ["warning", "error"])
def test_every_warning_and_error_of_the_logs_is_on_the_page(level: str) -> None:
    logged = {str(call.event) for call in calls() if call.level == level}
    assert len(logged) > 5
    assert logged - listed("Warnings and errors in the logs") == set()


def test_the_page_has_no_event_that_is_no_longer_logged() -> None:
    logged = {str(call.event) for call in calls() if call.level in ("warning", "error")} | {"log_lines_lost"}
    assert listed("Warnings and errors in the logs") - logged == set()


def test_the_page_quotes_warnings_of_commands_as_the_commands_print_them() -> None:
    section = PAGE.split("\n## Warnings of validate, plan, judge and decommission\n")[1].split("\n## ")[0]
    quoted = re.findall(r"\*([^*]+)\*", "\n".join(line.split(" | ")[0] for line in section.splitlines()))
    printed = re.sub(r'"\s+f?"', "", " ".join(path.read_text() for path in WARNERS))
    assert len(quoted) > 20
    assert [text for text in quoted if text not in printed] == []
