"""Convert xDS resources to a bootstrap that Envoy runs without a control plane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glidepath.config import Config
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.local.redis_and_envoy import start_envoy
from tests.support.running_envoy import RunningEnvoy

Json = dict[str, Any]


@dataclass(slots=True)
class Xds:
    """The resources that a control plane sends to one Envoy. ``endpoints``: cluster name → its endpoints."""

    bootstrap: Json
    listeners: list[Json]
    routes: list[Json]
    clusters: list[Json]
    endpoints: Mapping[str, list[Json]] = field(default_factory=dict)

    def named(self, kind: str, name: str) -> Json:
        found: Json = next(one for one in getattr(self, kind) if one["name"] == name)
        return found


def static_bootstrap(xds: Xds, admin: str) -> Json:
    """Return a bootstrap whose listeners include their routes, and whose clusters include their endpoints.

    ``admin``: HOST:PORT of the admin API.
    """
    bootstrap = deepcopy(xds.bootstrap)
    bootstrap.pop("dynamic_resources", None)
    host, _, port = admin.rpartition(":")
    bootstrap["admin"]["address"] = {"socket_address": {"address": host, "port_value": int(port)}}
    static = bootstrap.setdefault("static_resources", {})
    routes = {one["name"]: one for one in xds.routes}
    static["listeners"] = [_with_routes(one, routes) for one in deepcopy(xds.listeners)]
    static["clusters"] = [
        *static.get("clusters", []),
        *(_with_endpoints(one, xds.endpoints) for one in deepcopy(xds.clusters)),
    ]
    return bootstrap


def _with_routes(value: Any, routes: Mapping[str, Json]) -> Any:
    if isinstance(value, list):
        return [_with_routes(one, routes) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with_routes(one, routes) for key, one in value.items() if key != "rds"}
    if "rds" in value:
        found["route_config"] = deepcopy(routes[value["rds"]["route_config_name"]])
    return found


def _with_endpoints(cluster: Json, endpoints: Mapping[str, list[Json]]) -> Json:
    if cluster.get("type") != "EDS":
        return cluster
    rest = {key: one for key, one in cluster.items() if key != "eds_cluster_config"}
    found = [{"lb_endpoints": endpoints[cluster["name"]]}]
    return {**rest, "type": "STATIC", "load_assignment": {"cluster_name": cluster["name"], "endpoints": found}}


def endpoint(url: str) -> Json:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}


@contextmanager
def running_mesh(xds: Xds, config: Config, folder: Path, live: str, admin: str) -> Iterator[RunningEnvoy]:
    """Run Envoy with the resources of the control plane. ``live``, ``admin``: HOST:PORT."""
    bootstrap = folder / "mesh.yaml"
    bootstrap.write_text(to_yaml(static_bootstrap(xds, admin)))
    with start_envoy(bootstrap, f"http://{admin}", folder / "envoy.log", concurrency=1) as child:
        yield RunningEnvoy(
            live=f"http://{live}",
            shadow=f"http://{config.envoy.shadow_listen}",
            admin=f"http://{admin}",
            config=config,
            child=child,
        )
