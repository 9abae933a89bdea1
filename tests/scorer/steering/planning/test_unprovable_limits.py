"""The line about missing gates on the answers."""

from __future__ import annotations

import pytest

from scorer.steering.planning.unprovable_limits import judging_note
from tests.support.evidence_builders import workload_of

NO_NOISE = "    shadow: {same_side: 0}\n"
EVALUATOR = "    scoring: {evaluator: {url: 'http://127.0.0.1:1', model: judge}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NO_NOISE, "no gate judges the answers, so a person must approve each step above 10 %"),
        ("    ramp: {steps: [1, 10]}\n", "no gate says which answer is better"),
        ("    shadow: {same_side: 5}\n", "no gate says which answer is better, only whether answers differ"),
        ("    shadow: {same_side: 5}\n    gates: {signals: {action: hold}}\n", "no gate says which answer is better"),
        (NO_NOISE + EVALUATOR + "    gates: {preference: {action: inform}}\n", "no gate judges the answers"),
        (EVALUATOR, ""),
        ("    scoring: {verifier: {command: [verify]}}\n", ""),
        ("    shadow: {same_side: 5}\n    feedback: {}\n", ""),
        (NO_NOISE + "    feedback: {}\n", "no gate judges the answers"),
        ("    task: tools\n", ""),
        ("    task: rerank\n", ""),
        ("    task: rerank\n    gates: {sameness: {action: inform}}\n", "no gate judges the answers"),
    ],
)
def test_the_line_says_what_is_missing(text: str, said: str) -> None:
    note = judging_note(workload_of(text))
    assert note.startswith(said)
    assert bool(note) == bool(said)
    assert "\n" not in note
