"""Requests that a backend accepts directly pass through Envoy too: old protocols and large headers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from glidepath_ops.local.child_process import free_ports
from tests.support.envoy_with_backends import PATH, EnvoySetup, envoy_with_backends

METHOD = "/inference.GRPCInferenceService/ModelInfer"


async def raw(setup: EnvoySetup, request: bytes) -> bytes:
    """Send bytes to the live listener. Return the bytes up to a complete answer or to the end of the connection."""
    host, _, port = setup.envoy.live.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        async with asyncio.timeout(60):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


@pytest.mark.parametrize("host", ["", "host: here\r\n"], ids=["without host", "with host"])
async def test_a_client_of_http_1_0_is_served(tmp_path: Path, host: str) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        body = b'{"model": "m", "messages": []}'
        head = f"POST {PATH} HTTP/1.0\r\n{host}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        assert b" 200 " in (await raw(setup, head.encode() + body)).partition(b"\r\n")[0]
        assert setup.cloud.last.headers["host"] == setup.cloud.url.removeprefix("http://")


async def test_requests_and_answers_may_have_many_and_large_headers(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        setup.cloud.more_headers = {f"x-answer-{n}": "b" * 700 for n in range(110)}
        reply = await setup.post(headers={f"x-own-{n}": "a" * 700 for n in range(110)})
        assert reply.status == 200
        assert setup.cloud.last.headers["x-own-109"] == "a" * 700
        assert reply.headers["x-answer-109"] == "b" * 700


async def test_the_limits_on_headers_are_the_configured_ones(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, envoy={"max_headers": 100, "max_header_bytes": "8KiB"}) as setup:
        assert (await setup.post(headers={f"x-own-{n}": "a" for n in range(120)})).status == 431
        assert (await setup.post(headers={"x-own": "a" * 9000})).status == 431


class _Infer(grpc.GenericRpcHandler):
    """A gRPC service that answers each call with the received message and the name of the backend."""

    def __init__(self, name: str) -> None:
        self._name = name

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        async def infer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            return self._name.encode() + b":" + request

        return grpc.unary_unary_rpc_method_handler(infer) if details.method == METHOD else None


class _Failing(grpc.GenericRpcHandler):
    """A gRPC service that fails each call with one status."""

    def __init__(self, status: grpc.StatusCode) -> None:
        self._status = status

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def infer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            await context.abort(self._status, "the engine ended")
            return b""

        return grpc.unary_unary_rpc_method_handler(infer)


@contextlib.asynccontextmanager
async def _grpc_calls(
    folder: Path, chat: dict[str, Any], cloud: grpc.GenericRpcHandler, onprem: grpc.GenericRpcHandler
) -> AsyncIterator[grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]]:
    """Yield the gRPC method of a workload whose two backends are these services."""
    servers, sides = [], {}
    for name, service, port in zip(("cloud", "onprem"), (cloud, onprem), free_ports(2), strict=True):
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((service,))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        servers.append(server)
        sides[name] = {"url": f"http://127.0.0.1:{port}", "protocol": "http2", "model": None}
    chat = {"match": {"path": METHOD}, "shadow": {"sample": 0}, **chat}
    try:
        async with (
            envoy_with_backends(folder, cloud=sides["cloud"], onprem=sides["onprem"], chat=chat) as setup,
            grpc.aio.insecure_channel(setup.envoy.live.removeprefix("http://")) as channel,
        ):
            yield channel.unary_unary(METHOD)
    finally:
        await asyncio.gather(*(server.stop(0) for server in servers))


@pytest.mark.parametrize("sticky", [{}, {"sticky": None}], ids=["random", "by conversation"])
@pytest.mark.parametrize(("share", "expected"), [(0, b"cloud:tensor"), (100, b"onprem:tensor")])
async def test_a_grpc_call_reaches_backends_that_speak_http_2(
    tmp_path: Path, share: int, expected: bytes, sticky: dict[str, Any]
) -> None:
    async with _grpc_calls(tmp_path, {"start": share, **sticky}, _Infer("cloud"), _Infer("onprem")) as infer:
        assert await infer(b"tensor", timeout=60) == expected


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
async def test_the_baseline_rescues_a_grpc_call_that_the_candidate_fails(
    tmp_path: Path, status: grpc.StatusCode
) -> None:
    async with _grpc_calls(tmp_path, {"start": 100}, _Infer("cloud"), _Failing(status)) as infer:
        assert await infer(b"tensor", timeout=60) == b"cloud:tensor"
