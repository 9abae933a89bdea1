"""A real Envoy Gateway whose resources come from a real API server; its Envoy is a child process on this machine.

With such resources Envoy Gateway reads its certificates from ``/certs``. So it runs in a mount namespace that has this
folder, which needs user namespaces (``unshare``), and changes nothing on the machine itself.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glidepath_ops.local.child_process import Child
from glidepath_ops.local.redis_and_envoy import answers_ok
from tests.mesh.envoy_gateway_lab import ADMIN, Options, on_this_machine, prepare
from tests.mesh.fixed_ports import ENVOY_GATEWAY, wait_until_free
from tests.mesh.kubernetes_lab import Kubernetes

_FROM_KUBERNETES = {"type": "Kubernetes", "kubernetes": {"leaderElection": {"disable": True}}}
# Arguments: an empty folder for the new root, the folder that becomes /certs, the command.
_WITH_CERTIFICATES = """
set -e
root=$1 certificates=$2; shift 2
mount -t tmpfs tmpfs "$root"
for one in /*; do
  if [ -L "$one" ]; then cp -P "$one" "$root$one"
  elif [ -d "$one" ]; then mkdir "$root$one"; mount --rbind "$one" "$root$one"
  fi
done
mkdir "$root/certs"
mount --bind "$certificates" "$root/certs"
exec chroot "$root" "$@"
"""


_IN_NAMESPACE = ("unshare", "--map-root-user", "--mount", "sh", "-c", _WITH_CERTIFICATES, "sh")


@contextmanager
def envoy_gateway_on_kubernetes(server: Kubernetes, folder: Path, documents: Sequence[Any]) -> Iterator[Child]:
    """Run Envoy Gateway with the resources of the API server, after applying ``documents``, until the block ends.

    Its Envoy is ready when the block begins.
    """
    home, root = folder / "envoy-gateway", folder / "root"
    for one in (home, root):
        one.mkdir()
    options = Options(patches=False)
    command = prepare(server.programs, home, options, _FROM_KUBERNETES)
    config = {"KUBECONFIG": str(server.folder / "kubeconfig")}
    secrets = [str(server.programs.envoy_gateway), "certgen", "--disable-topology-injector"]
    subprocess.run(secrets, check=True, capture_output=True, timeout=60, env={**os.environ, **config})
    server.apply([on_this_machine(one, options) for one in documents])
    certificates = home / "config" / "certs" / "envoy-gateway"
    command = [*_IN_NAMESPACE, str(root), str(certificates), *command]
    wait_until_free(ENVOY_GATEWAY)
    with Child("envoy-gateway", command, folder / "envoy-gateway.log", env=config) as child:
        child.wait_until(lambda: answers_ok(f"{ADMIN}/ready"), 180)
        yield child
