"""A real Envoy whose listeners, routes and clusters come from files, as a control plane would send them."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.local.redis_and_envoy import start_envoy

Json = dict[str, Any]
API = "type.googleapis.com/envoy."
TYPED_STRUCT = "type.googleapis.com/xds.type.v3.TypedStruct"
KINDS = {
    "cds": API + "config.cluster.v3.Cluster",
    "lds": API + "config.listener.v3.Listener",
    "rds": API + "config.route.v3.RouteConfiguration",
}


@dataclass(frozen=True, slots=True)
class XdsFiles:
    """The resources of an Envoy in three files. When a file is replaced, Envoy reads it again.

    Clusters come first, as control planes send them: Envoy refuses a listener whose clusters it does not have yet, and
    tries again only when the listener is sent again.
    """

    folder: Path

    def path(self, kind: str) -> Path:
        return self.folder / f"{kind}.yaml"

    def write(self, kind: str, resources: Sequence[Json]) -> None:
        """Replace the resources of one kind: cds, lds or rds."""
        named = [{"@type": KINDS[kind], **one} for one in resources]
        new = self.folder / f"{kind}.new"
        new.write_text(json.dumps({"version_info": os.urandom(4).hex(), "resources": named}))
        new.rename(self.path(kind))

    def source(self, kind: str) -> Json:
        return {"path_config_source": {"path": str(self.path(kind))}, "resource_api_version": "V3"}


def with_routes_apart(listener: Json, files: XdsFiles) -> tuple[Json, Json]:
    """Return a copy of the listener that gets its routes from RDS, and the RouteConfiguration that it had."""
    listener = copy.deepcopy(listener)
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    table = manager.pop("route_config")
    manager["rds"] = {"route_config_name": table["name"], "config_source": files.source("rds")}
    return listener, table


def made_unknown(value: Any, type_url: str) -> Any:
    """Return ``value`` with each message of the type ``type_url`` replaced by a message of a type that no Envoy has.

    Envoy rejects it like an extension that is not in its build.
    """
    if isinstance(value, list):
        return [made_unknown(one, type_url) for one in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("@type") == type_url:
        rest = {key: one for key, one in value.items() if key != "@type"}
        unknown = type_url.rpartition(".")[0] + ".LeftOutOfThisBuild"
        return {"@type": TYPED_STRUCT, "type_url": unknown, "value": rest}
    return {key: made_unknown(one, type_url) for key, one in value.items()}


@contextmanager
def envoy_on_files(bootstrap: Json, files: XdsFiles, admin: str, static: Json | None = None) -> Iterator[None]:
    """Run Envoy with ``bootstrap``, but with the files in place of its static resources.

    ``static``: static resources that stay in the bootstrap.
    """
    own = {key: value for key, value in bootstrap.items() if key != "static_resources"}
    if static is not None:
        own["static_resources"] = static
    own["dynamic_resources"] = {"cds_config": files.source("cds"), "lds_config": files.source("lds")}
    path = files.folder / "bootstrap.yaml"
    path.write_text(to_yaml(own))
    with start_envoy(path, admin, files.folder / "envoy.log", concurrency=1):
        yield
