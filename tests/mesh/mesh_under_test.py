"""The parts beside a mesh's Envoy in a test: two backends, a stand-in for extproc, the weights, and clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp

from glidepath import envoy_names
from glidepath.config import Config
from glidepath_ops.doctor.checks import examine_envoy
from glidepath_ops.doctor.facts import EnvoyFacts, Finding, Severity
from tests.mesh.adjustable_rtds_server import Shares, serving, weights
from tests.mesh.rendered import mesh_config
from tests.mesh.traffic import Caller
from tests.support.envoy_collector import Collector
from tests.support.recording_backend import Recorder


@dataclass(frozen=True, slots=True)
class Parts:
    """``own`` is the user's backend, which is the baseline; ``onprem`` is the candidate."""

    own: Recorder
    onprem: Recorder
    collector: Collector
    shares: Shares
    config: Config
    session: aiohttp.ClientSession

    def caller(self, url: str, headers: Mapping[str, str] | None = None) -> Caller:
        return Caller(self.session, url, headers or {})

    def sender_of_copies(self, target: str, headers: Mapping[str, str] | None = None) -> Caller:
        """Return a caller that sends copies for the backend ``target``, as extproc does."""
        named = {envoy_names.HEADER_WORKLOAD: "chat", envoy_names.HEADER_TARGET: target}
        origin = {envoy_names.HEADER_ORIGIN: "shadow"}
        return self.caller(f"http://{self.config.envoy.shadow_listen}", {**named, **origin, **(headers or {})})

    @property
    def in_mesh(self) -> str | None:
        """The URL of the candidate, if it is a service of the mesh."""
        return None if self.config.backends["onprem"].cluster is None else self.onprem.url

    async def set_by_curl(self, admin: str, percent: float) -> None:
        """Give the candidate ``percent`` by Envoy's admin API, as a person does with curl."""
        values = {name: str(value) for name, value in weights(self.config, percent).items()}
        async with self.session.post(f"{admin}/runtime_modify", params=values) as response:
            assert response.status == 200

    def clear(self) -> None:
        self.own.received.clear()
        self.onprem.received.clear()
        self.collector.streams.clear()


def failed_checks(config: Config, envoy: EnvoyFacts) -> list[Finding]:
    """Return the findings of ``glidepath doctor`` that fail for an Envoy."""
    return [one for one in examine_envoy(config, envoy) if one.level is Severity.FAIL]


@asynccontextmanager
async def parts(
    folder: Path,
    cluster: str | None,
    candidate: str | None = None,
    onprem: Mapping[str, Any] | None = None,
    actuator: Literal["rtds", "admin"] = "rtds",
    **workload: Any,
) -> AsyncIterator[Parts]:
    """Run the parts. ``workload``: settings of ``chat``.

    ``cluster``: the name of the cluster of the user's route; None: there is no such route, and the baseline has a url.

    ``candidate``: the name of the cluster of the mesh that is the candidate; None: it has a url. ``onprem``: more
    settings of the candidate. ``actuator``: how Envoy gets weights; with ``admin``, ``Parts.shares`` reach no Envoy.
    """
    timeout = aiohttp.ClientTimeout(total=200)
    async with (
        Recorder("own") as own,
        Recorder("onprem") as backend,
        Collector(folder / "extproc.sock") as collector,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False), timeout=timeout) as session,
    ):
        theirs: dict[str, Any]
        there = {"url": backend.url} if candidate is None else {"cluster": candidate, "host": "vllm.example"}
        theirs = {"cluster": cluster, "host": "own.example"}
        if cluster is None:
            theirs = {"url": own.url, "credential": {"passthrough": True}}
        config = mesh_config(folder, theirs, {**there, **(onprem or {})}, actuator, **workload)
        shares = Shares(config)
        leased = config.workload("chat").if_lost == "baseline"  # then the test serves RTDS
        async with nullcontext() if leased else serving(shares, config.envoy.rtds_listen):
            yield Parts(own, backend, collector, shares, config, session)
