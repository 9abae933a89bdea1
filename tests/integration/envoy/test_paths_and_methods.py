"""Tests of the paths and methods with which a request gets a backend's credential, through a real Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from yarl import URL

from glidepath import envoy_names
from tests.support.envoy_with_backends import PATH, EnvoySetup, envoy_with_backends

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIVE_PREFIX, EXACT = "/pre", {"match": {"path": PATH}, "baseline": "cloud", "candidate": "onprem"}
PREFIX = {"match": {"path_prefix": LIVE_PREFIX}, "baseline": "cloud", "candidate": "onprem", "fallback": False}
PROBED = {**EXACT, "match": {"path_prefix": "/probed/"}, "probes": {"file": "probes.jsonl", "path": "/other.path?a=b"}}
OURS = {"credential": {"env": "HOME"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EnvoySetup]:
    more = {"prefixed": PREFIX, "probed": PROBED}
    cloud = {**OURS, "url_path": "/tenant-a", "strip": LIVE_PREFIX}
    folder = tmp_path_factory.mktemp("setup")
    (folder / "probes.jsonl").write_text('{"messages": []}\n')
    async with envoy_with_backends(folder, cloud=cloud, onprem=OURS, workloads=more) as setup:
        yield setup


@pytest_asyncio.fixture(loop_scope="module")
async def setup(shared: EnvoySetup) -> EnvoySetup:
    shared.clear_received()
    return shared


async def status_of(setup: EnvoySetup, method: str, to: str, path: str, headers: dict[str, str] | None = None) -> int:
    """Send a request whose path the client leaves unchanged, and return the status of the answer."""
    url = URL(to + path, encoded=True)
    async with setup.session.request(method, url, headers=headers, data=b"{}" if method == "POST" else None) as reply:
        await reply.read()
        return reply.status


def copy_of(workload: str, target: str = "cloud") -> dict[str, str]:
    return {envoy_names.HEADER_WORKLOAD: workload, envoy_names.HEADER_TARGET: target}


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("/pre/chat?a=/../b//c", "/tenant-a/chat?a=/../b//c"),
        ("/pre/./chat", "/tenant-a/chat"),
        ("/pre/x/../chat", "/tenant-a/chat"),
        ("/pre/x/%2e%2E/chat", "/tenant-a/chat"),
        ("/pre//chat", "/tenant-a/chat"),
        ("//pre///chat", "/tenant-a/chat"),
        ("/pre/arn%3Aaws%3Aprofile%2Fname/chat", "/tenant-a/arn%3Aaws%3Aprofile%2Fname/chat"),
    ],
)
async def test_a_backend_gets_the_path_that_envoy_has_compared(setup: EnvoySetup, sent: str, received: str) -> None:
    assert await status_of(setup, "POST", setup.envoy.live, sent) == 200
    assert [one.path for one in setup.cloud.received] == [received]


@pytest.mark.parametrize("listener", ["live", "shadow"])
@pytest.mark.parametrize(
    "path",
    [
        "/pre/../admin/keys",
        "/pre/%2e%2e/admin/keys",
        "/pre/.%2E/admin/keys",
        "/pre/..\\admin/keys",
        "/pre/..%2fadmin/keys",
        "/pre/%2e%2e%2Fadmin/keys",
        "/pre/..%5cadmin/keys",
        "/pre/x%2f..%2f..%2fadmin/keys",
        "/pre/x/..%2f..%2fadmin/keys",
        "/pre/%2f..%2fadmin/keys",
        "/pre//../../admin/keys",
        "/pre/..//admin/keys",
        "/pre/..;/admin/keys",
        "/pre/..;a=b/admin/keys",
        "/pre/%2e%2e;/admin/keys",
        "/pre/.%2e;/admin/keys",
        "/pre/..%3b/admin/keys",
    ],
)
async def test_no_path_leaves_the_paths_of_a_workload(setup: EnvoySetup, listener: str, path: str) -> None:
    headers = copy_of("prefixed") if listener == "shadow" else {}
    assert await status_of(setup, "POST", getattr(setup.envoy, listener), path, headers) in (400, 404)
    assert setup.cloud.received == setup.onprem.received == []


@pytest.mark.parametrize("listener", ["live", "shadow"])
@pytest.mark.parametrize("path", [PATH, "/pre/chat"])
async def test_trace_reaches_no_backend(setup: EnvoySetup, listener: str, path: str) -> None:
    headers = copy_of("chat" if path == PATH else "prefixed") if listener == "shadow" else {}
    assert await status_of(setup, "TRACE", getattr(setup.envoy, listener), path, headers) == 405
    assert setup.cloud.received == setup.onprem.received == []


@pytest.mark.parametrize("listener", ["live", "shadow"])
async def test_connect_reaches_no_backend(setup: EnvoySetup, listener: str) -> None:
    address = URL(getattr(setup.envoy, listener))
    reader, writer = await asyncio.open_connection(address.host, address.port)
    headers = "".join(f"{name}: {value}\r\n" for name, value in copy_of("chat").items())
    writer.write(f"CONNECT cloud:80 HTTP/1.1\r\nhost: cloud:80\r\n{headers}\r\n".encode())
    status = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert status.split()[1] in (b"404", b"405")
    assert setup.cloud.received == setup.onprem.received == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"])
async def test_the_shadow_listener_serves_only_posts(setup: EnvoySetup, method: str) -> None:
    assert await status_of(setup, method, setup.envoy.shadow, PATH, copy_of("chat")) == 405
    assert setup.cloud.received == []


@pytest.mark.parametrize(
    ("workload", "path"),
    [
        ("chat", "/v1/files"),
        ("chat", PATH + "/x"),
        ("chat", PATH + "x"),
        ("chat", "/x" + PATH),
        ("chat", "/pre/chat"),
        ("chat", "/"),
        ("prefixed", "/prefix"),
        ("prefixed", PATH),
        ("probed", "/otherxpath"),
        ("probed", "/other.path/x"),
    ],
)
async def test_the_shadow_listener_serves_no_other_path(setup: EnvoySetup, workload: str, path: str) -> None:
    for target in ("cloud", "onprem"):
        assert await status_of(setup, "POST", setup.envoy.shadow, path, copy_of(workload, target)) == 404
    assert setup.cloud.received == setup.onprem.received == []


@pytest.mark.parametrize(
    ("workload", "path"),
    [
        ("chat", PATH),
        ("chat", PATH + "?api-version=2"),
        ("prefixed", "/pre"),
        ("prefixed", "/pre?a=b"),
        ("prefixed", "/pre/chat"),
        ("probed", "/probed/x"),
        ("probed", "/other.path"),
        ("probed", "/other.path?a=b"),
    ],
)
async def test_the_shadow_listener_serves_the_paths_of_copies_and_probes(
    setup: EnvoySetup, workload: str, path: str
) -> None:
    for target in ("cloud", "onprem"):
        assert await status_of(setup, "POST", setup.envoy.shadow, path, copy_of(workload, target)) == 200
    assert [len(one.received) for one in (setup.cloud, setup.onprem)] == [1, 1]
