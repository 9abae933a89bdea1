"""All event names in the logs have one form, and docs/reference/log-events.md lists all events."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "log-events.md"
PACKAGES = ("glidepath", "extproc", "scorer", "glidepath_ops")
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
# What happened, and to what: redis_unreachable, worker_ended, workload_not_steered. The last word is a past participle
# or an adjective.
FORM = re.compile(r"[a-z]+(_[a-z]+)*_([a-z]+ed|[a-z]+able|aside|lost|sent|unknown)")
ROW = re.compile(r"^\| `([a-z_]+)` \| (\w+) \| (\w+) \| .+ \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LogCall:
    place: str
    part: str  # the process: extproc, scorer, console, or several
    level: str
    event: str | None  # None: the name is not a literal


def _parts(path: Path) -> str:
    package, *inside = path.relative_to(ROOT).parts
    if package == "glidepath_ops" and inside[0] == "console":
        return "console"
    return {"extproc": "extproc", "scorer": "scorer"}.get(package, "several")


def _loggers(tree: ast.Module) -> set[str]:
    bound = [node for node in tree.body if isinstance(node, ast.Assign) and "get_logger" in ast.dump(node.value)]
    return {target.id for node in bound for target in node.targets if isinstance(target, ast.Name)}


def _calls(path: Path) -> Iterator[LogCall]:
    tree = ast.parse(path.read_text())
    loggers = _loggers(tree)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id in loggers):
            continue
        first = node.args[0] if node.args else None
        event = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        yield LogCall(place, _parts(path), LEVELS[node.func.attr], event)


@cache
def calls() -> list[LogCall]:
    sources = sorted(path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py"))
    return [call for path in sources for call in _calls(path)]


def test_the_source_logs_events() -> None:
    assert len(calls()) > 30


def test_the_name_of_an_event_is_a_literal_that_says_what_happened_to_what() -> None:
    """Every name has the form of ``redis_unreachable`` or ``worker_ended``."""
    assert [call for call in calls() if call.event is None or not FORM.fullmatch(call.event)] == []


def test_every_event_is_in_the_table_with_its_process_and_level_and_no_other_is() -> None:
    listed = {(event, part, level) for event, part, level in ROW.findall(PAGE.read_text())}
    logged = {(str(call.event), call.part, call.level) for call in calls()} | {("log_lines_lost", "several", "warning")}
    assert logged - listed == set(), "missing in the table"
    assert listed - logged == set(), "no longer logged"


@pytest.mark.parametrize("name", ["serving", "cannot_steer", "notReady", "no_probes", "decision", "Redis_lost", "lost"])
def test_the_form_excludes_other_names(name: str) -> None:
    assert not FORM.fullmatch(name)
