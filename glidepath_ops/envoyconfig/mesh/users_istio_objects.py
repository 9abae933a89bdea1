"""Finds objects in a user's file that affect the routes of workloads: hash policies, and patches by route name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from glidepath.config.root import Config
from glidepath.errors import ConfigError, InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.continued_routes import not_at_random


@dataclass(frozen=True, slots=True)
class Document:
    """A Kubernetes object in a user's file: its YAML node, and its data."""

    node: yaml.Node
    data: Json
    file: str

    @property
    def namespace(self) -> str | None:
        found: str | None = self.data.get("metadata", {}).get("namespace")
        return found

    @property
    def name(self) -> str:
        return f"{self.namespace or ''}/{self.data.get('metadata', {}).get('name', '')}"


def hashed_by_the_user(documents: Sequence[Document], config: Config, file: str) -> frozenset[str]:
    """Return the workloads for which a DestinationRule in the file chooses the baseline's endpoints by a hash.

    Raises ConfigError if such a workload declares another sticky value.
    """
    found = set()
    for document in documents:
        if document.data.get("kind") != "DestinationRule":
            continue
        spec = document.data.get("spec", {})
        policies = [spec.get("trafficPolicy", {}), *(one.get("trafficPolicy", {}) for one in spec.get("subsets", []))]
        if not any("consistentHash" in policy.get("loadBalancer", {}) for policy in policies):
            continue
        host: Any = spec.get("host", "")
        for name, workload in config.workloads.items():
            cluster = config.backends[workload.baseline].cluster or ""
            if cluster.rpartition("|")[2].split(".")[0] != str(host).split(".")[0]:
                continue
            found.add(name)
            place = f"workloads.{name}.sticky: {file}:{document.node.start_mark.line + 1}: a DestinationRule chooses "
            if workload.assigned_at_random:
                raise ConfigError(f"{place}the endpoints of {host} by a hash, {not_at_random(name)}")
            if workload.declared_sticky is not None:
                raise ConfigError(
                    f"{place}the endpoints of {host} by a hash, which a second value would change; remove sticky or "
                    "consistentHash"
                )
    return frozenset(found)


def refuse_patches_by_name(documents: Sequence[Document], names: set[str], file: str) -> None:
    """Raise InputError if an EnvoyFilter patches a continued route by its name, because the copy has another name."""
    for document in documents:
        patches = (document.data.get("spec") or {}).get("configPatches") or []
        for patch in patches if document.data.get("kind") == "EnvoyFilter" else []:
            host = ((patch.get("match") or {}).get("routeConfiguration") or {}).get("vhost") or {}
            name = (host.get("route") or {}).get("name")
            if name and name in names:
                raise InputError(
                    f"{file}:{document.node.start_mark.line + 1}: this EnvoyFilter finds the route {name} by its name, "
                    "which the copy for a workload does not have: write a route for only the workload's requests with "
                    "the same patch, and give it to --route without --into, with fallback: false in the workload"
                )
