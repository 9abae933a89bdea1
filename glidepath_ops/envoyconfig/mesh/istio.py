"""Renders the resources for Istio: an EnvoyFilter for a gateway or for sidecars, and a patch for their pods.

The EnvoyFilter relies on these semantics of pilot's envoyfilter package:

- HTTP_ROUTE MERGE finds a route by the name that its VirtualService gives it, and merges protobuf messages.
  ``weighted_clusters`` replaces ``cluster`` (both are in one oneof). A repeated field gets further items. An entry of a
  map replaces the entry of the same key. All else stays.
- HTTP_FILTER INSERT_BEFORE keeps the order of the patches.
- NETWORK_FILTER MERGE appends to the repeated fields of the HTTP connection manager.
- The agent applies BOOTSTRAP MERGE before Envoy starts, and only with BOOTSTRAP_XDS_AGENT=true.

Istio's own bootstrap has the extension for listeners inside Envoy. See ADR 0082, ADR 0142 and ADR 0205.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.errors import ConfigError, InputError
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.bootstrap import runtime_layers, shadow_listener
from glidepath_ops.envoyconfig.commented_yaml import (
    NOTE,
    Json,
    comment_moved,
    with_comment,
    without_comments,
    without_own_comment,
)
from glidepath_ops.envoyconfig.extensions import refuse_missing_extensions
from glidepath_ops.envoyconfig.internal_hops import hop_listeners
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import ContinuedRoutes, SplitRoute
from glidepath_ops.envoyconfig.mesh.control_plane_versions import refuse_form_for_old_envoy
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import (
    CopyKind,
    conditions_of,
    removed_headers,
    sticky_of,
    unsplit_settings,
)
from glidepath_ops.envoyconfig.mesh.extproc_sidecar import (
    GROUP,
    POD_LABELS,
    extproc_container,
    pod_volumes,
    secret_variables,
    socket_mount,
)
from glidepath_ops.envoyconfig.mesh.kubernetes_objects import kubernetes_object
from glidepath_ops.envoyconfig.mesh.mesh_clusters import pushed_clusters, rtds_cluster, uses_rtds
from glidepath_ops.envoyconfig.route_metadata import route_metadata
from glidepath_ops.envoyconfig.sticky_hash_policy import hash_policy
from glidepath_ops.envoyconfig.weighted_split import buffer_limit, weighted_clusters

Context = Literal["gateway", "sidecar"]
CONTEXTS: Mapping[str, str] = {"gateway": "GATEWAY", "sidecar": "SIDECAR_OUTBOUND"}
VERSION = "networking.istio.io/v1alpha3"
_COUNTERS = [
    r".*ext_proc.*",
    r".*grpc_access_log.*",
    r"cluster\.glidepath.*",
    r"cluster\..*-or-.*",
]  # Istio publishes only counters that match
_GATEWAY_LABELS = {"istio": "ingressgateway"}


@dataclass(frozen=True, slots=True)
class IstioTarget:
    """The Envoys to patch, which run in the pods with the labels ``selector``.

    ``port`` is the container port of the listener that gets the filters and the access log.
    """

    context: Context = "gateway"
    namespace: str = "istio-system"
    selector: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    image: str = "glidepath"


def istio_resources(config: Config, target: IstioTarget, routes: ContinuedRoutes) -> list[Json]:
    """Return the Kubernetes resources. All patches are in one EnvoyFilter, so that they are applied together.

    A new VirtualService, for a host that has none, comes before the EnvoyFilter.

    ``routes``: the routes whose destination becomes a split. Raises InputError if a required option is missing, and
    ConfigError for settings that Istio's Envoy does not support.
    """
    _check(target)
    refuse_form_for_old_envoy(config, "Istio")
    refuse_missing_extensions(config, "istio")
    for workload in config.workloads.values():
        _refuse_url(config, workload.baseline)
    patches = [
        *([_bootstrap(config)] if uses_rtds(config) else []),
        *(_patch("CLUSTER", target, "ADD", cluster) for cluster in pushed_clusters(config, routes.routed)),
        _patch("LISTENER", target, "ADD", shadow_listener(config, routes.for_copies)),
        *(_patch("LISTENER", target, "ADD", hop) for hop in hop_listeners(config)),
        *_filters(config, target),
        _access_log(config, target),
        *(_patched(config, target, route, routes.hashed) for route in routes.routes),
    ]
    note = (
        "Clusters, the listener for copies, Glidepath's filters (which do nothing on other routes), the access log, "
        "and the split of each route that continues one of the user's. Deleting this resource removes all of them; "
        "the routes then serve as before."
    )
    spec = {"workloadSelector": {"labels": _labels(target)}, "configPatches": patches}
    return [
        *routes.resources,
        kubernetes_object("EnvoyFilter", VERSION, "glidepath", target.namespace, note, spec=spec),
    ]


def _check(target: IstioTarget) -> None:
    if target.context not in CONTEXTS:
        raise InputError(f"--context: unknown context {target.context!r} (allowed: {', '.join(CONTEXTS)})")
    if target.context == "sidecar" and not target.selector:
        raise InputError(
            "--context sidecar needs --workload-selector KEY=VALUE, a label of the pods whose calls are split"
        )


def _refuse_url(config: Config, baseline: str) -> None:
    backend = config.backends[baseline]
    if backend.cluster is None:
        raise ConfigError(
            f"backends.{baseline}: on Istio the cluster of the route continues to serve the baseline: set cluster "
            "(such "
            f'as "outbound|443||api.example.com") and host instead of url (now: {backend.url})'
        )


def _labels(target: IstioTarget) -> dict[str, str]:
    return dict(target.selector) or dict(_GATEWAY_LABELS)


def _patch(apply_to: str, target: IstioTarget, operation: str, value: Json, match: Json | None = None) -> Json:
    """Return an EnvoyFilter patch that applies ``operation`` with ``value``.

    The comment of ``value`` becomes the comment of the patch.
    """
    where = {"context": CONTEXTS[target.context], **(match or {})}
    patch = {"operation": operation, "value": without_own_comment(value)}
    return comment_moved(value, {"applyTo": apply_to, "match": where, "patch": patch})


def _manager(target: IstioTarget, below: Json | None = None) -> Json:
    listener: Json = {"filterChain": {"filter": {"name": filters.MANAGER, **(below or {})}}}
    if target.port is not None:
        listener = {"portNumber": target.port, **listener}
    return {"listener": listener}


def _filters(config: Config, target: IstioTarget) -> list[Json]:
    router = _manager(target, {"subFilter": {"name": filters.ROUTER}})
    return [_patch("HTTP_FILTER", target, "INSERT_BEFORE", one, router) for one in filters.route_filters(config)]


def _access_log(config: Config, target: IstioTarget) -> Json:
    log = filters.access_log(config, envoy_names.LIVE_LOG)
    typed = {"@type": filters.MANAGER_TYPE, "access_log": [without_own_comment(log)]}
    value = with_comment(
        log[NOTE] + " MERGE adds it to the existing logs.", {"name": filters.MANAGER, "typed_config": typed}
    )
    return _patch("NETWORK_FILTER", target, "MERGE", value, _manager(target))


def _patched(config: Config, target: IstioTarget, route: SplitRoute, hashed: Collection[str]) -> Json:
    """Return the patch of a route. MERGE adds its conditions to those of the VirtualService.

    The patch names no port: Istio finds a gateway's routes by the port of the Service, but its listeners by the port of
    the container.
    """
    value = _split(config, target, route, hashed) if route.copy.splits else _unsplit(config, route)
    if condition := conditions_of(config, route.workload, route.copy):
        value["match"] = condition
    if route.operation is not None:
        value["decorator"] = {"operation": route.operation}
    place = {"routeConfiguration": {"vhost": {"route": {"name": route.name}}}}
    return _patch("HTTP_ROUTE", target, "MERGE", value, place)


def _split(config: Config, target: IstioTarget, route: SplitRoute, hashed: Collection[str]) -> Json:
    """Return the route fields that turn the destination of a route into the split of its workload.

    ``hashed``: the workloads whose route already has a hash policy of the user.
    """
    sticky = sticky_of(config, route.workload, route.copy)
    split = weighted_clusters(config, route.workload, route.copy.limit, hashes=sticky is not None)
    action: Json = {"weighted_clusters": split}
    if sticky is not None and route.workload not in hashed:
        action["hash_policy"] = [hash_policy(sticky)]
    own_ids = target.context == "sidecar"
    which = "for requests without a sticky value, " if route.copy.at_random else ""
    which += "for answers that are not streamed, " if route.copy.limit is not None else ""
    return with_comment(
        f"Workload {route.workload}: {which}its route, which continues one of the user's, splits between the candidate "
        "and the cluster that the route had.",
        {
            "route": action,
            "metadata": route_metadata(config, route.workload),
            "typed_per_filter_config": filters.filters_of_route(config, route.workload, own_ids=own_ids),
            **buffer_limit(config, route.workload),
            **removed_headers(config, route.copy),
        },
    )


_PURPOSES: Mapping[CopyKind, str] = {
    CopyKind.KEPT: "requests that the candidate cannot serve are routed as before",
    CopyKind.PINNED: "requests that need or make state, or that cannot be read, are routed as before",
    CopyKind.READER: "each request is read here first; then Envoy chooses its route again",
    CopyKind.REST: "other requests that were read are routed as before",
}


def _unsplit(config: Config, route: SplitRoute) -> Json:
    text = f"Workload {route.workload}: {_PURPOSES[route.copy.kind]}."
    return with_comment(text, unsplit_settings(config, route.copy))


def _bootstrap(config: Config) -> Json:
    layers = [without_comments(layer) for layer in runtime_layers(config) if "rtds_layer" in layer]
    value = {
        "layered_runtime": {"layers": layers},
        "static_resources": {"clusters": [rtds_cluster(config)]},
    }
    note = (
        "Weights pushed by the scorer, read when a pod starts, and only with BOOTSTRAP_XDS_AGENT (see the pod's "
        "patch). The layer comes after Istio's admin layer, so the scorer's values override /runtime_modify: use "
        "`glidepath hold` instead of curl. Until the scorer writes, the routes' own weights apply."
    )
    patch = {
        "applyTo": "BOOTSTRAP",
        "match": {"context": "ANY"},
        "patch": {"operation": "MERGE", "value": value},
    }
    return with_comment(note, patch)


def istio_pod(config: Config, target: IstioTarget) -> Json:
    """Return the patch (a strategic merge) that adds extproc to the Deployment of the Envoys' pods."""
    proxy: Json = {"name": "istio-proxy", "image": "auto", "volumeMounts": [socket_mount()]}
    secrets = secret_variables(config)
    if secrets:
        proxy["env"] = secrets
    spec = {
        "securityContext": {"fsGroup": GROUP},
        "initContainers": [extproc_container(target.image)],
        "containers": [proxy],
        "volumes": pod_volumes(),
    }
    note = (
        "Apply it with kubectl patch deployment NAME --patch-file FILE (a strategic merge; Istio's injector completes "
        "the istio-proxy container). It needs the ConfigMap glidepath-config and the Secret glidepath-redis of "
        "deploy/kubernetes" + (", and the Secret glidepath-credentials." if secrets else ".")
    )
    proxy_config: Json = {"proxyStatsMatcher": {"inclusionRegexps": _COUNTERS}}
    if uses_rtds(config):
        proxy_config["proxyMetadata"] = {"BOOTSTRAP_XDS_AGENT": "true"}
    annotations = {"proxy.istio.io/config": json.dumps(proxy_config)}
    return with_comment(
        note,
        {
            "spec": {
                "template": {
                    "metadata": {"labels": dict(POD_LABELS), "annotations": annotations},
                    "spec": spec,
                }
            }
        },
    )
