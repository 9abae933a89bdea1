"""Istio's own validating webhook: Istio's program serves the webhook, and a real API server calls it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glidepath_ops.local.child_process import Child, answers, free_ports
from tests.mesh.istio_lab import ON_ONE_MACHINE
from tests.mesh.kubernetes_lab import Kubernetes
from tests.support.tls_certificate import make_certificate

_HOST = "localhost"


@contextmanager
def istio_webhook(server: Kubernetes, folder: Path) -> Iterator[Child]:
    """Let Istio validate all Istio resources that ``server`` gets, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = make_certificate(folder, _HOST)
    authority = Path(shutil.copy(certificate, folder / "authority.pem"))  # Istio watches no file twice
    https, *others = free_ports(4)
    addresses = {"httpsAddr": https, **dict(zip(("httpAddr", "grpcAddr", "monitoringAddr"), others, strict=True))}
    command = [
        str(server.programs.pilot_discovery),
        "discovery",
        f"--kubeconfig={server.folder / 'kubeconfig'}",
        f"--tlsCertFile={certificate}",
        f"--tlsKeyFile={key}",
        f"--caCertFile={authority}",
        "--secureGRPCAddr=",
        *(f"--{flag}=127.0.0.1:{port}" for flag, port in addresses.items()),
    ]
    with Child("pilot-discovery", command, folder / "webhook.log", env=ON_ONE_MACHINE) as child:
        child.wait_until(lambda: answers("127.0.0.1", https), 120)
        server.apply([_configuration(https, certificate)])
        yield child


def _configuration(port: int, certificate: Path) -> dict[str, Any]:
    """Return the webhook configuration of Istio's chart, with an address in place of the service."""
    groups = ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"]
    rule = {"operations": ["CREATE", "UPDATE"], "apiGroups": groups, "apiVersions": ["*"], "resources": ["*"]}
    bundle = base64.b64encode(certificate.read_bytes()).decode()
    webhook = {
        "name": "rev.validation.istio.io",
        "clientConfig": {"url": f"https://{_HOST}:{port}/validate", "caBundle": bundle},
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "istio-validator"},
        "webhooks": [webhook],
    }
