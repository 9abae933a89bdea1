"""A real Envoy between a test and two recording backends, with a collector instead of extproc."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from yarl import URL

from glidepath import envoy_names, runtime_keys
from glidepath_ops.envoyconfig.envoy_api_builders import assignment, socket_address
from tests.support.envoy_collector import Collector
from tests.support.recording_backend import Recorder
from tests.support.running_envoy import Edit, RunningEnvoy, running_envoy

PATH = "/v1/chat/completions"
# All tests send the same conversation, so by default it has no side of its own.
CHAT = {"match": {"path": PATH}, "baseline": "cloud", "candidate": "onprem", "sticky": {"random": True}}
BODY = {"messages": [{"role": "user", "content": 'not the "model": "x"', "model": "inner"}], "model": "client-model"}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]
    seconds: float


@dataclass(frozen=True, slots=True)
class EnvoySetup:
    cloud: Recorder
    onprem: Recorder
    collector: Collector
    envoy: RunningEnvoy
    session: aiohttp.ClientSession

    async def post(
        self, body: Any = BODY, headers: Mapping[str, str] | None = None, path: str = PATH, to: str | None = None
    ) -> Reply:
        """Send a request. ``body``: bytes, or data to send as JSON. ``to``: a listener's URL; default: the live one."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **(headers or {})}
        start = time.monotonic()
        url = URL((to or self.envoy.live) + path, encoded=True)
        async with self.session.post(url, data=data, headers=sent) as response:
            content = await response.read()
            return Reply(response.status, content, response.headers, time.monotonic() - start)

    async def tee(self, target: str, origin: str = "shadow", path: str = PATH, **headers: str) -> Reply:
        names = {
            envoy_names.HEADER_WORKLOAD: "chat",
            envoy_names.HEADER_TARGET: target,
            envoy_names.HEADER_ORIGIN: origin,
        }
        return await self.post(headers={**names, **headers}, path=path, to=self.envoy.shadow)

    def set_share(self, percent: float, workload: str = "chat", candidate: str | None = None) -> None:
        """Set the candidate's share. ``candidate``: its cluster in the split; None means the configured cluster."""
        config, points = self.envoy.config, round(percent * 100)
        values = {
            runtime_keys.weight_key(workload, candidate or config.candidate_cluster(workload)): points,
            runtime_keys.weight_key(workload, config.baseline_cluster(workload)): runtime_keys.FULL_WEIGHT - points,
        }
        self.envoy.modify(values)

    def clear_received(self) -> None:
        self.cloud.received.clear()
        self.onprem.received.clear()


@asynccontextmanager
async def envoy_with_backends(
    folder: Path,
    *,
    cloud: Mapping[str, Any] | None = None,
    onprem: Mapping[str, Any] | None = None,
    chat: Mapping[str, Any] | None = None,
    tls_onprem: tuple[Path, Path] | None = None,
    client_ca: Path | None = None,
    binary: Path | None = None,
    theirs: Mapping[str, Mapping[str, Any]] | None = None,
    edit: Edit | None = None,
    **sections: Any,
) -> AsyncIterator[EnvoySetup]:
    """Run Envoy and the backends. ``cloud``, ``onprem``, ``chat``: additional settings of these sections.

    ``url_path`` in a backend's settings is appended to its URL. ``tls_onprem``: the candidate's key and certificate.
    ``client_ca``: the certificate of the CA whose client certificates the candidate demands.
    ``binary``: an Envoy other than the installed one.
    ``theirs``: backend → settings of the user's own cluster ``their-NAME`` for this backend. ``edit`` may change the
    rendered bootstrap.
    """
    theirs = theirs or {}

    context = None
    if tls_onprem is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls_onprem[1], tls_onprem[0])
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
    socket = folder / "extproc.sock"
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        Recorder("cloud") as one,
        Recorder("onprem", tls=context) as two,
        Collector(socket) as collector,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        text = yaml.safe_dump(
            {
                "extproc": {"listen": f"unix:{socket}"},
                "backends": {
                    recorder.name: _backend(recorder, more or {}, recorder.name in theirs)
                    for recorder, more in ((one, cloud), (two, onprem))
                },
                **sections,
                "workloads": {"chat": {**CHAT, **(chat or {})}, **sections.get("workloads", {})},
            }
        )

        def add_clusters(bootstrap: dict[str, Any]) -> None:
            added = [_their_cluster(r, theirs[r.name]) for r in (one, two) if r.name in theirs]
            bootstrap["static_resources"]["clusters"] += added
            if edit is not None:
                edit(bootstrap)

        with running_envoy(text, folder, binary=binary, edit=add_clusters) as envoy:
            yield EnvoySetup(one, two, collector, envoy, session)


def _their_cluster(recorder: Recorder, more: Mapping[str, Any]) -> dict[str, Any]:
    name = f"their-{recorder.name}"
    endpoints = assignment(name, [socket_address("127.0.0.1", recorder.port)])
    return {"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": endpoints, **more}


def _backend(recorder: Recorder, more: Mapping[str, Any], is_theirs: bool) -> dict[str, Any]:
    rest = dict(more)
    if is_theirs:
        there = {"cluster": f"their-{recorder.name}", "host": f"{recorder.name}.example.com"}
        return {**there, "model": f"{recorder.name}-model", **rest}
    return {"url": recorder.url + str(rest.pop("url_path", "")), "model": f"{recorder.name}-model", **rest}
