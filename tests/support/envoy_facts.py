"""The facts that ``doctor`` reads from a healthy Envoy, with or without changes."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from glidepath.config import Config, parse_config
from glidepath_ops.doctor.facts import EnvoyFacts, Finding
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.extensions import used_extensions
from tests.support.chat_config import CHAT_CONFIG

Json = dict[str, Any]


WITHOUT_STICKY = CHAT_CONFIG
YAML = WITHOUT_STICKY + "    sticky: {header: x-user-id}\n"
CONFIG = parse_config(YAML)


def facts(config: Config = CONFIG, **changes: Any) -> EnvoyFacts:
    """Return the facts of a healthy Envoy with the rendered configuration, in the form of Envoy's config dump."""
    bootstrap = render_bootstrap(config)
    listeners = bootstrap["static_resources"]["listeners"]
    tables = [
        manager["typed_config"]["route_config"]
        for listener in listeners
        for chain in listener["filter_chains"]
        for manager in chain["filters"]
    ]
    clusters = bootstrap["static_resources"]["clusters"]
    kind = "type.googleapis.com/envoy.admin.v3."
    dump = {
        "configs": [
            {"@type": f"{kind}BootstrapConfigDump", "bootstrap": bootstrap},
            {"@type": f"{kind}ListenersConfigDump", "static_listeners": [{"listener": one} for one in listeners]},
            {"@type": f"{kind}RoutesConfigDump", "static_route_configs": [{"route_config": one} for one in tables]},
            {"@type": f"{kind}ClustersConfigDump", "static_clusters": [{"cluster": one} for one in clusters]},
        ]
    }
    connected = {"stats": [{"name": "cx_active", "value": "1"}, {"name": "cx_connect_fail"}]}
    well = {
        "server_info": server_info("1.40.0", used_extensions(config)),
        "dump": dump,
        "clusters": {"cluster_statuses": [{"name": "glidepath-extproc", "host_statuses": [connected]}]},
        "stats": {"access_logs.grpc_access_log.logs_written": 7},
        "clock_skew_s": 0.1,
    }
    return EnvoyFacts("http://127.0.0.1:9901", **(well | changes))


def server_info(version: str, extensions: Iterable[str] = ()) -> dict[str, Any]:
    """Return the answer of an Envoy to ``GET /server_info``. ``extensions``: the extensions in its build."""
    named = [{"name": name, "category": "some"} for name in extensions]
    return {"version": f"abc/{version}/Clean/RELEASE/BoringSSL", "node": {"extensions": named}}


def without(*left_out: str) -> dict[str, Any]:
    return server_info("1.40.0", set(used_extensions(CONFIG)) - set(left_out))


def finding(findings: list[Finding], check: str) -> Finding:
    return next(f for f in findings if f.check == check)


def edited(*path: str | int, value: Any) -> EnvoyFacts:
    """Return the facts of the healthy Envoy with one value of its dump changed."""
    dump = copy.deepcopy(dict(facts().dump))
    node: Any = dump["configs"]
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return facts(dump=dump)


MANAGER = (1, "static_listeners", 0, "listener", "filter_chains", 0, "filters", 0, "typed_config")
WHOLE_ROUTE = (2, "static_route_configs", 0, "route_config", "virtual_hosts", 0, "routes", 1)
ROUTE = (*WHOLE_ROUTE, "route")
FILTERS = facts().section("ListenersConfigDump")["static_listeners"][0]["listener"]["filter_chains"][0]["filters"][0][
    "typed_config"
]["http_filters"]
CLUSTERS = [one["cluster"]["name"] for one in facts().section("ClustersConfigDump")["static_clusters"]]
AGGREGATE = CLUSTERS.index("onprem-or-cloud")
