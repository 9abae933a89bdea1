"""What both meshes need: our filters at rest, routes that wake them, and the pod's second container."""

from __future__ import annotations

import re
from typing import Any

from glidepath import keys
from glidepath.config.root import Config
from glidepath.errors import ConfigError
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.routes import workload_routes
from glidepath_ops.envoyconfig.snippets import TYPE, Json, noted, plain

MANAGER = "envoy.filters.network.http_connection_manager"
MANAGER_TYPE = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.filters.http.router"
SOCKETS = "/run/glidepath"  # where the examples' extproc and Envoy meet
CONFIGURATION = "/etc/glidepath"
GROUP = 10001  # extproc's; as the pod's fsGroup it owns the sockets' folder, whatever user Envoy runs as
POD_LABELS = {"glidepath/extproc": "enabled"}  # what the NetworkPolicies of deploy/kubernetes go by
PRIVATE_HEADERS = [*filters.TEE_HEADERS, keys.HEADER_CLUSTER]
_ON: Json = {"@type": TYPE + "config.route.v3.FilterConfig", "config": {}}
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def kubernetes_name(text: str, place: str) -> str:
    """``text``, if Kubernetes takes it as a name (RFC 1123 label). Raises ConfigError."""
    if not _LABEL.fullmatch(text):
        raise ConfigError(f"{place}: Kubernetes takes no such name (got {text!r}; allowed: a-z, 0-9 and -, at most 63)")
    return text


def sleeping_filters(config: Config, *, ext_proc: bool = True) -> list[Json]:
    """Our filters in their order, off wherever no route of ours switches them on.

    The header mutation stands before ext_proc here: on a mesh it may give the request an id, or name the chosen side.
    """
    found = [filters.remember_filter(config), filters.header_mutation_filter()]
    if ext_proc:
        found.append(filters.ext_proc_filter(config))
    return [{"name": one["name"], "disabled": True, "typed_config": plain(one)["typed_config"]} for one in found]


def woken_routes(config: Config, *, own_ids: bool = False) -> list[Json]:
    """Our routes, in order, with our filters on. ``own_ids``: the request gets an id of its own."""
    return [_woken(route, own_ids) for route in workload_routes(config)]


def _woken(route: Json, own_ids: bool) -> Json:
    wanted: Json = {name: dict(_ON) for name in (filters.REMEMBER, filters.HEADER_MUTATION, filters.EXT_PROC)}
    if own_ids:
        wanted[filters.HEADER_MUTATION] = own_id()
    wanted |= route.get("typed_per_filter_config", {})
    headers = [*route["request_headers_to_remove"], *PRIVATE_HEADERS]
    return {**route, "typed_per_filter_config": wanted, "request_headers_to_remove": headers}


def own_id() -> Json:
    """Pairs are kept by the request id, and an application may send one id with several calls. See ADR 0083."""
    return {"@type": _ON["@type"], "config": set_header("x-request-id", "%UNIQUE_ID%")}


def set_header(name: str, value: str) -> Json:
    """Per-route configuration of a header mutation."""
    mutation = {"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    return {
        "@type": TYPE + "extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
        "mutations": {"request_mutations": [mutation]},
    }


def pushed_clusters(config: Config) -> list[Json]:
    """Those that the control plane hands out: all but the RTDS server's, which Envoy needs from its start."""
    return [cluster for cluster in clusters(config) if cluster["name"] != keys.RTDS_CLUSTER]


def rtds_cluster(config: Config) -> Json:
    """The scorers as Envoy's pod finds them: ``envoy.rtds_address``, or deploy/kubernetes' headless Service."""
    envoy = config.envoy
    if envoy.rtds_address is None:
        service = f"glidepath-rtds.glidepath.svc.cluster.local:{envoy.rtds_listen.rpartition(':')[2]}"
        config = config.model_copy(update={"envoy": envoy.model_copy(update={"rtds_address": service})})
    found: Json = next(plain(one) for one in clusters(config) if one["name"] == keys.RTDS_CLUSTER)
    return found


def with_rtds(config: Config) -> bool:
    return config.envoy.actuator == "rtds"


def extproc_container(image: str) -> Json:
    """Beside Envoy in its pod: bodies pass over a Unix socket, copies over loopback (deploy/kubernetes/sidecar)."""
    port = "extproc-metrics"
    container = {
        "name": "extproc",
        "image": image,
        "args": ["extproc"],
        "restartPolicy": "Always",
        "ports": [{"name": port, "containerPort": 9464}],
        "startupProbe": {"httpGet": {"path": "/readyz", "port": port}, "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": port}, "periodSeconds": 10, "timeoutSeconds": 3},
        "resources": {
            "requests": {"cpu": "250m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": GROUP,
            "runAsGroup": GROUP,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "glidepath-config", "mountPath": CONFIGURATION, "readOnly": True},
            {"name": "glidepath-redis", "mountPath": "/run/secrets/glidepath/redis", "readOnly": True},
            socket_mount(),
            {"name": "glidepath-tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }
    note = "A native sidecar (Kubernetes 1.29). It reads its configuration from the ConfigMap glidepath-config."
    return noted(note, container)


def socket_mount() -> Json:
    return {"name": "glidepath-sockets", "mountPath": SOCKETS}


def pod_volumes() -> list[Json]:
    return [
        {"name": "glidepath-config", "configMap": {"name": "glidepath-config"}},
        {"name": "glidepath-redis", "secret": {"secretName": "glidepath-redis", "defaultMode": 0o440}},
        {"name": "glidepath-sockets", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "glidepath-tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]


def secret_variables(config: Config) -> list[Json]:
    """The credentials that Envoy reads from its environment, from the Secret ``glidepath-credentials``."""
    names = sorted({b.credential.env for b in config.backends.values() if b.credential and b.credential.env})
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": "glidepath-credentials", "key": name}}} for name in names
    ]


def resource(kind: str, version: str, name: str, namespace: str | None, note: str, **sections: Any) -> Json:
    """A Kubernetes object with a comment on top."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return noted(note, {"apiVersion": version, "kind": kind, "metadata": metadata, **sections})
