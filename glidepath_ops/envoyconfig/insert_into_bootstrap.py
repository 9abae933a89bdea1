"""Inserts Glidepath into the user's own Envoy bootstrap (``glidepath render envoy --into``).

The inserted parts are:

- narrow copies of the user's own routes (``continued_routes``)
- three HTTP filters before the router, which act on these routes only
- an access log, clusters, the shadow listener and runtime layers
- an admin API on loopback, if one is needed and missing

No other byte changes (``yaml_insertion``).

Without a workload, Envoy only observes its traffic for the inventory. The routes, the shadow listener and the backends'
clusters are then left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath.split_leases import serves_rtds
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.added_route import AddedRoute, UsersRoute, UsersRoutes
from glidepath_ops.envoyconfig.bootstrap import admin_address, runtime_layers, shadow_listener
from glidepath_ops.envoyconfig.check_spliced_parts import SplicedParts, SplicedRoute, check_spliced
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.commented_yaml import Json, without_comments
from glidepath_ops.envoyconfig.continued_routes import added_routes
from glidepath_ops.envoyconfig.envoy_api_builders import address
from glidepath_ops.envoyconfig.grpc_server_clusters import cluster_of_access_log, cluster_of_extproc
from glidepath_ops.envoyconfig.header_rules import RoutedHeader
from glidepath_ops.envoyconfig.insertion_refusals import (
    refuse_duplicates,
    refuse_filters_of_baseline,
    refuse_missing_clusters,
)
from glidepath_ops.envoyconfig.internal_hops import hop_extensions, hop_listeners
from glidepath_ops.envoyconfig.taken_addresses import refuse_taken_addresses
from glidepath_ops.envoyconfig.yaml_insertion import (
    Insertion,
    child,
    compose,
    insert,
    items,
    refuse_merge_keys,
    remove,
    text_of,
    verbatim,
)

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
    refuse_merge_keys(root, name)
    static = child(root, "static_resources")
    if static is None:
        raise InputError(f"{name}: has no static_resources; add the routes at the source of this Envoy's listeners")
    listener, managers = _chosen_managers(static, name, point)
    refuse_taken_addresses(root, config, name)
    added = [_added(manager, config, name, point) for manager in managers] if config.workloads else []
    _refuse_shared_routes(static, listener, added, name)
    refuse_missing_clusters(static, config, name)
    refuse_filters_of_baseline(static, config, [one for _, routes in added for one in routes], name)
    check_spliced(_spliced(config, added, name), name)
    insertions = [
        *_routes(added),
        *(one for manager in managers for one in _in_manager(manager, config, name)),
        *_in_static(static, config, name, added),
        *_in_root(root, config, name),
    ]
    return insert(base, _once(insertions), name)


def _spliced(config: Config, added: Sequence[tuple[yaml.Node, Sequence[AddedRoute]]], name: str) -> SplicedParts:
    routes = [
        SplicedRoute(one.route, verbatim(items(child(host, "routes"))[one.original]) if one.continues else None)
        for host, all_added in added
        for one in all_added
    ]
    return SplicedParts(
        listeners=_our_listeners(config, added),
        clusters=_our_clusters(config, added, name),
        manager=without_comments(_our_manager(config)),
        root={
            "layered_runtime": {"layers": without_comments(runtime_layers(config))},
            "bootstrap_extensions": hop_extensions(config),
        },
        routes=routes,
    )


def _our_clusters(config: Config, added: Sequence[tuple[yaml.Node, Sequence[AddedRoute]]], name: str) -> list[Json]:
    if not config.workloads:
        return [without_comments(one) for one in (cluster_of_extproc(config), cluster_of_access_log(config))]
    return [without_comments(cluster) for cluster in clusters(config, _routed_headers(config, added, name))]


def _our_listeners(config: Config, added: Sequence[tuple[yaml.Node, Sequence[AddedRoute]]]) -> list[Json]:
    if not config.workloads:
        return []
    users = {one.workload: [one.for_copies] for _, routes in added for one in routes if one.continues and one.splits}
    return [without_comments(one) for one in (shadow_listener(config, users), *hop_listeners(config))]


def _our_manager(config: Config) -> dict[str, list[Json]]:
    """Return the parts that are inserted into an HTTP connection manager, by field."""
    log = [without_comments(filters.access_log(config, envoy_names.LIVE_LOG))]
    if not config.workloads:
        return {"http_filters": without_comments(filters.observing_filters(config)), "access_log": log}
    return {
        "http_filters": without_comments(filters.route_filters(config)),
        "early_header_mutation_extensions": [without_comments(filters.strip_tee_headers())],
        "access_log": log,
    }


def _once(insertions: Iterable[Insertion]) -> list[Insertion]:
    """Return the insertions without repetitions. (Managers may share a part by a YAML alias.)"""
    return list({(id(one.node), one.at, repr(one.items)): one for one in insertions}.values())


def _chosen_managers(static: yaml.Node, name: str, point: InsertionPoint) -> tuple[str, list[yaml.Node]]:
    """Return the title of the chosen listener and its HTTP connection managers.

    A manager that several filter chains share by a YAML anchor appears once.
    """
    found: dict[str, dict[int, yaml.Node]] = {}
    for listener, manager in _managers(static):
        found.setdefault(listener, {})[manager.start_mark.index] = manager
    if not found:
        raise InputError(f"{name}: no listener has an HTTP connection manager, so there is nothing to route")
    several = f"{name}: several listeners serve HTTP; choose one with --listener"
    chosen = _choose(found, point.listener, several, missing=f"{name}: no listener {{}} serves HTTP")
    return chosen, list(found[chosen].values())


def _managers(static: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    for listener in items(child(static, "listeners")):
        title = text_of(child(listener, "name")) or f"line {listener.start_mark.line + 1}"
        chains = items(child(listener, "filter_chains"))
        default = child(listener, "default_filter_chain")
        for chain in [*chains, *([default] if default else [])]:
            for network_filter in items(child(chain, "filters")):
                config = child(network_filter, "typed_config")
                if config is not None and text_of(child(config, "@type")).endswith(_MANAGER):
                    yield title, config


def _added(
    manager: yaml.Node, config: Config, name: str, point: InsertionPoint
) -> tuple[yaml.Node, Sequence[AddedRoute]]:
    """Return the virtual host of the manager that gets routes, and these routes."""
    where = f"{name}:{manager.start_mark.line + 1}"
    for source in ("rds", "scoped_routes"):
        if child(manager, source) is not None:
            raise InputError(
                f"{where}: gets its routes by {source} and not from this file; add the routes at that server (for a "
                "mesh: `glidepath render istio` or `glidepath render envoy-gateway`)"
            )
    host = _virtual_host(manager, where, point)
    if child(host, "matcher") is not None:
        raise InputError(
            f"{name}:{host.start_mark.line + 1}: finds its routes by a matcher; only a list of routes can be continued"
        )
    routes = [
        UsersRoute(verbatim(route), f"{name}:{route.start_mark.line + 1}") for route in items(child(host, "routes"))
    ]
    table = verbatim(child(manager, "route_config"))
    return host, added_routes(config, UsersRoutes(routes, verbatim(host), table))


def _refuse_shared_routes(
    static: yaml.Node,
    listener: str,
    added: Sequence[tuple[yaml.Node, Sequence[AddedRoute]]],
    name: str,
) -> None:
    """Raise InputError if another listener or virtual host shares the routes by a YAML alias: both would be split."""
    ours = {id(child(host, "routes")) for host, _ in added}
    chosen = {id(host) for host, _ in added}
    for title, manager in _managers(static):
        for host in items(child(child(manager, "route_config"), "virtual_hosts")):
            routes = child(host, "routes")
            if routes is None or id(routes) not in ours:
                continue
            if id(host) not in chosen or title != listener:
                raise InputError(
                    f"{name}:{routes.start_mark.line + 1}: a YAML alias gives these routes to another virtual host or "
                    f"to the listener {title} too; write them there in full"
                )


def _routed_headers(
    config: Config, added: Iterable[tuple[yaml.Node, Sequence[AddedRoute]]], name: str
) -> dict[str, Mapping[str, RoutedHeader]]:
    """Return, by aggregate cluster, the effect of the user's routes on headers.

    Raises InputError if two routes to the same cluster have different effects.
    """
    found: dict[str, Mapping[str, RoutedHeader]] = {}
    for one in (one for _, routes in added for one in routes):
        if not (one.continues and one.splits and config.workload(one.workload).fallback):
            continue
        known = found.setdefault(config.candidate_cluster(one.workload), one.headers)
        if known != one.headers:
            different = sorted(key for key in {*known, *one.headers} if known.get(key) != one.headers.get(key))
            raise InputError(
                f"workloads.{one.workload}: {name}: the routes of the same candidate and baseline have different "
                f"header rules for {', '.join(different)}: write the rules at the virtual host, or set fallback: false"
            )
    return found


def _routes(added: Iterable[tuple[yaml.Node, Sequence[AddedRoute]]]) -> Iterator[Insertion]:
    for host, routes in added:
        for index in sorted({one.before for one in routes}):
            yield _insert_at(host, "routes", [one.route for one in routes if one.before == index], at=index)


def _in_manager(manager: yaml.Node, config: Config, name: str) -> Iterator[Insertion]:
    chain = child(manager, "http_filters")
    if chain is None or not items(chain):
        raise InputError(f"{name}:{manager.start_mark.line + 1}: has no http_filters; the last one must be a router")
    ours = _our_manager(config)
    yield Insertion(chain, ours.pop("http_filters"), at=len(items(chain)) - 1)
    for field, what in ours.items():
        yield _insert_at(manager, field, what)


def _virtual_host(manager: yaml.Node, where: str, point: InsertionPoint) -> yaml.Node:
    table = child(manager, "route_config")
    hosts = {text_of(child(host, "name")): host for host in items(child(table, "virtual_hosts"))}
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


def _in_static(
    static: yaml.Node, config: Config, name: str, added: Sequence[tuple[yaml.Node, Sequence[AddedRoute]]]
) -> Iterator[Insertion]:
    ours = _our_clusters(config, added, name)
    refuse_duplicates(items(child(static, "clusters")), ours, name, "cluster", "rename the backend")
    yield _insert_at(static, "clusters", ours)
    listeners = _our_listeners(config, added)
    refuse_duplicates(items(child(static, "listeners")), listeners, name, "listener", "rename it")
    if listeners:
        yield _insert_at(static, "listeners", listeners)


def _in_root(root: yaml.Node, config: Config, name: str) -> Iterator[Insertion]:
    yield _runtime(root, config)
    theirs = [text_of(child(one, "name")) for one in items(child(root, "bootstrap_extensions"))]
    extensions = [one for one in hop_extensions(config) if one["name"] not in theirs]
    if extensions:
        yield _insert_at(root, "bootstrap_extensions", extensions)
    if config.envoy.actuator == "admin" and child(root, "admin") is None:
        yield Insertion(root, {"admin": {"address": address(admin_address(config))}})
    if serves_rtds(config) and child(root, "node") is None:
        yield Insertion(root, {"node": {"id": "envoy", "cluster": "glidepath"}})
    elif serves_rtds(config) and child(child(root, "node"), "id") is None:
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
