"""Render the resources for Envoy Gateway.

They are HTTPRoutes, an EnvoyPatchPolicy that patches the generated Envoy configuration (xDS), and an EnvoyProxy with
runtime layers. The patches rely on these semantics of Envoy Gateway's jsonpatch package: ``jsonPath`` finds elements,
and ``path`` is appended to the path of every element found. An ``add`` at a list element inserts before that element.
Missing parents are created. An ``add`` with neither ``jsonPath`` nor ``path`` adds a whole resource. The resource must
be valid after every single operation; otherwise Envoy Gateway skips the operation and reports an error in the status.

See ADR 0080 and ADR 0081.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.bootstrap import runtime_layers, shadow_listener
from glidepath_ops.envoyconfig.commented_yaml import (
    Json,
    comment_moved,
    with_comment,
    without_comments,
    without_own_comment,
)
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE, set_header
from glidepath_ops.envoyconfig.mesh.extproc_sidecar import (
    GROUP,
    POD_LABELS,
    extproc_container,
    pod_volumes,
    secret_variables,
    socket_mount,
)
from glidepath_ops.envoyconfig.mesh.gateway_api import (
    ENVOY_GROUP,
    ENVOY_VERSION,
    GATEWAY_GROUP,
    GATEWAY_VERSION,
    captured_routes,
    generated_route,
    http_routes,
    route_object,
)
from glidepath_ops.envoyconfig.mesh.kubernetes_objects import kubernetes_object
from glidepath_ops.envoyconfig.mesh.mesh_clusters import pushed_clusters, rtds_cluster, uses_rtds
from glidepath_ops.envoyconfig.mesh.mesh_routes import mesh_filters, mesh_routes

Capture = Literal["patch", "policy"]
CAPTURES = ("patch", "policy")
CLUSTER, LISTENER = TYPE + "config.cluster.v3.Cluster", TYPE + "config.listener.v3.Listener"
ROUTES = TYPE + "config.route.v3.RouteConfiguration"
EXTPROC_BACKEND = "glidepath-extproc"


@dataclass(frozen=True, slots=True)
class GatewayTarget:
    """The Gateway to patch.

    ``listener`` is the name of its listener. ``capture`` says how ext_proc is added: by a patch or by a policy.
    ``xds_name`` is Envoy Gateway's name of the xDS listener and its routes, if it is not
    NAMESPACE/GATEWAY/LISTENER.
    """

    gateway: str = "eg"
    namespace: str = "default"
    listener: str = "http"
    capture: Capture = "patch"
    image: str = "glidepath"
    xds_name: str | None = None

    @property
    def xds(self) -> str:
        return self.xds_name or f"{self.namespace}/{self.gateway}/{self.listener}"


def gateway_resources(config: Config, target: GatewayTarget) -> list[Json]:
    """Return the Kubernetes resources in the order in which to apply them.

    Raises InputError for an unknown ``capture``, and ConfigError for settings that Envoy or Kubernetes does not
    support.
    """
    if target.capture not in CAPTURES:
        raise InputError(f"--capture: unknown value {target.capture!r} (allowed: {', '.join(CAPTURES)})")
    found = [_proxy(config, target), _gateway_class(target)]
    found += http_routes(config, target.gateway, target.listener, target.namespace)
    if target.capture == "policy":
        found += _extension_policy(config, target)
    return [*found, _patch_policy(config, target)]


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
        "EnvoyProxy above, or merge it into the EnvoyProxy that is set there."
    )
    return kubernetes_object("GatewayClass", GATEWAY_VERSION, "glidepath", None, note, spec=spec)


def _proxy(config: Config, target: GatewayTarget) -> Json:
    layers = [without_comments(layer) for layer in runtime_layers(config)]
    patches = [{"op": "add", "path": "/layered_runtime/layers/-", "value": layer} for layer in layers]
    if uses_rtds(config):
        cluster = rtds_cluster(config)
        patches.insert(0, {"op": "add", "path": "/static_resources/clusters/-", "value": cluster})
    container: Json = {"volumeMounts": [socket_mount()]}
    if secrets := secret_variables(config):
        container["env"] = secrets
    pod = {
        "labels": dict(POD_LABELS),
        "securityContext": {"fsGroup": GROUP},
        "volumes": pod_volumes(),
    }
    spec = {
        "bootstrap": {"type": "JSONPatch", "jsonPatches": patches},
        "provider": {
            "type": "Kubernetes",
            "kubernetes": {
                "envoyDeployment": {
                    "container": container,
                    "pod": pod,
                    "initContainers": [extproc_container(target.image)],
                }
            },
        },
    }
    note = (
        "Envoy's bootstrap and pod: runtime layers (Envoy Gateway has no changeable ones), and extproc as a sidecar. "
        "Changing it replaces the pods."
    )
    return kubernetes_object("EnvoyProxy", ENVOY_VERSION, "glidepath", target.namespace, note, spec=spec)


def _extension_policy(config: Config, target: GatewayTarget) -> list[Json]:
    paths = [one.removeprefix("unix:") for one in config.extproc.addresses if one.startswith("unix:")]
    if len(paths) < len(config.extproc.addresses):
        raise InputError("--capture policy: extproc must listen on Unix sockets (extproc.listen: unix:/…)")
    backend = kubernetes_object(
        "Backend",
        ENVOY_VERSION,
        EXTPROC_BACKEND,
        target.namespace,
        "extproc, in Envoy's pod.",
        spec={
            "endpoints": [{"unix": {"path": path}} for path in paths],
            "appProtocols": ["gateway.envoyproxy.io/h2c"],
        },
    )
    policy = kubernetes_object(
        "EnvoyExtensionPolicy",
        ENVOY_VERSION,
        "glidepath",
        target.namespace,
        "Adds ext_proc through Envoy Gateway's own API. The API has no xds.cluster_name, so the patches set a header "
        "with the chosen side. It also sends credentials to extproc, which discards them unread.",
        spec={
            "targetRefs": [
                {"group": GATEWAY_GROUP, "kind": "HTTPRoute", "name": route_object(name, captured=True)}
                for name in config.workloads
            ],
            "extProc": [_ext_proc()],
        },
    )
    return [backend, policy]


def _ext_proc() -> Json:
    return {
        "backendRefs": [{"group": ENVOY_GROUP, "kind": "Backend", "name": EXTPROC_BACKEND}],
        "failOpen": True,
        "shadowMode": True,
        "processingMode": {
            "request": {"body": "Streamed", "attributes": ["xds.route_name"]},
            "response": {
                "body": "Streamed",
                "attributes": [name for name in filters.RESPONSE_ATTRIBUTES if not name.startswith("xds.")],
            },
        },
    }


def _patch_policy(config: Config, target: GatewayTarget) -> Json:
    patches = [
        *(_whole(CLUSTER, cluster) for cluster in pushed_clusters(config)),
        _whole(LISTENER, shadow_listener(config)),
        *_in_listener(config, target),
        *(one for name, captured, _ in captured_routes(config) for one in _in_route(config, target, name, captured)),
    ]
    spec = {
        "targetRef": {"group": GATEWAY_GROUP, "kind": "Gateway", "name": target.gateway},
        "type": "JSONPatch",
        "jsonPatches": patches,
    }
    note = (
        "Clusters, the listener for copies, Glidepath's filters (disabled except on its routes), the access log, and "
        "the splits of the routes that come from its HTTPRoutes. Without it these routes serve only the baseline. It "
        "needs extensionApis.enableEnvoyPatchPolicy and enableBackend in Envoy Gateway's configuration."
    )
    return kubernetes_object("EnvoyPatchPolicy", ENVOY_VERSION, "glidepath", target.namespace, note, spec=spec)


def _whole(kind: str, section: Json) -> Json:
    """Return a patch that adds ``section`` as a whole resource. The comment of ``section`` moves to the patch."""
    operation = {"op": "add", "path": "", "value": without_own_comment(section)}
    return comment_moved(section, {"type": kind, "name": section["name"], "operation": operation})


def _patch(kind: str, name: str, op: str, where: str, path: str, value: Any) -> Json:
    return {"type": kind, "name": name, "operation": {"op": op, "jsonPath": where, "path": path, "value": value}}


def _in_listener(config: Config, target: GatewayTarget) -> list[Json]:
    """Return the patches of the Gateway's listener: Glidepath's filters and access log.

    They match a listener without TLS (default_filter_chain) as well as one with TLS (filter_chains).
    """
    router = f"..http_filters[?(@.name=='{filters.ROUTER}')]"
    manager = f"..filters[?(@.name=='{filters.MANAGER}')].typed_config"
    ours = mesh_filters(config, ext_proc=target.capture == "patch")
    found = [_patch(LISTENER, target.xds, "add", router, "", one) for one in ours]
    if target.capture == "policy":
        # Envoy Gateway inserts its ext_proc somewhere before the router; the header must be set before ext_proc.
        mutation = next(one for one in ours if one["name"] == filters.HEADER_MUTATION)
        found.remove(_patch(LISTENER, target.xds, "add", router, "", mutation))
        found.append(_patch(LISTENER, target.xds, "add", manager, "/http_filters/0", mutation))
    log = without_comments(filters.access_log(config, envoy_names.LIVE_LOG))
    return [*found, _patch(LISTENER, target.xds, "add", manager, "/access_log/-", log)]


def _in_route(config: Config, target: GatewayTarget, workload: str, captured: bool) -> list[Json]:
    """Return the patches of one generated route. Settings that the user's policies have added to the route stay."""
    name = envoy_names.route_name(workload, captured)
    ours = next(without_comments(route) for route in mesh_routes(config) if route["name"] == name)
    where = f"..routes[?(@.name =~ '{generated_route(target.namespace, workload, captured)}')]"

    def patch(op: str, path: str, value: Any) -> Json:
        return _patch(ROUTES, target.xds, op, where, path, value)

    found = [
        with_comment(f"{name}: the split.", patch("replace", "/route", _action(ours["route"], target))),
        patch("add", "/request_body_buffer_limit", ours["request_body_buffer_limit"]),
    ]
    found += [patch("add", "/request_headers_to_remove/-", one) for one in ours["request_headers_to_remove"]]
    for filter_name, section in ours["typed_per_filter_config"].items():
        if filter_name != filters.EXT_PROC or (captured and target.capture == "patch"):
            found.append(patch("add", f"/typed_per_filter_config/{filter_name}", section))
    if captured:
        found.append(patch("add", "/match/runtime_fraction", ours["match"]["runtime_fraction"]))
    return [
        *found,
        with_comment(
            "The last patch, because the others find the route by its old name.", patch("replace", "/name", name)
        ),
    ]


def _action(action: Json, target: GatewayTarget) -> Json:
    """Return the action of a route.

    With ``capture: policy``, ext_proc cannot read xds.cluster_name. Therefore each entry of the weighted split sets
    a request header with the name of its cluster.
    """
    if target.capture == "patch":
        return action
    entries = [_with_name_header(entry) for entry in action["weighted_clusters"]["clusters"]]
    return {**action, "weighted_clusters": {**action["weighted_clusters"], "clusters": entries}}


def _with_name_header(entry: Json) -> Json:
    naming = set_header(envoy_names.HEADER_CLUSTER, entry["name"])
    own = entry.get("typed_per_filter_config", {})
    before = own.get(filters.HEADER_MUTATION, {}).get("mutations", {}).get("request_mutations", [])
    naming["mutations"]["request_mutations"] += before
    return {**entry, "typed_per_filter_config": {**own, filters.HEADER_MUTATION: naming}}
