"""Insert Glidepath into the user's own Envoy bootstrap (``glidepath render envoy --into``).

The inserted parts are routes before the user's routes, three HTTP filters before the router (disabled except on
Glidepath's routes), an access log, clusters, the shadow listener, runtime layers, and an admin API on loopback if one
is needed and missing. No other byte changes (``yaml_insertion``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import yaml

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.bootstrap import admin_address, runtime_layers, shadow_listener
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.commented_yaml import Json, without_comments
from glidepath_ops.envoyconfig.envoy_api_builders import address
from glidepath_ops.envoyconfig.filters_off_by_default import disabled, enabled_by
from glidepath_ops.envoyconfig.routes import workload_routes
from glidepath_ops.envoyconfig.yaml_insertion import Insertion, child, compose, insert, items, remove

_MANAGER = "HttpConnectionManager"


@dataclass(frozen=True, slots=True)
class InsertionPoint:
    """The listener and the virtual host into which the routes are inserted. None means the only one in the file."""

    listener: str | None = None
    virtual_host: str | None = None


def insert_glidepath(text: str, config: Config, name: str, point: InsertionPoint = InsertionPoint()) -> str:
    """Return the bootstrap ``text`` with Glidepath's parts inserted. Parts from an earlier call are replaced.

    Errors show ``name`` as the file. Raises InputError if the file has no place for a part.
    """
    base = remove(text)
    root = compose(base, name)
    static = child(root, "static_resources")
    if static is None:
        raise InputError(f"{name}: has no static_resources; add the routes at the source of this Envoy's listeners")
    managers = _chosen_managers(static, name, point)
    insertions = [
        *(one for manager in managers for one in _in_manager(manager, config, name, point)),
        *_in_static(static, config, name),
        *_in_root(root, config, name),
    ]
    return insert(base, insertions)


def _chosen_managers(static: yaml.Node, name: str, point: InsertionPoint) -> list[yaml.Node]:
    """Return the HTTP connection managers of the chosen listener.

    A manager that several filter chains share by a YAML anchor appears once.
    """
    found: dict[str, dict[int, yaml.Node]] = {}
    for listener, manager in _managers(static):
        found.setdefault(listener, {})[manager.start_mark.index] = manager
    if not found:
        raise InputError(f"{name}: no listener has an HTTP connection manager, so there is nothing to route")
    several = f"{name}: several listeners serve HTTP; choose one with --listener"
    chosen = _choose(found, point.listener, several, missing=f"{name}: no listener {{}} serves HTTP")
    return list(found[chosen].values())


def _managers(static: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    for listener in items(child(static, "listeners")):
        title = _text(child(listener, "name")) or f"line {listener.start_mark.line + 1}"
        chains = items(child(listener, "filter_chains"))
        default = child(listener, "default_filter_chain")
        for chain in [*chains, *([default] if default else [])]:
            for network_filter in items(child(chain, "filters")):
                config = child(network_filter, "typed_config")
                if config is not None and _text(child(config, "@type")).endswith(_MANAGER):
                    yield title, config


def _in_manager(manager: yaml.Node, config: Config, name: str, point: InsertionPoint) -> Iterator[Insertion]:
    where = f"{name}:{manager.start_mark.line + 1}"
    for source in ("rds", "scoped_routes"):
        if child(manager, source) is not None:
            raise InputError(
                f"{where}: gets its routes by {source} and not from this file; add the routes at that server (for a "
                "mesh: `glidepath render istio` or `glidepath render envoy-gateway`)"
            )
    host = _virtual_host(manager, where, point)
    routes = [_enabling(without_comments(route)) for route in workload_routes(config)]
    yield _insert_at(host, "routes", routes, at=0)
    chain = child(manager, "http_filters")
    if chain is None or not items(chain):
        raise InputError(f"{where}: has no http_filters; the last one must be a router")
    yield Insertion(chain, disabled(_filters(config)), at=len(items(chain)) - 1)
    yield _insert_at(manager, "early_header_mutation_extensions", [without_comments(filters.strip_tee_headers())])
    yield _insert_at(manager, "access_log", [without_comments(filters.access_log(config, envoy_names.LIVE_LOG))])


def _filters(config: Config) -> list[Json]:
    return [
        filters.remember_filter(config),
        filters.ext_proc_filter(config),
        filters.header_mutation_filter(),
    ]


def _enabling(route: Json) -> Json:
    names = (filters.REMEMBER, filters.EXT_PROC, filters.HEADER_MUTATION)
    return {**route, "typed_per_filter_config": enabled_by(route, names)}


def _virtual_host(manager: yaml.Node, where: str, point: InsertionPoint) -> yaml.Node:
    table = child(manager, "route_config")
    hosts = {_text(child(host, "name")): host for host in items(child(table, "virtual_hosts"))}
    if not hosts:
        raise InputError(f"{where}: its route_config has no virtual_hosts")
    several = f"{where}: has several virtual hosts; choose one with --virtual-host"
    return hosts[_choose(hosts, point.virtual_host, several, missing=f"{where}: no virtual host {{}}")]


def _choose(known: Collection[str], wanted: str | None, several: str, missing: str) -> str:
    """Return ``wanted``, or the only name in ``known`` if ``wanted`` is None.

    Raises InputError with the message ``several`` if there are several names and ``wanted`` is None. Raises
    InputError with the message ``missing`` if ``wanted`` is not in ``known``; ``{}`` in ``missing`` stands for the
    wanted name. Both errors also list the known names.
    """
    if wanted is None and len(known) > 1:
        raise InputError(f"{several} (allowed: {', '.join(known)})")
    chosen = wanted or next(iter(known))
    if chosen not in known:
        raise InputError(f"{missing.replace('{}', repr(chosen))} (allowed: {', '.join(known)})")
    return chosen


def _in_static(static: yaml.Node, config: Config, name: str) -> Iterator[Insertion]:
    ours = [without_comments(cluster) for cluster in clusters(config)]
    _refuse_duplicates(items(child(static, "clusters")), ours, name, "cluster", "rename the backend")
    yield _insert_at(static, "clusters", ours)
    listener = without_comments(shadow_listener(config))
    _refuse_duplicates(items(child(static, "listeners")), [listener], name, "listener", "rename it")
    yield _insert_at(static, "listeners", [listener])


def _refuse_duplicates(theirs: Sequence[yaml.Node], ours: Sequence[Json], name: str, kind: str, remedy: str) -> None:
    lines = {_text(child(node, "name")): node.start_mark.line + 1 for node in theirs}
    for one in ours:
        if one["name"] in lines:
            raise InputError(f"{name}:{lines[one['name']]}: the {kind} {one['name']!r} already exists here; {remedy}")


def _in_root(root: yaml.Node, config: Config, name: str) -> Iterator[Insertion]:
    yield _runtime(root, config)
    if config.envoy.actuator == "admin" and child(root, "admin") is None:
        yield Insertion(root, {"admin": {"address": address(admin_address(config))}})
    if config.envoy.actuator == "rtds" and child(root, "node") is None:
        yield Insertion(root, {"node": {"id": "envoy", "cluster": "glidepath"}})
    elif config.envoy.actuator == "rtds" and child(child(root, "node"), "id") is None:
        raise InputError(f"{name}: node has no id, which RTDS needs")


def _runtime(root: yaml.Node, config: Config) -> Insertion:
    """Return the insertion of the runtime layers. They come before the user's admin layer, so that it keeps precedence.

    If the user has no admin layer, Glidepath's admin layer is inserted too.
    """
    ours = without_comments(runtime_layers(config))
    layered = child(root, "layered_runtime")
    if layered is None:
        return Insertion(root, {"layered_runtime": {"layers": ours}})
    layers = child(layered, "layers")
    if layers is None:
        return Insertion(layered, {"layers": ours})
    for index, layer in enumerate(items(layers)):
        if child(layer, "admin_layer") is not None:
            return Insertion(layers, [one for one in ours if "admin_layer" not in one], at=index)
    return Insertion(layers, ours)


def _insert_at(parent: yaml.Node, key: str, what: list[Json], at: int | None = None) -> Insertion:
    """Return the insertion of the items ``what`` into the list at ``key`` of ``parent``.

    If ``parent`` has no such key, the insertion adds the key with a list of these items.
    """
    node = child(parent, key)
    if node is None:
        return Insertion(parent, {key: what})
    return Insertion(node, what, at)


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
