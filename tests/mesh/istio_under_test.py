"""Istio with and without Glidepath: a gateway whose VirtualService is completed, and a sidecar that gets a new one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mesh.base_resources import SIDECAR_PORT, istio_documents, kubernetes_objects, virtual_service
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.istio_lab import URLS, Istio, Role, istio, refusals
from tests.mesh.mesh_under_test import Parts, parts
from tests.mesh.rendered import render
from tests.mesh.traffic import Caller, statuses, without_volatile
from tests.support.waiting import eventually

ROLES: tuple[Role, ...] = ("gateway", "sidecar")
SERVICE = "llm.models.svc.cluster.local"
CANDIDATES = {
    "gateway": "outbound|80||vllm.example",
    "sidecar": f"outbound|{SIDECAR_PORT}||vllm.models.svc.cluster.local",
}
CLUSTERS = {"gateway": "outbound|80||own.example", "sidecar": f"outbound|{SIDECAR_PORT}||{SERVICE}"}
SIDECAR = ("--context", "sidecar", "--namespace", "apps", "--workload-selector", "app=assistant")
_COUNTED = ("x-envoy-attempt-count", "x-envoy-expected-rq-timeout-ms")  # of a second attempt: another count, less time
Request = tuple[str, str, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Mesh:
    """The parts for a test of one kind of proxy. ``service``: the user's own VirtualService, None for a sidecar."""

    role: Role
    programs: ControlPlanes
    folder: Path
    among: Parts
    service: dict[str, Any] | None

    @property
    def without_glidepath(self) -> list[Any]:
        return [*self._base, *([self.service] if self.service else [])]

    def with_glidepath(self) -> list[Any]:
        """Return the user's resources with Glidepath's, as ``render`` writes them."""
        if self.service is None:
            done = render(self.folder, "istio", *SIDECAR, "--service", f"{SERVICE}:{SIDECAR_PORT}")
            return [*self._base, *done.resources]
        done = render(self.folder, "istio", into=[self.service])
        return [*self._base, *done.completed["into"], *done.resources]

    @property
    def _base(self) -> list[Any]:
        return istio_documents(self.among.own.url, self.among.in_mesh) if self.service else []

    def running(self, name: str, documents: Sequence[Any]) -> AbstractContextManager[Istio]:
        """Run Istio with ``documents``; ``name``: the folder for its files."""
        objects = kubernetes_objects(self.among.own.url, self.among.in_mesh)
        return istio(self.programs, self.folder / name, self.role, objects, documents)

    def caller(self, **headers: str) -> Caller:
        """Return a client that sends these headers; a ``_`` in a name stands for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        host = {"host": f"{SERVICE}:{SIDECAR_PORT}"} if self.role == "sidecar" else {}
        return self.among.caller(URLS[self.role], {**host, **named})

    async def ready(self, running: Istio) -> None:
        """Wait until a request through the user's route is answered with status 200."""

        async def served() -> bool:
            return statuses(await self.caller().ask(method="GET")) == {200}

        await eventually(served, within=60, what="a route that serves")
        assert running.refused() == []


def mesh(role: Role, programs: ControlPlanes, folder: Path, among: Parts, **entry: Any) -> Mesh:
    """Return the mesh. ``entry``: more settings of the HTTP route of the gateway's VirtualService."""
    service = virtual_service(**entry) if role == "gateway" else None
    return Mesh(role, programs, folder, among, service)


@asynccontextmanager
async def split_on_istio(
    programs: ControlPlanes,
    folder: Path,
    role: Role,
    candidate: str | None = None,
    onprem: Mapping[str, Any] | None = None,
    **workload: Any,
) -> AsyncIterator[tuple[Mesh, Istio]]:
    """Run Istio with a working split. Check that Istio and Envoy accept all resources.

    ``candidate``, ``onprem`` and ``workload`` are those of `parts`.
    """
    async with parts(folder, CLUSTERS[role], candidate, onprem, **workload) as among:
        under_test = mesh(role, programs, folder, among)
        documents = under_test.with_glidepath()
        assert refusals(programs, folder / "valid", documents) == []
        with under_test.running("istio", documents) as running:
            await under_test.ready(running)
            yield under_test, running
            assert running.refused() == []


def without(documents: Sequence[Any], kind: str) -> list[Any]:
    return [one for one in documents if one["kind"] != kind]


def as_usual(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers of a received request without those that differ from request to request."""
    return {name: value for name, value in without_volatile(headers).items() if name not in _COUNTED}


def shows_all(running: Istio, documents: Sequence[Any]) -> bool:
    """Return whether Envoy has the parts of ``documents``: the copy of the route, the split, and the clusters."""
    routes, clusters = running.routes(), running.clusters()
    kinds = {one["kind"] for one in documents}
    copied = any("glidepath-chat" in str(one["spec"].get("http")) for one in documents)
    split = copied and "EnvoyFilter" in kinds
    return (
        ("glidepath-chat" in routes) == copied
        and ("weighted_clusters" in routes) == split
        and ("onprem-or-" in clusters) == ("EnvoyFilter" in kinds)
    )


async def what_the_backend_gets(
    under_test: Mesh, name: str, documents: Sequence[Any], shows: Sequence[Any] = ()
) -> list[Request]:
    """Return the requests that the user's backend receives for one request of each kind, and the headers in order.

    ``shows``: the documents of which Envoy must have all parts.
    """
    with under_test.running(name, documents) as running:
        await under_test.ready(running)
        if shows:
            await eventually(lambda: shows_all(running, shows), within=60)
        under_test.among.clear()
        for method in ("POST", "GET", "OPTIONS"):
            assert statuses(await under_test.caller().ask(method=method)) == {200}
        assert under_test.among.onprem.received == []
        return [
            (one.method, one.path, without_volatile(one.headers), one.body) for one in under_test.among.own.received
        ]
