"""The facts about Envoys and Redis that the checks of ``glidepath doctor`` use.

A fact is None if its value could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from glidepath.scorer_groups import LastSteering
from glidepath.status_and_decisions import SideRefusal
from glidepath.unseen_log_entries import UnseenRecord
from scorer.steering.envoy.admin_interface import ADMIN_LAYER

RUNTIME_LAYER = "runtime layer"  # the name of a check
RENDER = "render the configuration again (`glidepath render`) and restart or reload this Envoy"


class Severity(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of ``glidepath doctor``. ``remedy`` is empty if nothing is wrong."""

    subject: str  # envoy http://…, redis, workload chat
    check: str
    level: Severity
    detail: str
    remedy: str = ""


def ok(subject: str, check: str, detail: str) -> Finding:
    return Finding(subject, check, Severity.OK, detail)


def warn(subject: str, check: str, detail: str, remedy: str) -> Finding:
    return Finding(subject, check, Severity.WARN, detail, remedy)


def fail(subject: str, check: str, detail: str, remedy: str) -> Finding:
    return Finding(subject, check, Severity.FAIL, detail, remedy)


@dataclass(frozen=True, slots=True)
class EnvoyFacts:
    """The answers of one Envoy's admin API.

    ``server_info``, ``runtime``, ``clusters`` and ``stats`` are the answers at the paths with these names. ``dump``
    is the answer at /config_dump.
    """

    url: str
    error: str = ""
    server_info: Mapping[str, Any] = field(default_factory=dict)
    dump: Mapping[str, Any] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)
    clusters: Mapping[str, Any] = field(default_factory=dict)
    stats: Mapping[str, int] = field(default_factory=dict)
    earlier_clusters: Mapping[str, Any] = field(default_factory=dict)  # the same answer a moment before ``clusters``
    clock_skew_s: float | None = None

    def section(self, kind: str) -> Mapping[str, Any]:
        """Return the part of /config_dump that has the message type ``kind``, such as ``BootstrapConfigDump``."""
        for part in self.dump.get("configs", []):
            if str(part.get("@type", "")).endswith(f".{kind}"):
                return dict(part)
        return {}

    @property
    def bootstrap(self) -> Mapping[str, Any]:
        return dict(self.section("BootstrapConfigDump").get("bootstrap", {}))

    def connection_managers(self) -> Iterator[Mapping[str, Any]]:
        """Yield the configuration of every HTTP connection manager in every listener."""
        section = self.section("ListenersConfigDump")
        listeners = [entry.get("listener", {}) for entry in section.get("static_listeners", [])]
        dynamic = section.get("dynamic_listeners", [])
        listeners += [entry.get("active_state", {}).get("listener", {}) for entry in dynamic]
        for listener in listeners:
            default = listener.get("default_filter_chain")  # Envoy Gateway's HTTP listeners have only this one
            for chain in [*listener.get("filter_chains", []), *([default] if default else [])]:
                for network_filter in chain.get("filters", []):
                    config = network_filter.get("typed_config", {})
                    if str(config.get("@type", "")).endswith("HttpConnectionManager"):
                        yield config

    def routes(self) -> Iterator[Mapping[str, Any]]:
        """Yield every route in every virtual host, from static and dynamic configuration."""
        for routes in self.routes_by_host():
            yield from routes

    def routes_by_host(self) -> Iterator[list[Mapping[str, Any]]]:
        """Yield the routes of each virtual host in their order, from static and dynamic configuration."""
        section = self.section("RoutesConfigDump")
        kinds = ("static_route_configs", "dynamic_route_configs")
        tables = [entry.get("route_config", {}) for kind in kinds for entry in section.get(kind, [])]
        for table in tables:
            for host in table.get("virtual_hosts", []):
                yield list(host.get("routes", []))

    def active_listeners(self) -> list[str]:
        """Return the names of the listeners that Envoy serves."""
        section = self.section("ListenersConfigDump")
        static = [str(entry.get("listener", {}).get("name")) for entry in section.get("static_listeners", [])]
        dynamic = section.get("dynamic_listeners", [])
        return static + [str(entry.get("name")) for entry in dynamic if entry.get("active_state")]

    def refused_listeners(self) -> dict[str, str]:
        """Return Envoy's reason for each listener whose last update it refused, by the listener's name."""
        found: dict[str, str] = {}
        for entry in self.section("ListenersConfigDump").get("dynamic_listeners", []):
            refused = entry.get("error_state")
            if refused:
                name = entry.get("name") or refused.get("failed_configuration", {}).get("name") or "without a name"
                found[str(name)] = str(refused.get("details", "no reason given"))
        return found

    def clusters_by_state(self) -> tuple[set[str], set[str]]:
        """Return the names of the clusters in use, and of those that still wait for their endpoints."""
        section = self.section("ClustersConfigDump")
        kinds = ("static_clusters", "dynamic_active_clusters"), ("dynamic_warming_clusters",)
        active, warming = (
            {str(entry.get("cluster", {}).get("name")) for kind in group for entry in section.get(kind, [])}
            for group in kinds
        )
        return active, warming - active

    def extensions(self) -> set[str]:
        """Return the names of the extensions in this build of Envoy."""
        return {str(one.get("name")) for one in self.server_info.get("node", {}).get("extensions", [])}

    def cluster_config(self, name: str) -> Mapping[str, Any] | None:
        section = self.section("ClustersConfigDump")
        for kind in ("static_clusters", "dynamic_active_clusters"):
            for entry in section.get(kind, []):
                if entry.get("cluster", {}).get("name") == name:
                    return dict(entry["cluster"])
        return None

    def hosts(self, cluster: str, *, earlier: bool = False) -> list[Mapping[str, Any]] | None:
        """Return the status of each endpoint of the cluster, or None if the cluster does not exist."""
        for status in (self.earlier_clusters if earlier else self.clusters).get("cluster_statuses", []):
            if status.get("name") == cluster:
                return list(status.get("host_statuses", []))
        return None

    def runtime_layers(self) -> list[str]:
        return [str(layer) for layer in self.runtime.get("layers", [])]

    def runtime_value(self, key: str) -> str | None:
        entry = self.runtime.get("entries", {}).get(key)
        return None if entry is None else str(entry.get("final_value", ""))

    def value_set_by_hand(self, key: str) -> str:
        """Return the key's value in the admin layer, which a person sets with curl; "" if it has none there."""
        layers = self.runtime_layers()
        values = self.runtime.get("entries", {}).get(key, {}).get("layer_values", [])
        index = layers.index(ADMIN_LAYER) if ADMIN_LAYER in layers else len(layers) - 1
        return str(values[index]) if 0 <= index < len(values) else ""


@dataclass(frozen=True, slots=True)
class RedisFacts:
    url: str
    error: str = ""
    version: str = ""
    replica_of: str = ""  # the address of its primary, if it is a read-only replica
    eviction: str | None = None
    max_memory: int | None = None  # bytes; 0: no limit
    used_memory: int | None = None
    append_only: bool | None = None
    append_failed: bool = False  # the last write to the append-only file failed; Redis then refuses all writes
    snapshots: bool | None = None
    clock_skew_s: float | None = None
    leader: str = ""
    group: str = ""  # scorer.group of the configuration; ``leader`` holds the group's lease
    last_steering: Mapping[str, LastSteering] = field(default_factory=dict)  # workload → the group that steered it last
    unseen: UnseenRecord | None = None  # None: no scorer has counted yet
    status_age_s: Mapping[str, float | None] = field(default_factory=dict)  # workload → age of its status
    digests: Mapping[str, str] = field(default_factory=dict)  # workload → Config.digest of the scorer that steers it
    refusals: Mapping[str, tuple[SideRefusal, ...]] = field(default_factory=dict)  # by workload, from its status
    blind: Mapping[str, str] = field(default_factory=dict)  # workload → why the steering is blind; "" if it is not
    no_counters: Mapping[str, str] = field(default_factory=dict)  # workload → why Envoy's counters cannot be read
    # workload → the results of the evaluator and the verifier, counted (WorkloadStatus.instruments)
    instruments: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # workload → language (ISO 639) → the number of its scored pairs of free text in this language
    languages: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
