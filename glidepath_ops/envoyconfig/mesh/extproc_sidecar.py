"""Renders extproc as a native sidecar container of Envoy's pod: the container, its volumes, labels and secrets."""

from __future__ import annotations

from glidepath.config.root import Config
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment

SOCKETS = "/run/glidepath"  # folder of the Unix socket on which extproc serves Envoy, in the examples
CONFIGURATION = "/etc/glidepath"
GROUP = 10001  # extproc's group; as the pod's fsGroup it owns the sockets' folder, whatever user Envoy runs as
POD_LABELS = {"glidepath/extproc": "enabled"}  # selected by the NetworkPolicies of deploy/kubernetes


def extproc_container(image: str) -> Json:
    """Return the container of extproc.

    Envoy sends bodies to it over a Unix socket, and it sends copies to Envoy over loopback (see
    deploy/kubernetes/sidecar).
    """
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
        "securityContext": _security_context(),
        "volumeMounts": [
            {"name": "glidepath-config", "mountPath": CONFIGURATION, "readOnly": True},
            {"name": "glidepath-redis", "mountPath": "/run/secrets/glidepath/redis", "readOnly": True},
            socket_mount(),
            {"name": "glidepath-tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }
    note = "A native sidecar (Kubernetes 1.29). It reads its configuration from the ConfigMap glidepath-config."
    return with_comment(note, container)


def _security_context() -> Json:
    return {
        "runAsNonRoot": True,
        "runAsUser": GROUP,
        "runAsGroup": GROUP,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
    }


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
    """Return the environment variables of Envoy's container that hold the backends' credentials.

    Their values come from the Secret ``glidepath-credentials``.
    """
    names = sorted({b.credential.env for b in config.backends.values() if b.credential and b.credential.env})
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": "glidepath-credentials", "key": name}}} for name in names
    ]
