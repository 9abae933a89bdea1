"""Glidepath inserted into existing Envoys: their routes stay unchanged, and their traffic is split and captured."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import aiohttp
import pytest
import yaml

from glidepath import envoy_names, runtime_keys
from glidepath.config import parse_config
from glidepath_ops.envoyconfig.insert_into_bootstrap import InsertionPoint, insert_glidepath
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy
from tests.support.envoy_collector import Collector
from tests.support.envoy_with_backends import PATH
from tests.support.recording_backend import Recorder
from tests.support.tls_certificate import make_certificate
from tests.support.user_bootstraps import INSERTABLE, filled
from tests.support.waiting import eventually

BODY = json.dumps({"model": "m", "messages": []})


@pytest.mark.parametrize("name", INSERTABLE)
async def test_the_users_routes_answer_as_before_and_glidepath_routes_work(name: str, tmp_path: Path) -> None:
    text, listener, virtual_host = INSERTABLE[name]
    listen, admin, other, shadow = free_ports(4)
    tls = make_certificate(tmp_path, "gateway.test") if "tls" in name else None
    scheme = "https" if tls else "http"
    base, control = f"{scheme}://127.0.0.1:{listen}", f"http://127.0.0.1:{admin}"
    trust = aiohttp.TCPConnector(ssl=_trusting() if tls else True)
    async with (
        Recorder("theirs") as theirs,
        Recorder("onprem") as onprem,
        Collector(tmp_path / "extproc.sock") as collector,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), connector=trust) as session,
    ):
        before = filled(text, listen=listen, admin=admin, backend=theirs.port, other=other, tls=tls)
        bootstrap = tmp_path / "envoy.yaml"
        bootstrap.write_text(before)
        with start_envoy(bootstrap, control, tmp_path / "before.log", concurrency=1):
            status, headers, _ = await _get(session, f"{base}/other")
            seen = theirs.last.headers
        config = parse_config(_config(tmp_path / "extproc.sock", shadow, onprem.url))
        bootstrap.write_text(insert_glidepath(before, config, "envoy.yaml", InsertionPoint(listener, virtual_host)))
        with start_envoy(bootstrap, control, tmp_path / "after.log", concurrency=1):
            # an unmatched request: the same answer, and the same request at the user's backend
            assert await _get(session, f"{base}/other") == (status, headers, "theirs")
            assert _steady(theirs.last.headers) == _steady(seen)
            assert not collector.streams
            # a matched request: to the user's own cluster, and after one POST to the candidate
            await _chat(session, base)
            assert (theirs.last.model, onprem.received) == ("m", [])
            candidate, baseline = (runtime_keys.weight_key("chat", entry) for entry in ("onprem-or-cloud", "theirs"))
            weights = f"{candidate}=10000&{baseline}=0"
            async with session.post(f"{control}/runtime_modify?{weights}") as response:
                assert response.status == 200
            await _chat(session, base)
            assert onprem.last.model == "onprem-model"
            await eventually(lambda: len(collector.streams) == 2)
            await eventually(lambda: _logged_workloads(collector) == ["chat", "chat"])
            if name == "own-filters":
                assert onprem.last.headers["x-team"] == "a"  # the user's filters still run on Glidepath's routes


def _logged_workloads(collector: Collector) -> list[str]:
    entries = collector.entries.get(envoy_names.LIVE_LOG, [])
    found = [entry.common_properties.custom_tags.get(envoy_names.WORKLOAD_TAG, "") for entry in entries]
    return [workload for workload in found if workload not in ("", "-")]


def _steady(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("x-request-id", "host")}


def _trusting() -> ssl.SSLContext:
    """Return a TLS context that checks no certificate: the test's certificate names another host."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _config(socket: Path, shadow: int, onprem: str) -> str:
    return yaml.safe_dump(
        {
            "envoy": {"shadow_listen": f"127.0.0.1:{shadow}"},
            "extproc": {"listen": f"unix:{socket}"},
            "backends": {
                "cloud": {"cluster": "theirs", "host": "api.test"},
                "onprem": {"url": onprem, "model": "onprem-model", "first_byte_timeout": "10s"},
            },
            "workloads": {"chat": {"match": {"path": PATH}, "baseline": "cloud", "candidate": "onprem"}},
        }
    )


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[int, set[str], str]:
    """Return the status, the names of the answer's headers, and the backend."""
    async with session.get(url) as response:
        answer = json.loads(await response.read())
        return response.status, {name.lower() for name in response.headers}, _who(answer)


def _who(answer: object) -> str:
    text = json.dumps(answer)
    return next((name for name in ("theirs", "onprem") if name in text), text)


async def _chat(session: aiohttp.ClientSession, base: str) -> None:
    async with session.post(base + PATH, data=BODY, headers={"content-type": "application/json"}) as response:
        assert response.status == 200, await response.text()
        await response.read()
