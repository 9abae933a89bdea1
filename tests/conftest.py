"""Fixtures that more than one folder uses: the real Redis, free ports, a configuration that is valid."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from hypothesis import settings

from glidepath_ops.local import child_process
from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.local.redis_and_envoy import start_redis
from tests.support.fast_run import FOLDERS, forbid_processes_and_torch, is_fast
from tests.support.logs_of_a_failed_test import log_ends
from tests.support.steady_environment import make_steady
from tests.support.waiting_tasks import waiting_tasks

# Tests start real servers by fork and exec beside gRPC servers of their own; gRPC's fork handlers crash the child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# Hypothesis fails an example that takes longer than 200 ms. On a busy machine, that says nothing about the code.
settings.register_profile("without_deadline", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=25)  # of 100; a test's own number stays
settings.load_profile("without_deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only tests that start no process and load no torch")
    parser.addoption(
        "--envoy-versions", action="store_true", help="also other versions of Envoy than the installed one"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--fast"):
        settings.load_profile("fast")


def pytest_sessionstart() -> None:
    make_steady()
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    child_process.PORTS = child_process.PORTS[number::count]  # no port of another process whose server starts later


def pytest_collection_finish() -> None:
    """Collect garbage rarely, and ignore the objects that exist now: collections took a tenth of the tests' time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--fast") and collection_path.name in FOLDERS else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("first") is None)
    if not config.getoption("--fast"):
        return
    config.hook.pytest_deselected(items=[item for item in items if not is_fast(item)])
    items[:] = [item for item in items if is_fast(item)]
    forbid_processes_and_torch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and call.excinfo is not None and str(call.excinfo.value).startswith("Timeout"):
        report.sections.append(("Waiting tasks", waiting_tasks()))
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None:
        report.sections += [(f"End of {name}", text) for name, text in log_ends(folder)]
    return report


VALID = """\
backends:
  cloud: {url: "http://127.0.0.1:9001", model: gpt-4o-mini}
  onprem: {url: "http://127.0.0.1:9002", model: llama-3.1-8b}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    task: chat
    baseline: cloud
    candidate: onprem
    sticky: {header: x-user-id}
"""


@pytest.fixture
def valid_yaml() -> str:
    return VALID


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Child, int]]:
    """One real Redis (or Valkey) for the whole run; tests that stop Redis start their own."""
    port = free_ports(1)[0]
    with start_redis(Path(tmp_path_factory.mktemp("redis")), port) as child:
        yield child, port


@pytest.fixture
async def redis_url(redis_server: tuple[Child, int]) -> str:
    """The URL of ``redis_server``, with all data deleted."""
    url = f"redis://127.0.0.1:{redis_server[1]}/0"
    client = redis.asyncio.from_url(url)
    await client.flushall()
    await client.aclose()
    return url


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Any]:
    """A client of ``redis_server``, with all data deleted."""
    client = redis.asyncio.from_url(redis_url)
    yield client
    await client.aclose()
