"""Istio's control plane with a real Envoy on this machine: resources come from files, and Envoy runs beside it.

Istiod reads its files when it starts. So istiod is restarted after each change of the resources. Envoy continues to
serve and reconnects, as in a cluster.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glidepath_ops.local.child_process import Child, envoy_binary, free_ports
from glidepath_ops.local.redis_and_envoy import answers_ok
from tests.mesh.base_resources import ISTIO_PORT, SIDECAR_PORT
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.fixed_ports import ISTIO, wait_until_free
from tests.mesh.manifests import manifests

Role = Literal["gateway", "sidecar"]
URLS = {"gateway": f"http://127.0.0.1:{ISTIO_PORT}", "sidecar": f"http://127.0.0.1:{SIDECAR_PORT}"}
# Istio's own build of Envoy has filters that a stock Envoy lacks; these settings leave them out.
_STOCK = {
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "POD_NAMESPACE": "istio-system",
}
ON_ONE_MACHINE = {**_STOCK, "ENABLE_CA_SERVER": "false", "POD_NAME": "istiod-0"}  # settings of Istio's own program
_PROBLEM = re.compile(r"^(?:\s+\* |Error: )(.*)$", re.M)  # a line of a validation error, or files that it cannot read
_INTERNAL_LISTENERS = {  # as in Istio's envoy_bootstrap.json, for every kind of proxy
    "name": "envoy.bootstrap.internal_listener",
    "typed_config": {
        "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
        "type_url": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
        "value": {"buffer_size_kb": 64},
    },
}
_HTTP2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}


@dataclass(slots=True)
class Istio:
    """A running istiod, and the Envoy that it configures. ``admin``: the URL of Envoy's admin API."""

    programs: ControlPlanes
    folder: Path
    kubernetes: Sequence[Any]
    xds: int
    admin: str
    istiod: Child = field(init=False)

    def start_istiod(self, documents: Sequence[Any]) -> None:
        """Start istiod with ``documents``. It is not ready yet."""
        config, objects = self.folder / "config.yaml", self.folder / "kubernetes.yaml"
        config.write_text(manifests(documents))
        objects.write_text(manifests(self.kubernetes))
        command = [str(self.programs.istiod), f"127.0.0.1:{self.xds}", str(objects), str(config)]
        self.istiod = Child("istiod", command, self.folder / "istiod.log", env=_STOCK)

    def apply(self, documents: Sequence[Any]) -> None:
        """Replace all resources by starting istiod again.

        Envoy continues to serve, connects again, and gets the change.
        """
        self.istiod.stop()
        self.start_istiod(documents)

    def routes(self) -> str:
        """Return the route configurations that Envoy uses now, as JSON."""
        return self._dump("dynamic_route_configs")

    def clusters(self) -> str:
        """Return the clusters that Envoy uses now, as JSON."""
        return self._dump("dynamic_active_clusters")

    def refused(self) -> list[str]:
        """Return the lines of Envoy's log about refused updates."""
        lines = (self.folder / "envoy.log").read_text(errors="replace").splitlines()
        return [line for line in lines if "rejected" in line]

    def _dump(self, resource: str) -> str:
        with urllib.request.urlopen(f"{self.admin}/config_dump?resource={resource}", timeout=10) as response:
            return str(response.read().decode())


@contextmanager
def istio(
    programs: ControlPlanes, folder: Path, role: Role, kubernetes: Sequence[Any], documents: Sequence[Any]
) -> Iterator[Istio]:
    """Run istiod with ``documents`` and an Envoy of the ``role`` until the block ends. Both are ready at its start.

    ``kubernetes``: the Pods, Services and EndpointSlices.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wait_until_free(ISTIO)
    xds, admin = free_ports(2)
    running = Istio(programs, folder, kubernetes, xds, f"http://127.0.0.1:{admin}")
    running.start_istiod(documents)
    try:
        running.istiod.wait_until(lambda: f"serving 127.0.0.1:{xds}" in running.istiod.tail(1000), 60)
        bootstrap = folder / "bootstrap.json"
        bootstrap.write_text(json.dumps(_bootstrap(role, xds, admin, documents)))
        options = ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warn"]
        with Child("envoy", [envoy_binary(), "-c", str(bootstrap), *options], folder / "envoy.log") as envoy:
            envoy.wait_until(lambda: answers_ok(f"{running.admin}/ready"), 60)
            yield running
    finally:
        running.istiod.stop()


def _bootstrap(role: Role, xds: int, admin: int, documents: Sequence[Any]) -> dict[str, Any]:
    """Return the bootstrap of Istio's agent: its runtime layers, then those of EnvoyFilters (BOOTSTRAP MERGE)."""
    ads = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    result: dict[str, Any] = {
        "node": _node(role),
        "layered_runtime": {
            "layers": [
                {"name": "global config", "static_layer": {"re2.max_program_size.error_level": "32768"}},
                {"name": "admin", "admin_layer": {}},
            ]
        },
        "bootstrap_extensions": [_INTERNAL_LISTENERS],
        "admin": {"address": _address(admin)},
        "dynamic_resources": {
            "lds_config": ads,
            "cds_config": ads,
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
            },
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds-grpc",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": {
                        "cluster_name": "xds-grpc",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(xds)}}]}],
                    },
                    "typed_extension_protocol_options": _HTTP2,
                }
            ]
        },
    }
    for document in documents:
        for patch in document["spec"].get("configPatches", []):
            if patch["applyTo"] == "BOOTSTRAP":
                value = patch["patch"]["value"]
                result["layered_runtime"]["layers"] += value["layered_runtime"]["layers"]
                result["static_resources"]["clusters"] += value["static_resources"]["clusters"]
    return result


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _node(role: Role) -> dict[str, Any]:
    """Return the identity of the pod ``pod-1`` of ``base_resources.kubernetes_objects``."""
    gateway = role == "gateway"
    namespace, address = ("istio-system", "127.0.1.1") if gateway else ("apps", "127.0.1.2")
    return {
        "id": f"{'router' if gateway else 'sidecar'}~{address}~pod-1.{namespace}~{namespace}.svc.cluster.local",
        "cluster": f"pod.{namespace}",
        "metadata": {
            "ISTIO_VERSION": "1.31.0",
            "LABELS": {"istio": "ingressgateway"} if gateway else {"app": "assistant"},
            "NAMESPACE": namespace,
            "CLUSTER_ID": "Kubernetes",
            "MESH_ID": "cluster.local",
            "INTERCEPTION_MODE": "REDIRECT" if gateway else "NONE",
        },
    }


def refusals(programs: ControlPlanes, folder: Path, documents: Sequence[Any]) -> list[str]:
    """Return the errors that the validation of Istio's webhook finds in ``documents``; [] if all are valid.

    istiod validates the files at its start. If they are valid, it exits because it finds no cluster.
    """
    config = folder / "to-validate"
    config.mkdir(parents=True)
    (config / "config.yaml").write_text(manifests(documents))
    flags = zip(("httpAddr", "grpcAddr", "monitoringAddr"), free_ports(3), strict=True)
    ports = [f"--{flag}=127.0.0.1:{port}" for flag, port in flags]
    command = [str(programs.pilot_discovery), "discovery", "--configDir", str(config), "--registries=", *ports]
    command += ["--httpsAddr=", "--secureGRPCAddr="]
    log = folder / "validation.log"
    with Child("pilot-discovery", command, log, env=ON_ONE_MACHINE) as child:
        try:
            child.process.wait(60)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no verdict of the validation: {child.tail()}") from None
    text = log.read_text(errors="replace")
    found = sorted(set(_PROBLEM.findall(text)))
    assert found or "initServiceControllers(" in text, f"no verdict of the validation: {child.tail()}"
    return found
