"""Tests of doctor's checks of Redis, and of the reports that the processes write there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glidepath.scorer_groups import LastSteering
from glidepath.status_and_decisions import SideRefusal
from glidepath.unseen_log_entries import UnseenRecord
from glidepath_ops.doctor.checks import examine, examine_languages, examine_redis
from glidepath_ops.doctor.facts import Finding, RedisFacts, Severity
from tests.support.envoy_facts import (
    CONFIG,
    facts,
    finding,
)

DAY_MS = 86_400_000
REDIS = RedisFacts(
    "redis://r:6379",
    version="7.2.4",
    eviction="noeviction",
    used_memory=2**20,
    max_memory=0,
    unseen=UnseenRecord(produced=10),
    append_only=True,
    clock_skew_s=0.0,
    leader="scorer-1",
    last_steering={"chat": LastSteering("", 0.3)},
    status_age_s={"chat": 0.3},
    blind={"chat": ""},
)


SICK_REDIS = [
    ({"error": "refused"}, "reachable", Severity.FAIL),
    ({"version": "6.0.16"}, "version", Severity.FAIL),
    ({"eviction": "allkeys-lru"}, "memory policy", Severity.FAIL),
    ({"eviction": None}, "memory policy", Severity.WARN),
    ({"replica_of": "10.0.0.1:6379"}, "role", Severity.FAIL),
    ({"used_memory": None}, "memory", Severity.WARN),
    ({"used_memory": 101, "max_memory": 100}, "memory", Severity.FAIL),
    ({"used_memory": 101, "max_memory": 100, "eviction": "volatile-ttl"}, "memory", Severity.WARN),
    ({"used_memory": 95, "max_memory": 100}, "memory", Severity.WARN),
    ({"append_only": False, "snapshots": True}, "persistence", Severity.WARN),
    ({"append_only": False, "snapshots": False}, "persistence", Severity.FAIL),
    ({"append_only": None}, "persistence", Severity.WARN),
    ({"append_only": True, "append_failed": True}, "persistence", Severity.FAIL),
    ({"clock_skew_s": 9.0}, "clock", Severity.WARN),
    ({"leader": ""}, "leader", Severity.FAIL),
    ({"status_age_s": {"chat": None}}, "chat: status", Severity.WARN),
    ({"status_age_s": {"chat": 60.0}}, "chat: status", Severity.FAIL),
    ({"last_steering": {"chat": LastSteering("", 60.0)}}, "chat: group", Severity.FAIL),
    ({"last_steering": {"chat": LastSteering()}}, "chat: group", Severity.FAIL),
    ({"last_steering": {"chat": LastSteering("b", 1.0)}}, "chat: group", Severity.FAIL),
    ({"blind": {"chat": "no outcome of 1 of 1 Envoy arrives"}}, "outcomes arrive", Severity.FAIL),
    ({"blind": {"chat": ""}, "no_counters": {"chat": "no Envoy"}}, "outcomes arrive", Severity.WARN),
]


@pytest.mark.parametrize(("changes", "check", "level"), SICK_REDIS)
def test_a_fault_of_redis_is_found(changes: dict[str, Any], check: str, level: Severity) -> None:
    found = finding(list(examine_redis(replace(REDIS, **changes))), check)
    assert found.level is level
    assert found.remedy


def test_a_side_that_refuses_its_requests_is_named_with_what_to_do() -> None:
    refusal = SideRefusal("candidate", "credential_refused", "the candidate onprem answers 401 …", "check its key")
    found = finding(list(examine_redis(replace(REDIS, refusals={"chat": (refusal,)}))), "candidate")
    assert found == Finding("workload chat", "candidate", Severity.FAIL, refusal.detail, refusal.remedy)


def test_a_healthy_redis_has_only_findings_that_are_ok() -> None:
    assert {f.level for f in examine_redis(REDIS)} == {Severity.OK}


@pytest.mark.parametrize(
    ("record", "level", "text"),
    [
        (None, Severity.WARN, "not counted"),
        (UnseenRecord(silent="all"), Severity.WARN, "not counted"),
        (UnseenRecord(produced=394, unseen=268), Severity.WARN, "268 of 394 access log entries reached no"),
        (
            UnseenRecord(produced=394, unseen=268, lost_ms=1_796_146_000_000, at_ms=1_796_146_000_000 + DAY_MS - 1),
            Severity.WARN,
            "268 of 394 access log entries reached no extproc, the last at 2026-12-01 17:26 UTC, so no gate",
        ),
        (
            UnseenRecord(produced=394, unseen=268, lost_ms=1_796_146_000_000, at_ms=1_796_146_000_000 + DAY_MS),
            Severity.OK,
            "268 of 394 access log entries reached no extproc, the last at 2026-12-01 17:26 UTC",
        ),
        (UnseenRecord(produced=9), Severity.OK, "none of 9"),
        (UnseenRecord(produced=9, silent="1 of envoy.admin"), Severity.OK, "none of 9; 1 of envoy.admin not read"),
    ],
)
def test_log_entries_that_reached_no_extproc_are_shown(record: UnseenRecord | None, level: Severity, text: str) -> None:
    found = finding(list(examine_redis(replace(REDIS, unseen=record))), "unseen log entries")
    assert found.level is level
    assert text in found.detail


def test_findings_of_all_envoys_and_redis_are_in_one_list() -> None:
    findings = examine(CONFIG, [facts(), facts(error="x")], REDIS)
    assert len({f.subject for f in findings}) == 3  # the Envoys have one address here, and there is a workload
    assert finding(findings, "leader").level is Severity.OK


def test_a_group_that_does_not_steer_its_workload_is_named_with_the_remedy() -> None:
    left_out = finding(
        list(examine_redis(replace(REDIS, group="a", last_steering={"chat": LastSteering("a", 60.0)}))), "chat: group"
    )
    assert left_out.detail == "scorer-1 holds the lease of group 'a' but does not steer chat"
    assert "scorer.group of its own" in left_out.remedy
    assert "60 s ago the group did: its scorer is stuck" in left_out.remedy
    never = finding(
        list(examine_redis(replace(REDIS, group="a", last_steering={"chat": LastSteering("a", None)}))), "chat: group"
    )
    assert never.remedy.startswith("its file has no such workload")
    elsewhere = finding(
        list(examine_redis(replace(REDIS, last_steering={"chat": LastSteering("b", 1.0)}))), "chat: group"
    )
    assert elsewhere.detail == "chat is steered by group 'b', this file belongs to the group without a name"
    assert "rename it" in elsewhere.remedy
    nobody = list(examine_redis(replace(REDIS, leader="", last_steering={"chat": LastSteering()})))
    assert [f.check for f in nobody if f.level is Severity.FAIL] == ["leader"]


def test_a_workload_in_languages_that_the_embedding_model_does_not_read_is_a_warning_with_a_remedy() -> None:
    redis = replace(REDIS, languages={"chat": {"de": 80, "en": 20}, "quiet": {}})
    (found,) = examine_languages(CONFIG, redis)
    assert (found.subject, found.check, found.level) == ("workload chat", "languages", Severity.WARN)
    assert "de 80%" in found.detail
    assert "scorer.embedder.model: multilingual-e5-small (pip install 'glidepath[multilingual]')" in found.remedy
    (found,) = examine_languages(CONFIG, replace(REDIS, languages={"chat": {"en": 96, "de": 4}}))
    assert (found.level, found.detail) == (Severity.OK, "en, de")


def test_a_file_that_changed_after_the_scorer_started_is_named_with_what_to_restart() -> None:
    same, other = CONFIG.digest("chat"), "0123456789ab"
    found = finding(examine(CONFIG, [], replace(REDIS, digests={"chat": other})), "settings")
    assert (found.level, found.subject) == (Severity.FAIL, "workload chat")
    assert other in found.detail
    assert same in found.detail
    assert "restart" in found.remedy
    assert finding(examine(CONFIG, [], replace(REDIS, digests={"chat": same})), "settings").level is Severity.OK
