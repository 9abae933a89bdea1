"""Istio's own validating webhook, called by a real API server, accepts the output of ``glidepath render istio``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mesh.base_resources import SIDECAR_PORT, istio_documents, virtual_service
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.istio_lab import Role
from tests.mesh.istio_under_test import CANDIDATES, CLUSTERS, ROLES, SERVICE, SIDECAR
from tests.mesh.istio_webhook import istio_webhook
from tests.mesh.kubernetes_lab import Kubernetes, kubernetes
from tests.mesh.rendered import mesh_config, render
from tests.mesh.request_reading import PREFIX

ROOT = Path(__file__).parents[2]
OWN = "http://192.0.2.1:80"
# Istio warns of each EnvoyFilter, and of copies whose matches the EnvoyFilter tells apart, which Istio cannot know.
KNOWN = re.compile(r'Warning: (EnvoyFilter exposes internal|virtualService rule "glidepath-\S+" .*not used)')
DENIED = 'admission webhook "rev.validation.istio.io" denied the request'


@pytest.fixture(scope="module")
def server(control_planes: ControlPlanes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Run an API server that calls Istio's webhook."""
    folders = tmp_path_factory.mktemp("kubernetes"), tmp_path_factory.mktemp("webhook")
    with kubernetes(control_planes, folders[0]) as running, istio_webhook(running, folders[1]):
        yield running


ROUTES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "url": (None, {"sticky": {"header": "x-user-id"}}),
    "service of the mesh": (CANDIDATES["gateway"], {}),
    "prefix": (None, PREFIX),
    "lease": (None, {"if_lost": "baseline", "lost_after": "10s"}),
}


def rendered(folder: Path, role: Role, candidate: str | None, workload: Mapping[str, Any]) -> list[Any]:
    """Return the resources that ``render`` writes, and the user's resources that it completes, for one role."""
    there = {"url": "http://192.0.2.2:80"} if candidate is None else {"cluster": candidate, "host": "vllm.example"}
    mesh_config(folder, {"cluster": CLUSTERS[role], "host": "own.example"}, there, **workload)
    if role == "sidecar":
        return render(folder, "istio", *SIDECAR, "--service", f"{SERVICE}:{SIDECAR_PORT}").resources
    done = render(folder, "istio", into=[virtual_service()])
    return [*istio_documents(OWN), *done.completed["into"], *done.resources]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES)
def test_the_webhook_accepts_the_rendered_resources(server: Kubernetes, tmp_path: Path, role: Role, route: str) -> None:
    documents = rendered(tmp_path, role, *ROUTES[route])
    lines = server.apply(documents)
    assert [line.rpartition(" ")[2] for line in lines] == ["serverside-applied"] * len(documents)


def test_the_webhook_accepts_the_rendered_examples(server: Kubernetes) -> None:
    files = sorted((ROOT / "envoy" / "istio").glob("**/*.yaml"))
    documents = [one for file in files for one in yaml.safe_load_all(file.read_text()) if one and "kind" in one]
    assert {"EnvoyFilter", "VirtualService"} <= {one["kind"] for one in documents}
    for one in documents:
        said = server.refusal([one]).splitlines()
        assert [line for line in said if not KNOWN.match(line)] == [], one["metadata"]


def test_the_webhook_refuses_a_message_without_a_type(server: Kubernetes, tmp_path: Path) -> None:
    """The API server alone accepts such a message, so this refusal shows that the webhook is called."""
    documents = deepcopy(rendered(tmp_path, "gateway", *ROUTES["url"]))
    (one,) = [one for one in documents if one["kind"] == "EnvoyFilter"]
    one["spec"]["configPatches"][-1]["patch"]["value"]["typed_per_filter_config"]["x"] = {"no": "type"}
    assert DENIED in server.refusal([one])


def test_the_webhook_refuses_a_route_to_nowhere(server: Kubernetes) -> None:
    service = virtual_service()
    service["spec"]["http"][0]["route"] = []
    assert DENIED in server.refusal([service])
