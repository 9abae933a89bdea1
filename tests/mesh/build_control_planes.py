"""Build Envoy Gateway, Istio's control plane and a Kubernetes API server from their Go modules, once, into a cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SOURCES = Path(__file__).parent / "control_planes"
ENVOY_GATEWAY = ("github.com/envoyproxy/gateway", "v1.9.1")
ISTIO = ("istio.io/istio", "v0.0.0-20260827124520-eed52ebb66ad")  # the 1.31 line
INFERENCE_GATEWAY = ("sigs.k8s.io/gateway-api-inference-extension", "v1.5.0")
KSERVE = ("github.com/kserve/kserve", "v0.17.0")
SECONDS = 3600  # the most that one build may take


@dataclass(frozen=True, slots=False)
class ControlPlanes:
    """The programs, and the custom resource definitions of their modules. ``folder``: the cache."""

    folder: Path

    @property
    def envoy_gateway(self) -> Path:
        return self.folder / "envoy-gateway"

    @property
    def istiod(self) -> Path:
        """The program that serves Istio's xDS from files: ``istiod HOST:PORT KUBERNETES_OBJECTS ISTIO_CONFIG...``."""
        return self.folder / "istiod"

    @property
    def pilot_discovery(self) -> Path:
        """Istio's own program, which validates resources as its webhook does."""
        return self.folder / "pilot-discovery"

    @property
    def apiserver(self) -> Path:
        return self.folder / "apiserver"

    @cached_property
    def gateway_crds(self) -> Path:
        return _module(*ENVOY_GATEWAY) / "charts" / "gateway-helm" / "charts" / "crds" / "crds"

    @cached_property
    def istio_crds(self) -> Path:
        return _module(*ISTIO) / "manifests" / "charts" / "base" / "files" / "crd-all.gen.yaml"

    @cached_property
    def inference_pool_crd(self) -> Path:
        name = "inference.networking.k8s.io_inferencepools.yaml"
        return _module(*INFERENCE_GATEWAY) / "config" / "crd" / "bases" / name

    @cached_property
    def llm_inference_service_crd(self) -> Path:
        """KServe's definition of a service for a language model, whose HTTPRoute has an InferencePool."""
        folder = _module(*KSERVE) / "config" / "crd" / "full" / "llmisvc"
        return folder / "serving.kserve.io_llminferenceservices.yaml"


def control_planes() -> ControlPlanes:
    """Return the programs; build those that are not in the cache. Raises CalledProcessError if a build fails."""
    versions = f"envoy-gateway-{ENVOY_GATEWAY[1]}_istio-{ISTIO[1][-12:]}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glidepath" / "mesh-tests" / versions
    found = ControlPlanes(cache)
    cache.mkdir(parents=True, exist_ok=True)
    if not found.envoy_gateway.exists():
        _install(cache, f"{ENVOY_GATEWAY[0]}/cmd/envoy-gateway@{ENVOY_GATEWAY[1]}")
    if not found.pilot_discovery.exists():
        _install(cache, f"{ISTIO[0]}/pilot/cmd/pilot-discovery@{ISTIO[1]}")
    for name in ("istiod", "apiserver"):
        if not (cache / name).exists():
            _build(cache, name)
    return found


def _install(cache: Path, package: str) -> None:
    print(f"building {package} (a few minutes, once)", file=sys.stderr)
    env = {**os.environ, "GOBIN": str(cache)}
    subprocess.run(["go", "install", package], check=True, env=env, cwd=cache, timeout=SECONDS)


def _build(cache: Path, name: str) -> None:
    print(f"building {name} (a few minutes, once)", file=sys.stderr)
    source = cache / f"{name}-source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(SOURCES / name, source)
    subprocess.run(["go", "mod", "tidy"], check=True, cwd=source, timeout=SECONDS)
    subprocess.run(["go", "build", "-o", str(cache / name), "."], check=True, cwd=source, timeout=SECONDS)


def _module(name: str, version: str) -> Path:
    command = ["go", "mod", "download", "-json", f"{name}@{version}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS, cwd=Path.home())
    return Path(json.loads(done.stdout)["Dir"])


if __name__ == "__main__":
    control_planes()
