"""A real Kubernetes API server with the resource definitions of both meshes. It has no kubelet, so no pod runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glidepath_ops.local.child_process import Child
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.fixed_ports import API_SERVER, wait_until_free
from tests.mesh.manifests import manifests

NAMESPACES = ("glidepath", "istio-system", "apps", "models", "envoy-gateway-system")


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A running API server. ``folder``: contains its ``kubeconfig``, and the files to apply."""

    programs: ControlPlanes
    folder: Path

    def kubectl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        config = ("--kubeconfig", str(self.folder / "kubeconfig"))
        command = [str(self.programs.apiserver), "kubectl", *config, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done

    def apply(self, documents: Sequence[Any]) -> list[str]:
        """Apply resources in the order given. Return a line for each that the server has accepted."""
        file = self.folder / "to-apply.yaml"
        file.write_text(manifests(documents))
        return self.kubectl("apply", "--server-side", "-f", str(file)).stdout.splitlines()

    def refusal(self, documents: Sequence[Any]) -> str:
        """Return the server's refusal of resources, or "" if it accepts them. Nothing is stored."""
        file = self.folder / "to-refuse.yaml"
        file.write_text(manifests(documents))
        return self.kubectl("apply", "--server-side", "--dry-run=server", "-f", str(file), check=False).stderr


@contextmanager
def kubernetes(programs: ControlPlanes, folder: Path) -> Iterator[Kubernetes]:
    """Run an API server, with the definitions of Gateway API, Envoy Gateway and Istio, until the block ends."""
    server = Kubernetes(programs, folder)
    wait_until_free(API_SERVER)
    with Child("apiserver", [str(programs.apiserver), str(folder)], folder / "apiserver.log") as child:
        child.wait_until(lambda: _answers(server), 120)
        server.kubectl("apply", "--server-side", "-R", "-f", str(programs.gateway_crds))
        server.kubectl("apply", "--server-side", "-f", str(programs.istio_crds))
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        for name in NAMESPACES:
            server.kubectl("create", "namespace", name)
        yield server


def _answers(server: Kubernetes) -> bool:
    if not (server.folder / "kubeconfig").exists():
        return False
    return server.kubectl("get", "--raw", "/readyz", check=False).returncode == 0
