"""Reads the settings of BackendTrafficPolicies of Envoy Gateway for an HTTPRoute from a user's file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from glidepath_ops.envoyconfig.mesh.go_durations import duration
from glidepath_ops.envoyconfig.mesh.kubernetes_yaml import ObjectNode
from glidepath_ops.envoyconfig.yaml_insertion import verbatim

ENVOYS_TIMEOUT = 15.0  # seconds for the whole answer if neither the rule nor a policy sets a timeout


@dataclass(frozen=True, slots=True)
class TrafficSettings:
    """The time limit for the whole answer in seconds (0: none), and whether endpoints are chosen by a hash."""

    timeout: float = ENVOYS_TIMEOUT
    hashed: bool = False


def traffic_settings(objects: Iterable[ObjectNode], route: str) -> TrafficSettings:
    """Return the settings of the policies in a file for the HTTPRoute named ``route``.

    A policy that targets the HTTPRoute comes before one that targets the Gateway. Raises InputError if the policy's
    time limit is not a duration.
    """
    policies = [one for one in objects if one.kind == "BackendTrafficPolicy"]
    own = [one for one in policies if route in _targets(one, "HTTPRoute")]
    general = [one for one in policies if _targets(one, "Gateway")]
    for policy in own + general:
        spec = verbatim(policy.node).get("spec") or {}
        limit = ((spec.get("timeout") or {}).get("http") or {}).get("requestTimeout")
        seconds = ENVOYS_TIMEOUT if limit is None else duration(str(limit), policy.place())
        return TrafficSettings(seconds, (spec.get("loadBalancer") or {}).get("type") == "ConsistentHash")
    return TrafficSettings()


def _targets(policy: ObjectNode, kind: str) -> list[str]:
    spec: Any = verbatim(policy.node).get("spec") or {}
    references = [*(spec.get("targetRefs") or []), *([spec["targetRef"]] if "targetRef" in spec else [])]
    return [str(one.get("name")) for one in references if one.get("kind") == kind]
