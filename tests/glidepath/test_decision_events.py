"""The configuration's list of events equals the set of events that the code writes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import glidepath_ops
import scorer
from glidepath.decision_events import EventName
from glidepath.status_and_decisions import CommandKind
from scorer.steering.notify.channels import OPENS_INCIDENT, RESOLVES_INCIDENT
from scorer.steering.ramp.transition_table import RampEvent

NAMES = frozenset(get_args(EventName))


def _texts(node: ast.expr) -> Iterator[str]:
    """Yield the texts to which an expression may evaluate: a constant, or both branches of a conditional expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def _written(tree: ast.Module) -> Iterator[str]:
    """Yield the texts that the code uses as a decision's event."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("new_decision", "manual_override_decision", "_command_decision") and node.args:
                yield from _texts(node.args[0])
            if name == "Decision":
                yield from (w for k in node.keywords if k.arg == "event" for w in _texts(k.value))
        elif isinstance(node, ast.FunctionDef) and node.name.endswith("_event"):
            yield from (w for r in ast.walk(node) if isinstance(r, ast.Return) and r.value for w in _texts(r.value))
        elif isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "event" for t in node.targets):
            yield from _texts(node.value)


@cache
def trees() -> list[ast.Module]:
    folders = [Path(str(package.__file__)).parent for package in (scorer, glidepath_ops)]
    return [ast.parse(file.read_text()) for folder in folders for file in folder.rglob("*.py")]


# A drill command is logged as drill_started.
ENUMS = {e.value for e in RampEvent} | {c.value for c in CommandKind if c is not CommandKind.DRILL}


def test_every_event_that_the_code_writes_is_in_the_list() -> None:
    written = {word for tree in trees() for word in _written(tree)}
    known = {"guard_overridden", "refused", "drill_started", "restore_weights", "probe_failed", "decommission"}
    assert known <= written
    assert written | ENUMS <= NAMES


def test_every_event_in_the_list_is_written_by_the_code() -> None:
    texts = {
        n.value for tree in trees() for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    assert texts | ENUMS >= NAMES


def test_the_events_that_open_and_close_an_incident_are_in_the_list() -> None:
    assert OPENS_INCIDENT | RESOLVES_INCIDENT <= NAMES
