"""A real Envoy Gateway serves an HTTPRoute of a real API server, and a scorer steers it with only the rights of a Role.

Envoy Gateway's Backends, and the HTTPRoute, are in the namespace ``models``, as in
``deploy/kubernetes/http-route/permission.yaml``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.mesh.base_resources import HTTP_PORT, gateway_documents
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.envoy_gateway_on_kubernetes import envoy_gateway_on_kubernetes
from tests.mesh.kubernetes_lab import Kubernetes, kubernetes
from tests.mesh.steered_route import Reference, Steered, configured, http_route
from tests.mesh.traffic import Caller, statuses
from tests.support.steering_client import steering
from tests.support.waiting import eventually

URL = "https://127.0.0.1:16443"
NAMESPACE = "models"
PERMISSION = Path(__file__).parents[2] / "deploy" / "kubernetes" / "http-route" / "permission.yaml"
ACCOUNT = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "glidepath-scorer", "namespace": "glidepath"},
}


@contextmanager
def with_account(programs: ControlPlanes, folder: Path) -> Iterator[Kubernetes]:
    """Run an API server that has the scorer's service account, with the Role and nothing else."""
    with kubernetes(programs, folder) as server:
        server.apply([ACCOUNT, *yaml.safe_load_all(PERMISSION.read_text())])
        yield server


def connection(server: Kubernetes, folder: Path) -> dict[str, str]:
    """Return the settings of the scorer's connection. The token of its account is in a file in ``folder``."""
    token = folder / "token"
    token.write_text(server.kubectl("create", "token", "glidepath-scorer", "-n", "glidepath").stdout)
    certificate = server.folder / "certs" / "apiserver.crt"
    return {"api": URL, "token_file": str(token), "ca_file": str(certificate)}


@dataclass(frozen=True, slots=True)
class AtTheServer:
    """The HTTPRoute ``chat``, as a person with all rights sees and changes it."""

    server: Kubernetes
    place: str = f"{NAMESPACE}/chat/0"

    def stored(self) -> Any:
        found = self.server.kubectl("get", "httproute", "chat", "-n", NAMESPACE, "-o", "yaml").stdout
        return yaml.safe_load(found)

    def weights(self) -> list[int]:
        return [one["weight"] for one in self.stored()["spec"]["rules"][0]["backendRefs"]]

    def set_weights(self, baseline: int, candidate: int) -> None:
        path = "/spec/rules/0/backendRefs"
        values = (f"{path}/0/weight", baseline), (f"{path}/1/weight", candidate)
        patch = yaml.safe_dump([{"op": "replace", "path": place, "value": value} for place, value in values])
        self.server.kubectl("patch", "httproute", "chat", "-n", NAMESPACE, "--type=json", "-p", patch)


def in_namespace(document: Any) -> Any:
    """Move a Gateway or a Backend to the HTTPRoute's namespace. Return any other resource unchanged."""
    if document["kind"] not in ("Gateway", "Backend"):
        return document
    return {**document, "metadata": {**document["metadata"], "namespace": NAMESPACE}}


@asynccontextmanager
async def steered_on_kubernetes(
    server: Kubernetes,
    folder: Path,
    redis_url: str,
    urls: tuple[str, str],
    baseline: Reference,
    candidate: Reference,
    more: Sequence[Any] = (),
) -> AsyncIterator[Steered]:
    """Serve the HTTPRoute by Envoy Gateway, and steer it until the block ends.

    ``urls``: the URLs of the backends ``own`` and ``vllm``. ``more``: further resources.
    """
    found = [in_namespace(one) for one in gateway_documents(urls[0], vllm=urls[1]) if one["kind"] != "HTTPRoute"]
    documents = [*found, *more, http_route(baseline, candidate, NAMESPACE)]
    timeout = aiohttp.ClientTimeout(total=60)
    with envoy_gateway_on_kubernetes(server, folder, documents) as gateway:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            caller = Caller(session, f"http://127.0.0.1:{HTTP_PORT}", {})

            async def served() -> bool:
                return statuses(await caller.ask()) == {200}

            await eventually(served, within=60, what=f"a route that serves: {gateway.tail()}")
            config = configured(connection(server, folder), NAMESPACE, redis_url, baseline, candidate)
            async with steering(config) as client:
                yield Steered(AtTheServer(server), client, caller)
