"""Requests that a backend accepts directly pass through Envoy too: old protocols and large headers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.envoy_with_backends import PATH, EnvoySetup, envoy_with_backends


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
