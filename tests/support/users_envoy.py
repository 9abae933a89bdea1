"""A user's own Envoy in front of a recording backend, before and after Glidepath is inserted into its bootstrap."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from glidepath import runtime_keys
from glidepath.config import parse_config
from glidepath_ops.envoyconfig.insert_into_bootstrap import insert_glidepath
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy
from tests.support.envoy_collector import Collector
from tests.support.envoy_with_backends import PATH
from tests.support.recording_backend import Recorder
from tests.support.running_envoy import RunningEnvoy

Json = dict[str, Any]
TYPE = "type.googleapis.com/envoy."
MANAGER = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
# All tests send the same conversation, so by default it has no side of its own.
CHAT = {"match": {"path": PATH}, "baseline": "cloud", "candidate": "onprem", "sticky": {"random": True}}


@dataclass(frozen=True, slots=True)
class UsersTable:
    """The user's configuration: routes, fields of their virtual host and route table, filters, other clusters.

    ``clusters``: name of a cluster → its port on loopback. The cluster ``theirs`` always exists.
    """

    routes: Sequence[Json]
    virtual_host: Mapping[str, Any]
    table: Mapping[str, Any]
    filters: Sequence[Json]
    clusters: Mapping[str, int]


def users_table(
    *routes: Json,
    virtual_host: Mapping[str, Any] | None = None,
    table: Mapping[str, Any] | None = None,
    filters: Sequence[Json] = (),
    clusters: Mapping[str, int] | None = None,
) -> UsersTable:
    """Return the user's configuration with these routes, by default one route that sends all requests to ``theirs``."""
    return UsersTable(routes or (to_theirs(),), virtual_host or {}, table or {}, filters, clusters or {})


def to_theirs(match: Json | None = None, action: Json | None = None, **more: Any) -> Json:
    """Return a route to the cluster ``theirs``, by default for all requests. ``action``: fields of its action."""
    route = {"cluster": "theirs", "timeout": "0s", **(action or {})}
    return {"match": match or {"prefix": "/"}, "route": route, **more}


@dataclass(frozen=True, slots=True)
class UsersSetup:
    """The user's backend, the candidate, and an Envoy in front of them, ``before`` or ``after`` the insertion."""

    theirs: Recorder
    onprem: Recorder
    collector: Collector
    folder: Path
    text: str
    config: Json
    session: aiohttp.ClientSession
    live: str
    admin: str
    binary: Path | None = None

    @contextmanager
    def before(self) -> Iterator[RunningEnvoy]:
        with self._running(self.text) as envoy:
            yield envoy

    @contextmanager
    def after(self) -> Iterator[RunningEnvoy]:
        """Run Envoy with the bootstrap into which Glidepath is inserted."""
        with self._running(insert_glidepath(self.text, parse_config(yaml.safe_dump(self.config)), "e.yaml")) as envoy:
            yield envoy

    @contextmanager
    def _running(self, text: str) -> Iterator[RunningEnvoy]:
        bootstrap = self.folder / "envoy.yaml"
        bootstrap.write_text(text)
        config = parse_config(yaml.safe_dump(self.config))
        with start_envoy(bootstrap, self.admin, self.folder / "envoy.log", concurrency=1, binary=self.binary) as child:
            yield RunningEnvoy(self.live, f"http://{config.envoy.shadow_listen}", self.admin, config, child)

    def set_share(self, envoy: RunningEnvoy, percent: int) -> None:
        candidate = envoy.config.candidate_cluster("chat")
        baseline = envoy.config.baseline_cluster("chat")
        points = percent * 100
        envoy.modify(
            {
                runtime_keys.weight_key("chat", candidate): points,
                runtime_keys.weight_key("chat", baseline): runtime_keys.FULL_WEIGHT - points,
            }
        )

    def clear_received(self) -> None:
        self.theirs.received.clear()
        self.onprem.received.clear()

    @property
    def served(self) -> set[str]:
        """Return the names of the backends that have received a request."""
        return {one.name for one in (self.theirs, self.onprem) if one.received}


@asynccontextmanager
async def users_setup(
    folder: Path,
    table: UsersTable,
    *,
    onprem: Mapping[str, Any] | None = None,
    workloads: Mapping[str, Any] | None = None,
    binary: Path | None = None,
    envoy: Mapping[str, Any] | None = None,
    **chat: Any,
) -> AsyncIterator[UsersSetup]:
    """Run the backends. ``onprem``, ``chat``: settings of the candidate and of the workload ``chat``.

    ``url_path`` in the candidate's settings is appended to its URL. ``binary``: an Envoy other than the installed one.
    ``envoy``: further settings of the section.
    """
    listen, admin, shadow = free_ports(3)
    socket = folder / "extproc.sock"
    async with (
        Recorder("theirs") as theirs,
        Recorder("onprem") as candidate,
        Collector(socket) as collector,
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=15),
            connector=aiohttp.TCPConnector(force_close=True),  # the Envoy of before is gone when that of after runs
        ) as session,
    ):
        ours = dict(onprem or {})
        url = candidate.url + ours.pop("url_path", "")
        config = {
            "envoy": {"shadow_listen": f"127.0.0.1:{shadow}", **(envoy or {})},
            "extproc": {"listen": f"unix:{socket}"},
            "backends": {
                "cloud": {"cluster": "theirs", "host": "api.test"},
                "onprem": {"url": url, "model": "onprem-model", **ours},
            },
            "workloads": {"chat": {**CHAT, **chat}, **(workloads or {})},
        }
        text = yaml.safe_dump(_bootstrap(table, theirs.port, listen, admin), sort_keys=False)
        live = f"http://127.0.0.1:{listen}"
        admin_url = f"http://127.0.0.1:{admin}"
        yield UsersSetup(theirs, candidate, collector, folder, text, config, session, live, admin_url, binary)


def _bootstrap(table: UsersTable, backend: int, listen: int, admin: int) -> Json:
    host = {"name": "all", "domains": ["*"], **table.virtual_host, "routes": list(table.routes)}
    router = {"name": "router", "typed_config": {"@type": TYPE + "extensions.filters.http.router.v3.Router"}}
    manager = {
        "@type": MANAGER,
        "stat_prefix": "theirs",
        "route_config": {"name": "table", **table.table, "virtual_hosts": [host]},
        "http_filters": [*table.filters, router],
    }
    chain = {"filters": [{"name": "hcm", "typed_config": manager}]}
    listener = {"name": "main", "address": _address(listen), "filter_chains": [chain]}
    clusters = [_cluster(name, port) for name, port in {"theirs": backend, **table.clusters}.items()]
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {"listeners": [listener], "clusters": clusters},
    }


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> Json:
    endpoint = {"endpoint": {"address": _address(port)}}
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": name, "type": "STATIC", "load_assignment": assignment}
