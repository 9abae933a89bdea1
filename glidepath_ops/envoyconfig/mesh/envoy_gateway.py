"""Renders the resources for Envoy Gateway.

They are an EnvoyPatchPolicy that patches the generated Envoy configuration (xDS), an EnvoyProxy with runtime layers,
and HTTPRoutes for workloads that have none. The patches rely on these semantics of Envoy Gateway's jsonpatch package:

- ``jsonPath`` finds elements, and ``path`` is appended to the path of every element found.
- An ``add`` at a list element inserts before that element.
- Missing parents are created.
- An ``add`` with neither ``jsonPath`` nor ``path`` adds a whole resource.
- The resource must be valid after every single operation. Otherwise Envoy Gateway skips the operation and reports an
  error in the status.

So no patch turns ``cluster`` of a route's action into ``weighted_clusters``: Envoy Gateway itself generates weighted
clusters, for a backendRef with a filter. See ADR 0140 and ADR 0141.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.errors import ConfigError, InputError
from glidepath.split_leases import leased_workloads
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.backend_adaptation import host_of
from glidepath_ops.envoyconfig.bootstrap import shadow_listener
from glidepath_ops.envoyconfig.commented_yaml import (
    Json,
    comment_moved,
    without_comments,
    without_own_comment,
)
from glidepath_ops.envoyconfig.continued_routes import headers_at_route
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE
from glidepath_ops.envoyconfig.header_rules import RoutedHeader
from glidepath_ops.envoyconfig.internal_hops import hop_listeners
from glidepath_ops.envoyconfig.mesh.added_http_rules import Continued
from glidepath_ops.envoyconfig.mesh.control_plane_versions import refuse_form_for_old_envoy
from glidepath_ops.envoyconfig.mesh.gateway_envoy_proxy import envoy_proxy
from glidepath_ops.envoyconfig.mesh.gateway_route_patches import in_new_route, of_continued, patch
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import GatewayListener, XdsNames, xds_names
from glidepath_ops.envoyconfig.mesh.kubernetes_objects import kubernetes_object
from glidepath_ops.envoyconfig.mesh.mesh_clusters import pushed_clusters
from glidepath_ops.envoyconfig.mesh.new_http_routes import (
    ENVOY_GROUP,
    ENVOY_VERSION,
    GATEWAY_GROUP,
    GATEWAY_VERSION,
    generated_routes,
    new_http_routes,
)

CLUSTER, LISTENER = TYPE + "config.cluster.v3.Cluster", TYPE + "config.listener.v3.Listener"


@dataclass(frozen=True, slots=True)
class GatewayTarget:
    """The Gateway to patch.

    ``gateway_class``: the GatewayClass with mergeGateways that is patched instead of the Gateway.
    ``listeners``: the listeners to which the HTTPRoutes are attached.
    ``xds_names``: v1 or v2.
    ``own_proxy``: whether the user has an EnvoyProxy.
    """

    gateway: str = "eg"
    namespace: str = "default"
    gateway_class: str | None = None
    listeners: tuple[GatewayListener, ...] = (GatewayListener("http"),)
    xds_names: str = "v1"
    image: str = "glidepath"
    own_proxy: bool = False

    @property
    def names(self) -> XdsNames:
        return xds_names(f"{self.namespace}/{self.gateway}", self.listeners, self.xds_names)


@dataclass(frozen=True, slots=True)
class GatewayRoutes:
    """The Envoy routes of each workload.

    ``continued``: by workload, those of the user's HTTPRoutes. ``new``: the workloads without such routes.
    """

    continued: Mapping[str, Continued] = field(default_factory=dict)
    new: tuple[str, ...] = ()


def gateway_resources(config: Config, target: GatewayTarget, routes: GatewayRoutes) -> list[Json]:
    """Return the Kubernetes resources in the order in which to apply them.

    Raises InputError, and ConfigError for settings that Envoy or Kubernetes does not support.
    """
    refuse_form_for_old_envoy(config, "Envoy Gateway")
    _refuse_leases(config, routes)
    for workload, one in routes.continued.items():
        _check_baseline(config, workload, one)
    found = []
    if not target.own_proxy:
        found += [envoy_proxy(config, target.namespace, target.image), _gateway_class(target)]
    sections = [one.name for one in target.listeners]
    found += new_http_routes(config, list(routes.new), target.gateway, sections, target.namespace)
    return [*found, _patch_policy(config, target, routes)]


def _refuse_leases(config: Config, routes: GatewayRoutes) -> None:
    """Raise ConfigError if a split needs a lease but no route of the user would serve the requests without a lease."""
    for name in leased_workloads(config):
        one = routes.continued.get(name)
        if one is None or not one.is_copy:
            raise ConfigError(
                f"workloads.{name}.if_lost: baseline is possible on Envoy Gateway only for a rule that is copied "
                "(--into, from a rule that serves more than the workload): without a lease no route would serve its "
                "requests; set if_lost: hold"
            )


def _check_baseline(config: Config, workload: str, one: Continued) -> None:
    """Raise InputError if the baseline is not the cluster that serves the workload today."""
    name = config.workload(workload).baseline
    backend = config.backends[name]
    if backend.cluster != one.routes.cluster:
        now = f"url: {backend.url}" if backend.url is not None else f"cluster: {backend.cluster}"
        raise InputError(
            f"workloads.{workload}: {one.place}: Envoy Gateway serves it from the cluster {one.routes.cluster}; set "
            f"backends.{name}: {{cluster: {one.routes.cluster}, host: {host_of(backend)}}} in glidepath.yaml, so that "
            f"this cluster continues to serve the baseline (now: {now})"
        )


def _gateway_class(target: GatewayTarget) -> Json:
    reference = {
        "group": ENVOY_GROUP,
        "kind": "EnvoyProxy",
        "name": "glidepath",
        "namespace": target.namespace,
    }
    spec = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller", "parametersRef": reference}
    note = (
        "An example. In your own GatewayClass (or in your Gateway's spec.infrastructure), set parametersRef to the "
        "EnvoyProxy above. If one is set there already, complete it with --into-proxy FILE instead."
    )
    return kubernetes_object("GatewayClass", GATEWAY_VERSION, "glidepath", None, note, spec=spec)


def _patch_policy(config: Config, target: GatewayTarget, routes: GatewayRoutes) -> Json:
    names = target.names
    patches = [
        *(_whole(CLUSTER, cluster) for cluster in pushed_clusters(config, _routed(config, routes))),
        _whole(LISTENER, shadow_listener(config, {name: one.for_copies for name, one in routes.continued.items()})),
        *(_whole(LISTENER, hop) for hop in hop_listeners(config)),
        *(one for name in names.listeners for one in _in_listener(config, name)),
    ]
    for table in names.route_tables:
        patches += [
            one for workload in config.workloads for one in _of_workload(config, workload, target, routes, table)
        ]
    kind, name = ("GatewayClass", target.gateway_class) if target.gateway_class else ("Gateway", target.gateway)
    spec = {
        "targetRef": {"group": GATEWAY_GROUP, "kind": kind, "name": name},
        "type": "JSONPatch",
        "jsonPatches": patches,
    }
    note = (
        "Clusters, the listener for copies, Glidepath's filters (which do nothing except on the routes of workloads), "
        "the access log, and the splits. Without it all requests go to the baseline. It needs "
        "extensionApis.enableEnvoyPatchPolicy in Envoy Gateway's configuration."
    )
    return kubernetes_object("EnvoyPatchPolicy", ENVOY_VERSION, "glidepath", target.namespace, note, spec=spec)


def _routed(config: Config, routes: GatewayRoutes) -> dict[str, Mapping[str, RoutedHeader]]:
    """Return, by aggregate cluster, the effect of the rules of the user's HTTPRoutes on request headers."""
    found: dict[str, Mapping[str, RoutedHeader]] = {}
    for workload, one in routes.continued.items():
        made = headers_at_route(config, workload, [one.header_rules], f"workloads.{workload}: {one.place}")
        if not config.workload(workload).fallback:
            continue
        cluster = config.candidate_cluster(workload)
        if found.setdefault(cluster, made) != made:
            raise InputError(
                f"workloads.{workload}: {one.place}: changes request headers differently from the route of another "
                "workload with the same two backends; give the candidate a second name in backends"
            )
    return found


def _of_workload(config: Config, workload: str, target: GatewayTarget, routes: GatewayRoutes, table: str) -> list[Json]:
    if workload in routes.new:
        found = generated_routes(config, workload, target.namespace)
        return [one for where, copy in found for one in in_new_route(config, workload, where, copy, table)]
    return of_continued(config, workload, routes.continued[workload], table)


def _whole(kind: str, section: Json) -> Json:
    """Return a patch that adds ``section`` as a whole resource. The comment of ``section`` moves to the patch."""
    operation = {"op": "add", "path": "", "value": without_own_comment(section)}
    return comment_moved(section, {"type": kind, "name": section["name"], "operation": operation})


def _in_listener(config: Config, name: str) -> list[Json]:
    """Return the patches of an xDS listener: Glidepath's filters and access log.

    They match filter chains without TLS (default_filter_chain) as well as those with TLS (filter_chains).
    """
    router = f"..http_filters[?(@.name=='{filters.ROUTER}')]"
    manager = f"..filters[?(@.name=='{filters.MANAGER}')].typed_config"
    ours = [without_comments(one) for one in filters.route_filters(config)]
    log = without_comments(filters.access_log(config, envoy_names.LIVE_LOG))
    return [
        *(patch(LISTENER, name, "add", router, "", one) for one in ours),
        patch(LISTENER, name, "add", manager, "/access_log/-", log),
    ]
