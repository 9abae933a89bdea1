"""The user's resources before Glidepath: a Gateway, a backend and a route, for Envoy Gateway and for Istio."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Document = dict[str, Any]
HTTP_PORT, HTTPS_PORT, ISTIO_PORT, SIDECAR_PORT = 8888, 8443, 18080, 18081
PREFIX = "/v1"  # the user's own route is wider than the workload


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


def gateway_documents(backend: str, *, https: bool = False, vllm: str | None = None) -> list[Document]:
    """Return the user's resources for Envoy Gateway.

    ``backend``, ``vllm``: the URLs of the user's own backend, and of a second backend with another HTTPRoute.
    """
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
        _backend("own", backend),
        *([_backend("vllm", vllm), _route("vllm", {}, hostnames=["vllm.example"])] if vllm else []),
    ]


def _backend(name: str, url: str) -> Document:
    host, port = _address(url)
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "Backend",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"endpoints": [{"ip": {"address": host, "port": port}}]},
    }


def _route(name: str, rule: Document, **spec: Any) -> Document:
    """Return an HTTPRoute with one rule, whose backend has the name of the HTTPRoute."""
    backend = {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": name}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"parentRefs": [{"name": "eg"}], **spec, "rules": [{**rule, "backendRefs": [backend]}]},
    }


def tls_secret(name: str, key: Path, certificate: Path) -> Document:
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
    """Return the user's own HTTPRoute, which serves all paths below ``PREFIX`` and sets no time limit."""
    return _route(
        "own", {"matches": [{"path": {"type": "PathPrefix", "value": PREFIX}}], "timeouts": {"request": "0s"}}
    )


def istio_documents(backend: str, vllm: str | None = None) -> list[Document]:
    """Return the user's resources for Istio, without the VirtualService. ``backend``, ``vllm``: URLs of services."""
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
        _service_entry("own", backend),
        *([_service_entry("vllm", vllm)] if vllm else []),
    ]


def _service_entry(name: str, url: str) -> Document:
    host, port = _address(url)
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": "istio-system"},
        "spec": {
            "hosts": [f"{name}.example"],
            "location": "MESH_EXTERNAL",
            "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": host, "ports": {"http": port}}],
        },
    }


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


def kubernetes_objects(backend: str, vllm: str | None = None) -> list[Document]:
    """Return the Pods, Services and EndpointSlices that Istio's control plane reads.

    ``backend``, ``vllm``: the URLs of the user's services ``llm`` and ``vllm``.
    """
    gateway = _Place("istio-system", "127.0.1.1", "127.0.2.1", "pod-1")
    found = [
        *_service("istio-ingressgateway", gateway, {"istio": "ingressgateway"}, ISTIO_PORT, ISTIO_PORT),
        _pod("pod-1", "apps", "127.0.1.2", {"app": "assistant"}),
    ]
    for name, url, address in (("llm", backend, "127.0.2.9"), ("vllm", vllm, "127.0.2.10")):
        if url is not None:
            place = _Place("models", "127.0.0.1", address, f"{name}-1")
            found += _service(name, place, {"app": name}, SIDECAR_PORT, _address(url)[1])
    return found


class _Place(NamedTuple):
    """The addresses of a service: that of its only pod, and that of the service itself."""

    namespace: str
    pod_address: str
    cluster_address: str
    pod: str


def _pod(name: str, namespace: str, address: str, labels: dict[str, str]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "status": {"podIP": address, "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def _service(name: str, place: _Place, labels: dict[str, str], port: int, target: int) -> list[Document]:
    namespace, address, cluster_address, pod = place
    slice_labels = {"kubernetes.io/service-name": name}
    reference = {"kind": "Pod", "name": pod, "namespace": namespace}
    return [
        _pod(pod, namespace, address, labels),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "clusterIP": cluster_address,
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
