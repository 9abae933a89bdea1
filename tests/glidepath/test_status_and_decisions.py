"""JSON records can be read back, and fields of a newer version are ignored."""

from __future__ import annotations

import json

import pytest

from glidepath.errors import InputError
from glidepath.status_and_decisions import (
    Command,
    CommandKind,
    Decision,
    SideStatus,
    Verdict,
    WorkloadStatus,
    from_json,
    to_json,
)

VERDICT = Verdict("sameness", "pass", 0.91, 0.85, "agreement", 240, 1.2, message="enough")
STATUS = WorkloadStatus(
    "chat",
    "baking",
    5.0,
    1,
    (1.0, 5.0),
    10,
    20,
    weights={"onprem": 500, "cloud": 9500},
    verdicts=(VERDICT,),
    candidate=SideStatus(requests=3, p99_ms=12.5),
)
DECISION = Decision(5, "chat", "promote", 1.0, 5.0, "baking", "all gates pass", verdicts=(VERDICT,), details={"k": [1]})


@pytest.mark.parametrize("record", [STATUS, DECISION, Command(CommandKind.ROLLBACK, "ann", "slow", percent=5.0)])
def test_a_record_can_be_restored_from_json(record: WorkloadStatus | Decision | Command) -> None:
    assert from_json(type(record), to_json(record)) == record


def test_fields_of_a_newer_version_are_ignored() -> None:
    raw = json.loads(to_json(STATUS)) | {"invented_later": 1}
    raw["verdicts"][0]["invented_later"] = 2
    assert from_json(WorkloadStatus, json.dumps(raw)) == STATUS


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"kind": "fly", "actor": "ann"}', "\x00"])
def test_invalid_json_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError, match="not a Command"):
        from_json(Command, text)
