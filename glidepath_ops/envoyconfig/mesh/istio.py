"""Render the resources for Istio: EnvoyFilters for a gateway or for sidecars, and a patch for their pods.

The EnvoyFilters rely on these semantics of pilot's envoyfilter package. HTTP_ROUTE INSERT_FIRST without a route match
inserts each route at the start of the virtual host, so the route patches are in reverse order. HTTP_FILTER
INSERT_BEFORE keeps the order of the patches. NETWORK_FILTER MERGE appends to the repeated fields of the HTTP connection
manager. The agent applies BOOTSTRAP MERGE before Envoy starts, and only with BOOTSTRAP_XDS_AGENT=true. See ADR 0082.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.errors import InputError
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
from glidepath_ops.envoyconfig.mesh.mesh_routes import mesh_filters, mesh_routes

Context = Literal["gateway", "sidecar"]
CONTEXTS: Mapping[str, str] = {"gateway": "GATEWAY", "sidecar": "SIDECAR_OUTBOUND"}
VERSION = "networking.istio.io/v1alpha3"
_COUNTERS = [
    r".*ext_proc.*",
    r"cluster\.glidepath.*",
    r"cluster\..*-(or|for)-.*",
]  # Istio publishes only counters that match
_GATEWAY_LABELS = {"istio": "ingressgateway"}


@dataclass(frozen=True, slots=True)
class IstioTarget:
    """The Envoys to patch, which run in the pods with the labels ``selector``.

    ``port`` is the container port of the listener that gets the filters and the access log. ``virtual_host`` is the
    name of the virtual host that gets the routes.
    """

    context: Context = "gateway"
    namespace: str = "istio-system"
    selector: Mapping[str, str] = field(default_factory=dict)
    virtual_host: str | None = None
    port: int | None = None
    image: str = "glidepath"


def istio_resources(config: Config, target: IstioTarget) -> list[Json]:
    """Return the Kubernetes resources in the order in which to apply them.

    Raises InputError if a required option is missing, and ConfigError for settings that Envoy does not support.
    """
    _check(target)
    found = [_filter(config, target)]
    if uses_rtds(config):
        found.append(_runtime(config, target))
    return found


def _check(target: IstioTarget) -> None:
    if target.context not in CONTEXTS:
        raise InputError(f"--context: unknown context {target.context!r} (allowed: {', '.join(CONTEXTS)})")
    if target.context == "sidecar" and not target.selector:
        raise InputError(
            "--context sidecar needs --workload-selector KEY=VALUE, a label of the pods whose calls are split"
        )
    if target.context == "sidecar" and target.virtual_host is None:
        raise InputError(
            "--context sidecar needs --virtual-host, e.g. llm.models.svc.cluster.local:8000, because a sidecar's "
            "listener serves calls to every service (`istioctl proxy-config routes POD -o json` lists them)"
        )


def _labels(target: IstioTarget) -> dict[str, str]:
    return dict(target.selector) or dict(_GATEWAY_LABELS)


def _envoy_filter(name: str, target: IstioTarget, note: str, patches: list[Json]) -> Json:
    spec = {"workloadSelector": {"labels": _labels(target)}, "configPatches": patches}
    return kubernetes_object("EnvoyFilter", VERSION, name, target.namespace, note, spec=spec)


def _filter(config: Config, target: IstioTarget) -> Json:
    patches = [
        *(_patch("CLUSTER", target, "ADD", cluster) for cluster in pushed_clusters(config)),
        _patch("LISTENER", target, "ADD", shadow_listener(config)),
        *_filters(config, target),
        _access_log(config, target),
        *_routes(config, target),
    ]
    note = (
        "Everything that istiod pushes: clusters, the listener for copies, Glidepath's filters (disabled except on its "
        "routes), the access log, and its routes before those of the VirtualServices. Deleting this resource removes "
        "all of them."
    )
    return _envoy_filter("glidepath", target, note, patches)


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
    return [_patch("HTTP_FILTER", target, "INSERT_BEFORE", one, router) for one in mesh_filters(config)]


def _access_log(config: Config, target: IstioTarget) -> Json:
    log = filters.access_log(config, envoy_names.LIVE_LOG)
    typed = {"@type": filters.MANAGER_TYPE, "access_log": [without_own_comment(log)]}
    value = with_comment(
        log[NOTE] + " MERGE adds it to the existing logs.", {"name": filters.MANAGER, "typed_config": typed}
    )
    return _patch("NETWORK_FILTER", target, "MERGE", value, _manager(target))


def _routes(config: Config, target: IstioTarget) -> list[Json]:
    # The match has no port: Istio matches a gateway's routes by the Service's port, its listeners by the container's.
    match: Json = (
        {} if target.virtual_host is None else {"routeConfiguration": {"vhost": {"name": target.virtual_host}}}
    )
    routes = mesh_routes(config, own_ids=target.context == "sidecar")
    return [_patch("HTTP_ROUTE", target, "INSERT_FIRST", route, match) for route in reversed(routes)]


def _runtime(config: Config, target: IstioTarget) -> Json:
    layers = [without_comments(layer) for layer in runtime_layers(config) if "rtds_layer" in layer]
    value = with_comment(
        "It comes after Istio's admin layer, so the scorer's values override /runtime_modify: use `glidepath hold` "
        "instead of curl. Until the scorer writes, the routes' own weights apply.",
        {
            "layered_runtime": {"layers": layers},
            "static_resources": {"clusters": [rtds_cluster(config)]},
        },
    )
    patch = {
        "applyTo": "BOOTSTRAP",
        "match": {"context": "ANY"},
        "patch": {"operation": "MERGE", "value": value},
    }
    note = (
        "Weights pushed by the scorer. It is read when a pod starts, and only with BOOTSTRAP_XDS_AGENT (see the pod's "
        "patch)."
    )
    return _envoy_filter("glidepath-runtime", target, note, [patch])


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
