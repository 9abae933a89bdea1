"""Envoys and HTTPRoutes in one fleet: each workload sees its own places, and each write goes to its own actuator."""

from __future__ import annotations

from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.envoy.joined_actuators import JoinedActuators
from scorer.steering.leader.steered_workloads import FleetSnapshot

RULE, OTHER = "httproute models/chat/0", "httproute models/chat/01"


def routes() -> MemoryActuator:
    found = MemoryActuator(0)
    found.runtime = {RULE: {"w": "1"}, f"{RULE} at eg": {}, OTHER: {}}
    return found


def test_each_write_goes_to_its_own_actuator() -> None:
    envoys, rules = MemoryActuator(1), routes()
    joined = JoinedActuators(envoys, rules)
    joined.submit({"envoy-0": {"a": "1"}, RULE: {"w": "2"}})
    joined.retreat({RULE: {"w": "0"}})
    assert envoys.writes == [("envoy-0", {"a": "1"})]
    assert rules.writes == [(RULE, {"w": "2"}), (RULE, {"w": "0"})]
    assert joined.readings().keys() == {"envoy-0", RULE, f"{RULE} at eg", OTHER}


def test_a_workload_sees_the_envoys_or_its_rule_and_the_gateways_of_it() -> None:
    fleet = FleetSnapshot(
        JoinedActuators(MemoryActuator(2), routes()).readings(), frozenset({"envoy-0"}), {"http://admin": {}}
    )
    assert fleet.envoys_alone().readings.keys() == {"envoy-0", "envoy-1"}
    assert fleet.envoys_alone().unknown_weights == {"envoy-0"}
    alone = fleet.rule_alone(RULE)
    assert alone.readings.keys() == {RULE, f"{RULE} at eg"}
    assert (alone.unknown_weights, alone.admin_layers, alone.leases) == (frozenset(), {}, {})
