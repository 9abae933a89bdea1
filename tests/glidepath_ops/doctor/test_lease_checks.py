"""Findings of doctor about a split's lease: in force, missing, or unknown to an Envoy with an older configuration."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath import runtime_keys
from glidepath.config import parse_config
from glidepath_ops.doctor.checks import examine_envoy
from glidepath_ops.doctor.facts import EnvoyFacts, Severity
from tests.support.envoy_facts import YAML, facts, finding

HOLD, LEASED = parse_config(YAML), parse_config(YAML + "    if_lost: baseline\n")
OTHER_TIME = parse_config(YAML + "    if_lost: baseline\n    lost_after: 20s\n")


def in_force(value: str = "100") -> dict[str, Any]:
    return {"entries": {runtime_keys.lease_key("chat"): {"final_value": value}}}


def set_by_hand(value: str) -> dict[str, Any]:
    entry = {"final_value": value, "layer_values": ["", "100", value]}
    layers = ["glidepath-file", "glidepath-lease-10s", "admin"]
    return {"layers": layers, "entries": {runtime_keys.lease_key("chat"): entry}}


@pytest.mark.parametrize(
    ("config", "envoy", "level", "detail"),
    [
        (HOLD, facts(HOLD), Severity.OK, "the split stays"),
        (LEASED, facts(LEASED, runtime=in_force()), Severity.OK, "back to the baseline after 10 s"),
        (LEASED, facts(LEASED), Severity.FAIL, "no lease is in force"),
        (LEASED, facts(LEASED, runtime=in_force("0")), Severity.FAIL, "no lease is in force"),
        (LEASED, facts(LEASED, runtime=set_by_hand("")), Severity.FAIL, "no lease is in force"),
        (
            LEASED,
            facts(LEASED, runtime=set_by_hand("100")),
            Severity.FAIL,
            "so the split stays if all scorers are lost",
        ),
        (LEASED, facts(LEASED, runtime=set_by_hand("0")), Severity.FAIL, "so the baseline serves all requests"),
        (LEASED, facts(HOLD), Severity.FAIL, "rendered without a lease, so its split stays"),
        (HOLD, facts(LEASED), Severity.FAIL, "splits only with a lease"),
        (LEASED, facts(OTHER_TIME, runtime=in_force()), Severity.FAIL, "no runtime layer glidepath-lease-10s"),
    ],
)
def test_the_lease_of_a_split(config: Any, envoy: EnvoyFacts, level: Severity, detail: str) -> None:
    found = finding(examine_envoy(config, envoy), "chat: if lost")
    assert (found.level, detail in found.detail) == (level, True), found.detail


def test_the_route_below_the_split_is_no_second_split() -> None:
    findings = examine_envoy(LEASED, facts(LEASED, runtime=in_force()))
    assert finding(findings, "chat: split").level is Severity.OK
    assert "1, each with" in finding(findings, "chat: routes").detail
