"""Tests of the checklist for switching off a baseline: blocking items, and the order of workloads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath.status_and_decisions import Decision, Verdict, WorkloadStatus
from glidepath_ops.decommission.checklist import (
    ChecklistItem,
    ItemState,
    WorkloadFacts,
    blocked,
    checklist,
    in_order,
    users_of,
)

DAY_MS = 86_400_000
NOW_MS = 100 * DAY_MS


def configured(**sections: Any) -> Config:
    """Return a configuration in which two workloads leave ``cloud``: first batch, then chat."""
    sides = {"baseline": "cloud", "candidate": "onprem"}
    data: dict[str, Any] = {
        "backends": {
            "cloud": {"url": "https://api.example.com", "credential": {"env": "CLOUD_KEY"}},
            "onprem": {"url": "http://127.0.0.1:9002"},
            "other": {"url": "http://127.0.0.1:9003"},
        },
        "workloads": {
            "chat": {"match": {"path": "/v1/chat/completions"}, **sides, "after": "batch"},
            "batch": {"match": {"path": "/v1/batch"}, **sides, "probes": {"prompts": ["?"], "path": "/v1/completions"}},
        },
    }
    for name, changes in sections.items():
        data.setdefault(name, {})
        data[name] = {k: {**data[name].get(k, {}), **v} if isinstance(v, dict) else v for k, v in changes.items()} | {
            k: v for k, v in data[name].items() if k not in changes
        }
    return parse_config(yaml.safe_dump(data))


def status(workload: str, phase: str = "completed", percent: float = 100, **changes: Any) -> WorkloadStatus:
    whole = WorkloadStatus(workload, phase, percent, 6, (1, 5, 100), NOW_MS - 40 * DAY_MS, NOW_MS, agreement=0.97)
    return replace(whole, **changes)


def decision(workload: str, event: str, **details: Any) -> Decision:
    return Decision(1, workload, event, 100, 100, "completed", f"{event} it was", details=details)


DONE = WorkloadFacts(status("batch"), (decision("batch", "drill_finished", passed=True),))


def found(items: list[ChecklistItem], what: str) -> ChecklistItem:
    return next(item for item in items if item.what == what)


def test_a_finished_workload_has_no_blocking_item() -> None:
    without = configured(workloads={"batch": {"shadow": {"same_side": 0}}})
    items = checklist(without, "batch", {"batch": DONE}, NOW_MS)
    assert blocked(items) == []
    assert found(items, "migrated and validated").level is ItemState.OK
    assert found(items, "rollback rehearsed").level is ItemState.OK
    assert found(items, "both sides in sync").detail.startswith("agreement 0.970, and no limit in gates.sameness")


@pytest.mark.parametrize(
    ("agreement", "noise", "sameness", "level", "detail"),
    [
        (None, None, {"min_agreement": 0.85}, ItemState.WARN, "no pair has been scored in this step"),
        (0.549, None, {"min_agreement": 0.85}, ItemState.WARN, "agreement 0.549, below the limit 0.850"),
        (0.849, None, {"min_agreement": 0.85}, ItemState.WARN, "below the limit 0.850"),
        (0.85, None, {"min_agreement": 0.85}, ItemState.OK, "agreement 0.850, at least 0.850"),
        (0.90, 0.97, {"margin": 0.05}, ItemState.WARN, "below the limit 0.920"),
        (0.93, 0.97, {"margin": 0.05}, ItemState.OK, "at least 0.920"),
        (
            0.93,
            None,
            {"margin": 0.05},
            ItemState.WARN,
            "no noise floor measured in this step, to which the margin 0.05",
        ),
        (0.93, None, {"min_agreement": 0.85, "margin": 0.05}, ItemState.OK, "the margin is not checked, because no no"),
        (0.93, 0.97, {"min_agreement": 0.85, "margin": 0.05}, ItemState.OK, "at least 0.920"),
        (0.93, None, None, ItemState.WARN, "no limit in gates.sameness to compare it with"),
    ],
)
def test_the_sides_are_in_sync_only_if_pairs_prove_it(
    agreement: float | None, noise: float | None, sameness: dict[str, float] | None, level: ItemState, detail: str
) -> None:
    facts = replace(DONE, status=status("batch", agreement=agreement, noise=noise))
    config = configured(workloads={"batch": {"gates": {"sameness": sameness}}})
    item = found(checklist(config, "batch", {"batch": facts}, NOW_MS), "both sides in sync")
    assert item.level is level
    assert detail in item.detail
    assert bool(item.remedy) is (level is ItemState.WARN)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (None, "no scorer has steered it"),
        (status("batch", "baking", 50), "50 % at the candidate, baking"),
        (status("batch", "validating", since_ms=NOW_MS - 20 * DAY_MS), "100 % at the candidate, validating"),
        (status("batch", "held"), "100 % at the candidate, held"),
    ],
)
def test_an_unfinished_workload_is_blocked(state: WorkloadStatus | None, words: str) -> None:
    (item,) = blocked(checklist(configured(), "batch", {"batch": WorkloadFacts(state)}, NOW_MS))
    assert item.detail == words
    assert item.remedy


def test_the_remaining_validation_is_given_in_days() -> None:
    state = status("batch", "validating", since_ms=NOW_MS - 20 * DAY_MS)
    (item,) = blocked(checklist(configured(), "batch", {"batch": WorkloadFacts(state)}, NOW_MS))
    assert item.remedy == "wait: the validation ends in 10.0 days"


@pytest.mark.parametrize(("days", "outcome"), [(20, "fail"), (31, "pass")])
def test_nobody_is_told_to_wait_for_a_validation_that_does_not_end_by_itself(days: int, outcome: str) -> None:
    gate = Verdict("sameness", outcome, 0.4, 0.6, "agreement", n=600, action="hold")
    state = status("batch", "validating", since_ms=NOW_MS - days * DAY_MS, verdicts=(gate,))
    (item,) = blocked(checklist(configured(), "batch", {"batch": WorkloadFacts(state)}, NOW_MS))
    assert item.remedy == "glidepath status -w batch"
    assert ("sameness fail" in item.detail) == (outcome == "fail")


def test_a_permanent_hybrid_keeps_its_baseline() -> None:
    config = configured(workloads={"batch": {"ramp": {"steps": [5, 60]}}})
    (item,) = blocked(checklist(config, "batch", {"batch": WorkloadFacts(status("batch", percent=60))}, NOW_MS))
    assert "ends at 60 %" in item.detail


def test_a_failing_gate_blocks() -> None:
    failing = Verdict("sameness", "fail", 0.5, 0.85, "", 300)
    facts = WorkloadFacts(status("batch", verdicts=(failing,)))
    assert [item.what for item in blocked(checklist(configured(), "batch", {"batch": facts}, NOW_MS))] == ["gates"]


def test_other_users_of_the_backend_keep_it_and_its_credential() -> None:
    config = configured(
        envoy={"default_backend": "cloud"},
        workloads={"back": {"match": {"path": "/x"}, "baseline": "other", "candidate": "cloud"}},
    )
    items = checklist(config, "batch", {"batch": DONE}, NOW_MS)
    others = {item.what: item.detail for item in items if item.level is ItemState.WARN and "used by" in item.what}
    assert others == {
        "cloud used by chat": "as its baseline and fallback; not steered yet",
        "cloud used by back": "as its candidate; not steered yet",
        "cloud used by envoy.default_backend": "for requests that match no workload",
    }
    assert found(items, "revoke the credential").detail == (
        "env CLOUD_KEY, at the provider and in the secret store; not before: back, chat, envoy.default_backend"
    )
    assert set(users_of(config, "cloud")) == {"chat", "batch", "back"}


def test_the_last_workload_can_end_the_contract() -> None:
    ended = replace(DONE, decisions=(*DONE.decisions, decision("batch", "decommission")))
    items = checklist(configured(), "chat", {"chat": WorkloadFacts(status("chat")), "batch": ended}, NOW_MS)
    assert "not before" not in found(items, "end the contract").detail
    assert found(items, "batch before it").level is ItemState.OK


def test_the_less_critical_workload_ends_first() -> None:
    items = checklist(configured(), "chat", {"chat": WorkloadFacts(status("chat")), "batch": DONE}, NOW_MS)
    assert found(items, "batch before it").remedy.startswith("glidepath decommission batch first")
    assert in_order(configured(), {"chat": 1, "batch": 1000}) == ["batch", "chat"]
    chain = configured(workloads={"internal": {"match": {"path": "/i"}, "baseline": "cloud", "candidate": "onprem"}})
    assert in_order(chain, {"batch": 900, "internal": 10, "chat": 5}) == ["internal", "batch", "chat"]


def test_a_missing_or_failed_drill_is_a_warning() -> None:
    for decisions in ((), (decision("batch", "drill_finished", passed=False),)):
        items = checklist(configured(), "batch", {"batch": replace(DONE, decisions=decisions)}, NOW_MS)
        assert found(items, "rollback rehearsed").level is ItemState.WARN


@pytest.mark.parametrize(("percent", "option"), [(100, " --force"), (10, "")])
def test_the_drill_that_is_named_is_not_refused_at_the_present_share(percent: float, option: str) -> None:
    facts = {"batch": replace(DONE, status=status("batch", percent=percent), decisions=())}
    items = checklist(configured(), "batch", facts, NOW_MS)
    assert found(items, "rollback rehearsed").remedy == f"glidepath drill batch{option}"
    assert found(items, "last drill").detail.startswith(f"glidepath drill batch{option}:")


def test_a_drill_of_lost_scorers_rehearses_no_rollback() -> None:
    lost = decision("batch", "drill_finished", passed=True, lost_after_ms=10_000)
    items = checklist(configured(), "batch", {"batch": replace(DONE, decisions=(lost,))}, NOW_MS)
    assert found(items, "rollback rehearsed").level is ItemState.WARN


@pytest.mark.parametrize("if_lost", ["hold", "baseline"])
def test_a_lease_of_the_split_ends_before_the_baseline_does(if_lost: str) -> None:
    leased = configured(workloads={"batch": {"if_lost": if_lost}})
    tasks = [item.what for item in checklist(leased, "batch", {"batch": DONE}, NOW_MS)]
    assert ("end the lease of the split" in tasks) == (if_lost == "baseline")


def test_failing_probes_are_a_warning() -> None:
    items = checklist(configured(), "batch", {"batch": replace(DONE, probes_failing="baseline cloud")}, NOW_MS)
    assert found(items, "both sides in sync").detail == "synthetic probes fail: baseline cloud"


@pytest.mark.parametrize(
    ("cluster", "order"),
    [
        ("outbound|443||api.example.com", "the VirtualService first and the EnvoyFilter after it"),
        ("httproute/default/models/rule/1/backend/0", "the HTTPRoute first and the EnvoyPatchPolicy after it"),
    ],
)
def test_in_a_mesh_the_checklist_says_what_is_applied_first(cluster: str, order: str) -> None:
    elsewhere = checklist(configured(), "batch", {"batch": DONE}, NOW_MS)
    assert "after it" not in found(elsewhere, "roll out").detail
    service = {"cluster": cluster, "host": "api.example.com", "url": None, "credential": None}
    in_mesh = checklist(configured(backends={"cloud": service}), "batch", {"batch": DONE}, NOW_MS)
    assert order in found(in_mesh, "roll out").detail
