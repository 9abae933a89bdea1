"""A real Envoy between a gRPC client and two gRPC servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from glidepath_ops.local.child_process import free_ports
from tests.support.envoy_with_backends import EnvoySetup, envoy_with_backends

METHOD = "/inference.GRPCInferenceService/ModelInfer"
UNPACKAGED = "/Inference/Infer"  # a service without a package


class Echo(grpc.GenericRpcHandler):
    """A gRPC service that answers each message with the message and the name of the backend, in both directions."""

    def __init__(self, name: str) -> None:
        self._name = name

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def echo(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
            async for one in requests:
                yield self._name.encode() + b":" + one

        return grpc.stream_stream_rpc_method_handler(echo)


class Failing(grpc.GenericRpcHandler):
    """A gRPC service that fails each call with one status. ``first``: messages that it sends before."""

    def __init__(self, status: grpc.StatusCode, *first: bytes) -> None:
        self._status, self._first = status, first

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def fail(request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
            for one in self._first:
                yield one
            await context.abort(self._status, "the engine ended")

        return grpc.unary_stream_rpc_method_handler(fail)


@dataclass(frozen=True, slots=True)
class GrpcSetup:
    setup: EnvoySetup
    channel: grpc.aio.Channel
    path: str

    async def infer(self, message: bytes) -> bytes:
        answer: bytes = await self.channel.unary_unary(self.path)(message, timeout=60)
        return answer

    async def exchange(self, messages: int) -> list[bytes]:
        """Send each message only after the answer to the one before. Return the answers."""
        call, answers = self.channel.stream_stream(self.path)(timeout=60), []
        for number in range(messages):
            await call.write(b"%d" % number)
            answers.append(await call.read())
        await call.done_writing()
        return answers


@asynccontextmanager
async def grpc_backends(
    folder: Path,
    cloud: grpc.GenericRpcHandler | None = None,
    onprem: grpc.GenericRpcHandler | None = None,
    *,
    path: str = METHOD,
    models: Mapping[str, str] | None = None,
    binary: Path | None = None,
    envoy: Mapping[str, Any] | None = None,
    **chat: Any,
) -> AsyncIterator[GrpcSetup]:
    """Run Envoy and two gRPC servers. ``models``: backend → its ``model``. ``chat``: settings of the workload.

    ``binary``: an Envoy other than the installed one. ``envoy``: settings of this section.
    """
    servers: list[grpc.aio.Server] = []
    sides: dict[str, Any] = {}
    services = {"cloud": cloud or Echo("cloud"), "onprem": onprem or Echo("onprem")}
    for (name, service), port in zip(services.items(), free_ports(2), strict=True):
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((service,))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        servers.append(server)
        model = (models or {}).get(name)
        sides[name] = {"url": f"http://127.0.0.1:{port}", "protocol": "http2", "model": model}
    chat = {"match": {"path": path}, "shadow": {"sample": 0}, **chat}
    try:
        async with (
            envoy_with_backends(folder, **sides, chat=chat, binary=binary, envoy=envoy or {}) as setup,
            grpc.aio.insecure_channel(setup.envoy.live.removeprefix("http://")) as channel,
        ):
            yield GrpcSetup(setup, channel, path)
    finally:
        await asyncio.gather(*(server.stop(0) for server in servers))
