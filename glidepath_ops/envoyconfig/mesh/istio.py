"""Istio: EnvoyFilters for a gateway or for sidecars, and what their pods need.

Semantics relied upon, from pilot's envoyfilter package: HTTP_ROUTE INSERT_FIRST without a route match puts a route at
the head of the virtual host, one patch after the other, so the patches stand in reverse order; HTTP_FILTER
INSERT_BEFORE keeps the patches' order; NETWORK_FILTER MERGE appends to the manager's repeated fields; BOOTSTRAP MERGE
is applied by the agent before Envoy starts and only with BOOTSTRAP_XDS_AGENT=true. See ADR 0082.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from glidepath import keys
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.bootstrap import runtime_layers, shadow_listener
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment, without_comments
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
_COUNTERS = [r".*ext_proc.*", r"cluster\.glidepath.*", r"cluster\..*-(or|for)-.*"]  # Istio drops what is not named
_GATEWAY_LABELS = {"istio": "ingressgateway"}


@dataclass(frozen=True, slots=True)
class IstioTarget:
    """Whose Envoys. ``selector``: labels of their pods.

    ``port``: of the listener in the container, for filters and access log; routes go by ``virtual_host``.
    """

    context: Context = "gateway"
    namespace: str = "istio-system"
    selector: Mapping[str, str] = field(default_factory=dict)
    virtual_host: str | None = None
    port: int | None = None
    image: str = "glidepath"


def istio_resources(config: Config, place: IstioTarget) -> list[Json]:
    """To be applied, in this order. Raises InputError where a choice is missing, ConfigError as ``clusters`` does."""
    _check(place)
    found = [_filter(config, place)]
    if uses_rtds(config):
        found.append(_runtime(config, place))
    return found


def _check(place: IstioTarget) -> None:
    if place.context not in CONTEXTS:
        raise InputError(f"--context: unknown context {place.context!r} (allowed: {', '.join(CONTEXTS)})")
    if place.context == "sidecar" and not place.selector:
        raise InputError("--context sidecar needs --workload-selector KEY=VALUE: the pods whose calls are to be split")
    if place.context == "sidecar" and place.virtual_host is None:
        raise InputError(
            "--context sidecar needs --virtual-host, such as llm.models.svc.cluster.local:8000: a sidecar's listener "
            "carries calls to every service (istioctl proxy-config routes POD -o json names them)"
        )


def _labels(place: IstioTarget) -> dict[str, str]:
    return dict(place.selector) or dict(_GATEWAY_LABELS)


def _envoy_filter(name: str, place: IstioTarget, note: str, patches: list[Json]) -> Json:
    spec = {"workloadSelector": {"labels": _labels(place)}, "configPatches": patches}
    return kubernetes_object("EnvoyFilter", VERSION, name, place.namespace, note, spec=spec)


def _filter(config: Config, place: IstioTarget) -> Json:
    patches = [
        *(_patch("CLUSTER", place, "ADD", cluster) for cluster in pushed_clusters(config)),
        _patch("LISTENER", place, "ADD", shadow_listener(config)),
        *_filters(config, place),
        _access_log(config, place),
        *_routes(config, place),
    ]
    note = (
        "Everything that istiod pushes: clusters, the listener for copies, our filters (off but on our routes), the "
        "access log, our routes before those of the VirtualServices. Delete it, and all is as before."
    )
    return _envoy_filter("glidepath", place, note, patches)


def _patch(apply_to: str, place: IstioTarget, operation: str, value: Json, match: Json | None = None) -> Json:
    """A comment on the value becomes the patch's own."""
    where = {"context": CONTEXTS[place.context], **(match or {})}
    patch = {"applyTo": apply_to, "match": where, "patch": {"operation": operation, "value": _bare(value)}}
    return with_comment(value["#"], patch) if "#" in value else patch


def _bare(value: Json) -> Json:
    return {key: section for key, section in value.items() if key != "#"}


def _manager(place: IstioTarget, below: Json | None = None) -> Json:
    listener: Json = {"filterChain": {"filter": {"name": filters.MANAGER, **(below or {})}}}
    if place.port is not None:
        listener = {"portNumber": place.port, **listener}
    return {"listener": listener}


def _filters(config: Config, place: IstioTarget) -> list[Json]:
    router = _manager(place, {"subFilter": {"name": filters.ROUTER}})
    return [_patch("HTTP_FILTER", place, "INSERT_BEFORE", one, router) for one in mesh_filters(config)]


def _access_log(config: Config, place: IstioTarget) -> Json:
    log = filters.access_log(config, keys.LIVE_LOG)
    typed = {"@type": filters.MANAGER_TYPE, "access_log": [_bare(log)]}
    value = with_comment(
        log["#"] + " MERGE adds it to the logs that are there.", {"name": filters.MANAGER, "typed_config": typed}
    )
    return _patch("NETWORK_FILTER", place, "MERGE", value, _manager(place))


def _routes(config: Config, place: IstioTarget) -> list[Json]:
    # not by port: a gateway's routes are matched by the Service's port, its listeners by the container's
    match: Json = {} if place.virtual_host is None else {"routeConfiguration": {"vhost": {"name": place.virtual_host}}}
    routes = mesh_routes(config, own_ids=place.context == "sidecar")
    return [_patch("HTTP_ROUTE", place, "INSERT_FIRST", route, match) for route in reversed(routes)]


def _runtime(config: Config, place: IstioTarget) -> Json:
    layers = [without_comments(layer) for layer in runtime_layers(config) if "rtds_layer" in layer]
    value = with_comment(
        "Lands after Istio's admin layer, so what the scorer pushes wins over /runtime_modify: pause it by "
        "`glidepath`, not by curl. Values at start are the routes' own weights.",
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
        "Weights pushed by the scorer. Read when a pod starts, and only with BOOTSTRAP_XDS_AGENT (see the pod's patch)."
    )
    return _envoy_filter("glidepath-runtime", place, note, [patch])


def istio_pod(config: Config, place: IstioTarget) -> Json:
    """A strategic-merge patch for the Deployment whose pods carry these Envoys."""
    proxy: Json = {"name": "istio-proxy", "image": "auto", "volumeMounts": [socket_mount()]}
    secrets = secret_variables(config)
    if secrets:
        proxy["env"] = secrets
    spec = {
        "securityContext": {"fsGroup": GROUP},
        "initContainers": [extproc_container(place.image)],
        "containers": [proxy],
        "volumes": pod_volumes(),
    }
    note = (
        "kubectl patch deployment NAME --patch-file THIS (strategic merge; the injector completes istio-proxy). "
        "Needs the ConfigMap glidepath-config and the Secret glidepath-redis of deploy/kubernetes"
        + (", and the Secret glidepath-credentials." if secrets else ".")
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
