"""A backend of the demo: an OpenAI-compatible server, by default on loopback, into which faults can be injected.

``python -m glidepath_ops.demo.backend_server --port 9001 --side baseline --model cloud-large``

``PUT /control/fault`` with ``{"fault": "errors", "share": 0.5}`` injects a fault into half of the answers; without
``share``, into all. ``GET /control/state`` shows the fault and the number of bad answers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

import aiohttp
from aiohttp import web

from glidepath.clock import unix_ms
from glidepath.health import serve_app
from glidepath.sides import Side
from glidepath_ops.demo.answer_sources import AnswerSource, LlamaCpp, Pace, WrittenTexts
from glidepath_ops.demo.broken_bodies import broken_body
from glidepath_ops.demo.injected_faults import RESET_SHARE, InjectedFault
from glidepath_ops.demo.llama_server import CANDIDATE_TEMPERATURE, llama_server
from glidepath_ops.demo.openai_api import ChatRequest, error, parse_request

MAX_BODY = 4 * 2**20


@dataclass(slots=True)
class State:
    """The state of a backend, which ``GET /control/state`` returns: its current fault and its counters."""

    model: str
    fault: InjectedFault = InjectedFault.NONE
    share: float = 1.0  # the share of the answers that have the fault
    requests: int = 0
    bad: int = 0  # answers given with the current fault
    first_bad_ms: int = 0  # Unix milliseconds of the first bad answer since the fault was set; 0: none yet


class BackendServer:
    """The HTTP server of a demo backend.

    It answers from ``source``, but with errors during the fault ERRORS, and with broken bodies during the fault BODY.
    """

    def __init__(self, model: str, source: AnswerSource, rng: random.Random) -> None:
        self.state, self.source, self.rng = State(model), source, rng

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self.chat),
                web.get("/v1/models", self.models),
                web.get("/healthz", self.health),
                web.put("/control/fault", self.set_fault),
                web.get("/control/state", self.get_state),
            ]
        )
        return app

    async def chat(self, http: web.Request) -> web.StreamResponse:
        fault = self.state.fault if self.rng.random() < self.state.share else InjectedFault.NONE
        self.state.requests += 1
        try:
            request = parse_request(await http.read())
        except ValueError as problem:
            return _json(400, error(str(problem), "invalid_request_error"))
        if fault is InjectedFault.ERRORS:
            return self._fail(http)
        if fault is InjectedFault.BODY:
            return self._break_body(request)
        return await self.source.reply(http, request, fault, lambda: self._on_first_byte(fault))

    def _fail(self, http: web.Request) -> web.Response:
        self._on_first_byte(InjectedFault.ERRORS)
        if self.rng.random() < RESET_SHARE and http.transport is not None:
            http.transport.abort()
        return _json(503, error("the model is overloaded", "server_error"))

    def _break_body(self, request: ChatRequest) -> web.Response:
        self._on_first_byte(InjectedFault.BODY)
        kind, body = broken_body(request, self.state.model, self.rng)
        return web.Response(status=200, body=body, content_type=kind)

    def _on_first_byte(self, fault: InjectedFault) -> None:
        if fault is InjectedFault.NONE:
            return
        self.state.bad += 1
        self.state.first_bad_ms = self.state.first_bad_ms or unix_ms()

    async def models(self, _: web.Request) -> web.Response:
        entry = {"id": self.state.model, "object": "model", "created": 0, "owned_by": "demo"}
        return web.json_response({"object": "list", "data": [entry]})

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def set_fault(self, http: web.Request) -> web.Response:
        try:
            raw = await http.json()
            fault, share = InjectedFault(raw["fault"]), _share(raw.get("share", 1))
        except (ValueError, KeyError, TypeError, AttributeError):
            allowed = f'{{"fault": …}} with one of: {", ".join(InjectedFault)}; "share": more than 0, at most 1'
            return _json(400, error(f"needs {allowed}", "invalid_request_error"))
        self.state.fault, self.state.share, self.state.bad, self.state.first_bad_ms = fault, share, 0, 0
        return await self.get_state(http)

    async def get_state(self, _: web.Request) -> web.Response:
        return web.json_response(asdict(self.state))


def _share(value: object) -> float:
    """Return ``value`` as the share of the answers that get a fault.

    Raises ValueError unless it is above 0 and at most 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError(f"not a share: {value!r}")
    return float(value)


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")


@contextlib.asynccontextmanager
async def _answer_source(options: argparse.Namespace, rng: random.Random) -> AsyncIterator[AnswerSource]:
    written = WrittenTexts(Side(options.side), options.model, Pace(first=options.first, chunk=options.chunk), rng)
    if not options.llm:
        yield written
        return
    timeout = aiohttp.ClientTimeout(total=120)
    with llama_server(options.model) as url:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            yield LlamaCpp(url, session, written, CANDIDATE_TEMPERATURE if written.side is Side.CANDIDATE else None)


async def serve(options: argparse.Namespace) -> None:
    """Run a demo backend until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rng = random.Random(options.seed)
    async with _answer_source(options, rng) as source:
        app = BackendServer(options.model, source, rng).app()
        runner = await serve_app(app, f"{options.host}:{options.port}", f"the demo's {options.side}")
        await stop.wait()
        await runner.cleanup()


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--host", default="127.0.0.1", help="address to listen on; in a container: 0.0.0.0")
    options.add_argument("--port", type=int, required=True, help="port to listen on")
    options.add_argument(
        "--side", choices=[side.value for side in Side], required=True, help="side whose answers to give"
    )
    options.add_argument("--model", required=True, help="name of the model in the answers")
    options.add_argument("--first", type=float, default=Pace().first, help="median seconds until the first chunk")
    options.add_argument("--chunk", type=float, default=Pace().chunk, help="median seconds between two chunks")
    options.add_argument("--seed", type=int, default=1, help="seed of the random numbers")
    options.add_argument("--llm", action="store_true", help="answer with SmolLM2 on llama.cpp")
    return options


if __name__ == "__main__":
    asyncio.run(serve(parser().parse_args()))
