"""A backend that records its requests, and a check that calls through Glidepath equal direct calls at any share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from glidepath import redis_keys
from glidepath.call_classes import CallClass, call_class
from glidepath.config import Config
from tests.support.api_backend import ApiBackend
from tests.support.client_calls import Call
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

TIMES = 4  # calls through Glidepath at 50 %: all go to one side with probability 1 in 8, which is harmless
SHARES = (0, 50, 100)
_MODEL_IN_PATH = re.compile(r"(/models/)[^/:?]+(?=:)")


class Received(NamedTuple):
    """A request as a backend received it, without the name of the model, which may differ between the sides."""

    method: str
    path: str
    body: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request that determine the answer. ``body``: for inference, the JSON without ``model``."""

    method: str
    path: str
    body: Any
    digest: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. ``parts``: the pieces of its body, each of which a stream sends by itself."""

    parts: Sequence[bytes]
    content_type: str = "application/json"
    status: int = 200


def json_reply(body: Any, status: int = 200) -> Reply:
    return Reply([json.dumps(body).encode()], status=status)


class RecordingApi(ApiBackend):
    """An API that answers equal requests alike, by ``reply``. ``inference``: the number of inference calls so far."""

    def __init__(self, reply: Callable[[Asked], Reply]) -> None:
        super().__init__({}, {})
        self._reply = reply
        self.received: list[Received] = []
        self.inference = 0

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/{path:.*}", self._handle)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        is_inference = call_class(request.method, request.path) is CallClass.INFERENCE
        path = _MODEL_IN_PATH.sub(r"\1M", request.path_qs) if is_inference else request.path_qs
        body = _without_model(raw) if is_inference else _with_one_boundary(request.headers.get("content-type", ""), raw)
        digest = hashlib.sha256(body).hexdigest()[:12]
        if "user-agent" in request.headers:  # a copy has none
            self.received.append(Received(request.method, path, digest))
            self.inference += is_inference
        reply = self._reply(Asked(request.method, path, _parsed(body), digest))
        response = web.StreamResponse(status=reply.status, headers={"content-type": reply.content_type})
        await response.prepare(request)
        for part in reply.parts:
            await response.write(part)
        await response.write_eof()
        return response


def _without_model(raw: bytes) -> bytes:
    body = _parsed(raw)
    if not isinstance(body, dict):
        return raw
    return json.dumps({key: value for key, value in body.items() if key != "model"}, sort_keys=True).encode()


def _with_one_boundary(content_type: str, raw: bytes) -> bytes:
    """Return a form with a fixed boundary, because clients choose a boundary at random."""
    boundary = content_type.partition("boundary=")[2].encode()
    return raw.replace(boundary, b"B") if boundary else raw


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else {}
    except ValueError:
        return raw.hex()


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's client: ``client`` creates a client for a URL, ``error`` is the base class of its errors.

    ``of_error``: the parts of an error that a caller reads, such as its status and its text.
    """

    client: Callable[[str], Any]
    error: type[Exception]
    of_error: Callable[[Any], Any]
    reply: Callable[[Asked], Reply]
    prefixes: Sequence[str]


async def check_equal_calls(folder: Path, share: int, provider: Provider, kinds: Mapping[str, Call]) -> None:
    """Make each call directly and through Glidepath, and compare the client's outcomes and the backends' requests."""
    async with RecordingApi(provider.reply) as cloud, RecordingApi(provider.reply) as onprem:
        config = _config(folder, share, provider.prefixes, cloud.url, onprem.url)
        async with running_system(config, folder, scorer=False) as system:
            wanted = await _direct(provider, kinds, cloud)
            assert cloud.inference
            cloud.inference = 0
            client = provider.client(system.url)
            for kind, (outcome, sent) in wanted.items():
                for _ in range(TIMES if share == 50 else 1):
                    assert await _outcome(provider, kinds[kind], client) == outcome, kind
                    _check_received([*cloud.received, *onprem.received], sent)
                    cloud.received, onprem.received = [], []
            assert cloud.inference or share == 100
            assert bool(onprem.inference) == (share > 0)
            await eventually(lambda: _pairs(system, config), what="pairs of some of the calls")


def _check_received(received: list[Received], sent: list[Received]) -> None:
    """Check that the backends get the client's requests.

    Only a failed inference call may be repeated at the baseline.
    """
    assert set(received) == set(sent)
    managed = [one for one in received if call_class(one.method, one.path) is not CallClass.INFERENCE]
    assert managed == [one for one in sent if call_class(one.method, one.path) is not CallClass.INFERENCE]


async def _direct(
    provider: Provider, kinds: Mapping[str, Call], backend: RecordingApi
) -> dict[str, tuple[Any, list[Received]]]:
    """Return, for each call, the client's outcome and the requests that the backend received."""
    client, found = provider.client(backend.url), {}
    for kind, call in kinds.items():
        outcome = await _outcome(provider, call, client)
        assert backend.received, f"{kind}: the client sent nothing"
        found[kind], backend.received = (outcome, backend.received), []
    return found


async def _pairs(system: System, config: Config) -> bool:
    streams = [redis_keys.WorkloadKeys(name).pairs for name in config.workloads]
    return all([await system.redis.xlen(stream) for stream in streams])


def _config(folder: Path, share: int, prefixes: Sequence[str], cloud: str, onprem: str) -> Config:
    data = system_config(folder, cloud, onprem).model_dump(mode="json", exclude_unset=True, by_alias=True)
    ramp = {"steps": [50, 100], "hold": "1h"}
    one = data["workloads"]["chat"] | {"start": share, "fallback": True, "task": "auto", "ramp": ramp}
    data["workloads"] = {prefix.strip("/"): {**one, "match": {"path_prefix": prefix}} for prefix in prefixes}
    data["envoy"]["default_backend"] = one["baseline"]
    return Config.model_validate(data)


async def _outcome(provider: Provider, call: Call, client: Any) -> Any:
    try:
        return dumped(await call(client))
    except provider.error as error:
        return type(error).__name__, provider.of_error(error)


def dumped(value: Any) -> Any:
    """Return a client's outcome in a form that can be compared."""
    if isinstance(value, list | tuple):
        return [dumped(one) for one in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude={"sdk_http_response"}, warnings=False)
    return value
