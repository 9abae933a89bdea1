"""What a user has before Glidepath: a Gateway, a backend and a route, for Envoy Gateway and for Istio."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Document = dict[str, Any]
HTTP_PORT, HTTPS_PORT, ISTIO_PORT, SIDECAR_PORT = 8888, 8443, 18080, 18081
PREFIX = "/v1"  # the user's own route is wider than the workload


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


def gateway_documents(backend: str, *, https: bool = False) -> list[Document]:
    """Return the user's resources for Envoy Gateway. ``backend``: the URL of the user's own backend."""
    host, port = _address(backend)
    listeners: list[Document] = [{"name": "http", "protocol": "HTTP", "port": HTTP_PORT}]
    if https:
        reference = {"kind": "Secret", "name": "certificate"}
        tls = {"mode": "Terminate", "certificateRefs": [reference]}
        listeners.append({"name": "https", "protocol": "HTTPS", "port": HTTPS_PORT, "tls": tls})
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "eg"},
            "spec": {
                "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
                "parametersRef": {
                    "group": "gateway.envoyproxy.io",
                    "kind": "EnvoyProxy",
                    "name": "own",
                    "namespace": "default",
                },
            },
        },
        envoy_proxy(),
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "eg", "namespace": "default"},
            "spec": {"gatewayClassName": "eg", "listeners": listeners},
        },
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "Backend",
            "metadata": {"name": "own", "namespace": "default"},
            "spec": {"endpoints": [{"ip": {"address": host, "port": port}}]},
        },
    ]


def tls_secret(name: str, key: Path, certificate: Path) -> Document:
    """Return a Secret with a certificate and its private key."""
    data = {"tls.key": key, "tls.crt": certificate}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": "default"},
        "data": {entry: base64.b64encode(file.read_bytes()).decode() for entry, file in data.items()},
    }


def envoy_proxy() -> Document:
    """Return the user's own EnvoyProxy, with a setting that must stay."""
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"name": "own", "namespace": "default"},
        "spec": {"logging": {"level": {"default": "warn"}}},
    }


def http_route() -> Document:
    """Return the user's own HTTPRoute, which serves all paths below ``PREFIX`` and ends no long answer."""
    backend = {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "own"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "own", "namespace": "default"},
        "spec": {
            "parentRefs": [{"name": "eg"}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": PREFIX}}],
                    "backendRefs": [backend],
                    "timeouts": {"request": "0s"},
                }
            ],
        },
    }


def istio_documents(backend: str) -> list[Document]:
    """Return the user's resources for Istio, without the VirtualService."""
    host, port = _address(backend)
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "istio-system"},
            "spec": {
                "selector": {"istio": "ingressgateway"},
                "servers": [{"port": {"number": ISTIO_PORT, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
            },
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": {"name": "own", "namespace": "istio-system"},
            "spec": {
                "hosts": ["own.example"],
                "location": "MESH_EXTERNAL",
                "resolution": "STATIC",
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "endpoints": [{"address": host, "ports": {"http": port}}],
            },
        },
    ]


def virtual_service(**entry: Any) -> Document:
    """Return the user's own VirtualService. ``entry``: more settings of its only entry, e.g. ``corsPolicy``."""
    destination = {"destination": {"host": "own.example", "port": {"number": 80}}}
    http = {"name": "own", "match": [{"uri": {"prefix": f"{PREFIX}/"}}], "route": [destination], **entry}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "own", "namespace": "istio-system"},
        "spec": {"hosts": ["*"], "gateways": ["public"], "http": [http]},
    }


def kubernetes_objects(backend: str) -> list[Document]:
    """Return the Pods, Services and EndpointSlices that Istio's control plane reads; ``llm`` is the user's service."""
    _, port = _address(backend)
    return [
        *_service(
            "istio-ingressgateway", "istio-system", "127.0.1.1", {"istio": "ingressgateway"}, ISTIO_PORT, "pod-1"
        ),
        _pod("pod-1", "apps", "127.0.1.2", {"app": "assistant"}),
        *_service("llm", "models", "127.0.0.1", {"app": "llm"}, SIDECAR_PORT, "llm-1", target=port),
    ]


def _pod(name: str, namespace: str, address: str, labels: dict[str, str]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "status": {"podIP": address, "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def _service(
    name: str, namespace: str, address: str, labels: dict[str, str], port: int, pod: str, target: int | None = None
) -> list[Document]:
    target = port if target is None else target
    slice_labels = {"kubernetes.io/service-name": name}
    reference = {"kind": "Pod", "name": pod, "namespace": namespace}
    return [
        _pod(pod, namespace, address, labels),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "clusterIP": "127.0.2.1" if name == "istio-ingressgateway" else "127.0.2.9",
                "selector": labels,
                "ports": [{"name": "http", "port": port, "targetPort": target}],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": namespace, "labels": slice_labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "targetRef": reference, "conditions": {"ready": True}}],
            "ports": [{"name": "http", "port": target}],
        },
    ]
