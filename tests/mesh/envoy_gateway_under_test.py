"""Kinds of Gateways of Envoy Gateway, and a user's resources there with and without Glidepath."""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.mesh.base_resources import HTTP_PORT, HTTPS_PORT, envoy_proxy, gateway_documents, http_route, tls_secret
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.envoy_gateway_lab import EnvoyGateway, Options, envoy_gateway
from tests.mesh.mesh_under_test import Parts, parts
from tests.mesh.rendered import render
from tests.mesh.traffic import statuses
from tests.support.tls_certificate import make_certificate
from tests.support.waiting import eventually

CLUSTER = "httproute/default/own/rule/1/backend/0"  # of the rule that Glidepath appends to the user's only one
URL, HTTPS_URL = f"http://127.0.0.1:{HTTP_PORT}", f"https://127.0.0.1:{HTTPS_PORT}"
PROGRAMMED = ["Accepted", "Programmed"]  # the reasons in the status of a policy that is in force as a whole
_HTTP = ("--listener", f"http:HTTP:{HTTP_PORT}")
_BOTH = (*_HTTP, "--listener", f"https:HTTPS:{HTTPS_PORT}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of Gateway: the settings of Envoy Gateway, and the options of ``glidepath render`` for it.

    ``https``: whether the Gateway has an HTTPS listener beside that for HTTP.
    """

    options: Options = field(default_factory=Options)
    arguments: tuple[str, ...] = ()
    https: bool = False

    @property
    def url(self) -> str:
        return HTTPS_URL if self.https else URL


PLAIN = Kind()
KINDS = {
    "plain": PLAIN,
    "merged": Kind(Options(merged=True), ("--gateway-class", "eg")),
    "names v2": Kind(Options(names_v2=True), ("--xds-names", "v2", *_HTTP)),
    "https": Kind(Options(), _BOTH, https=True),
}
MERGED_V2_HTTPS = Kind(
    Options(names_v2=True, merged=True), ("--gateway-class", "eg", "--xds-names", "v2", *_BOTH), https=True
)


def user_documents(own: str) -> list[Any]:
    return [*gateway_documents(own), http_route()]


def with_glidepath(
    folder: Path,
    own: str,
    kind: Kind = PLAIN,
    *,
    filters: Sequence[Any] = (),
    hostnames: Sequence[str] = (),
    vllm: str | None = None,
) -> list[Any]:
    """Return the user's resources with Glidepath's, as ``render`` writes them into the user's files.

    ``filters``: the filters of the user's rule. ``hostnames``: the hostnames of the user's HTTPRoute; (): all.
    ``vllm``: the URL of a backend that another HTTPRoute serves.
    """
    route = http_route()
    if filters:
        route["spec"]["rules"][0]["filters"] = list(filters)
    if hostnames:
        route["spec"]["hostnames"] = list(hostnames)
    done = render(folder, "envoy-gateway", *kind.arguments, into=[route], into_proxy=[envoy_proxy()])
    theirs = [one for one in gateway_documents(own, https=kind.https, vllm=vllm) if one["kind"] != "EnvoyProxy"]
    secrets = [tls_secret("certificate", *make_certificate(folder, "gateway.example"))] if kind.https else []
    return [*theirs, *done.completed["into_proxy"], *done.completed["into"], *done.resources, *secrets]


@asynccontextmanager
async def split_on_envoy_gateway(
    programs: ControlPlanes,
    folder: Path,
    kind: Kind = PLAIN,
    candidate: str | None = None,
    onprem: Mapping[str, Any] | None = None,
    *,
    filters: Sequence[Any] = (),
    **workload: Any,
) -> AsyncIterator[tuple[Parts, EnvoyGateway]]:
    """Run Envoy Gateway with a working split and with a policy that is completely in force.

    ``candidate``, ``onprem`` and ``workload`` are those of `parts`, ``filters`` those of the user's rule.
    """
    async with parts(folder, CLUSTER, candidate, onprem, **workload) as among:
        documents = with_glidepath(folder, among.own.url, kind, filters=filters, vllm=among.in_mesh)
        with envoy_gateway(programs, folder, documents, kind.options) as gateway:
            await ready(gateway, among)
            assert gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED
            yield among, gateway


async def ready(gateway: EnvoyGateway, among: Parts) -> None:
    """Wait until a request through the user's route is answered with status 200."""

    async def served() -> bool:
        return statuses(await among.caller(URL).ask()) == {200}

    await eventually(served, within=60, what=f"a route that serves: {gateway.child.tail()}")


def has_aggregate(gateway: EnvoyGateway) -> bool:
    """Return whether Envoy has the aggregate cluster of the candidate ``onprem`` and its fallback ``cloud``."""
    with urllib.request.urlopen(f"{gateway.admin}/clusters?format=json", timeout=10) as response:
        return b'"onprem-or-cloud"' in response.read()
