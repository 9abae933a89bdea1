"""A split on a real Envoy Gateway over time: changes under load, a person's curl, silence, leases, many streams."""

from __future__ import annotations

import asyncio
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tests.mesh import all_processes_killed
from tests.mesh.all_processes_killed import ARMS
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.envoy_gateway_lab import EnvoyGateway, envoy_gateway
from tests.mesh.envoy_gateway_under_test import (
    CLUSTER,
    HTTPS_URL,
    KINDS,
    MERGED_V2_HTTPS,
    PLAIN,
    PROGRAMMED,
    URL,
    Kind,
    has_aggregate,
    ready,
    split_on_envoy_gateway,
    user_documents,
    with_glidepath,
)
from tests.mesh.gateway_policies import limits
from tests.mesh.leased_split import LEASED, check_the_lease
from tests.mesh.long_silence import check_long_silence
from tests.mesh.many_streams import HOLD_S, STREAMS, statuses_of_many
from tests.mesh.mesh_under_test import parts
from tests.mesh.traffic import Caller, backends, statuses
from tests.support.waiting import eventually


@pytest.mark.parametrize("kind", KINDS)
async def test_the_policy_removed_and_put_back_under_load_at_a_share_of_0_fails_no_request(
    control_planes: ControlPlanes, tmp_path: Path, kind: str
) -> None:
    """The documented order: the share first, then the policy. Envoy Gateway removes clusters before routes."""
    tested = KINDS[kind]
    async with parts(tmp_path, CLUSTER) as among:
        documents = with_glidepath(tmp_path, among.own.url, tested)
        without_policy = [one for one in documents if one["kind"] != "EnvoyPatchPolicy"]
        with envoy_gateway(control_planes, tmp_path, documents, tested.options) as gateway:
            await ready(gateway, among)
            await among.shares.set(50)
            end = asyncio.Event()
            load = asyncio.create_task(among.caller(tested.url).ask_until(end))
            await eventually(lambda: len(among.onprem.received) >= 20)
            await among.shares.set(0)
            for resources in (without_policy, documents) * 2:
                gateway.apply(resources)
                patched = resources is documents
                await eventually(lambda p=patched: has_aggregate(gateway) == p, within=60)  # type: ignore[misc]
                enough = len(among.own.received) + 50
                await eventually(lambda n=enough: len(among.own.received) >= n)  # type: ignore[misc]
            end.set()
            assert statuses(await load) == {200}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_persons_curl_wins_over_the_scorers_weights(
    control_planes: ControlPlanes, tmp_path: Path, kind: str
) -> None:
    tested = KINDS[kind]
    async with split_on_envoy_gateway(control_planes, tmp_path, tested) as (among, gateway):
        await among.shares.set(0)
        caller = among.caller(tested.url)
        assert backends(await caller.ask(5)) == {"own": 5}
        await among.set_by_curl(gateway.admin, 100)
        assert backends(await caller.ask(20)) == {"onprem": 20}


@pytest.mark.parametrize("kind", [PLAIN, MERGED_V2_HTTPS], ids=["plain", "merged, names v2 and https"])
async def test_130_s_of_silence_break_no_answer(control_planes: ControlPlanes, tmp_path: Path, kind: Kind) -> None:
    """The user's route has no request timeout, so neither side gets one, at any of the Gateway's listeners."""
    async with split_on_envoy_gateway(control_planes, tmp_path, kind) as (among, _):
        await among.shares.set(50)
        callers = [among.caller(url) for url in sorted({URL, kind.url})]
        await check_long_silence([among.own, among.onprem], callers)


HOSTS = ("a.example", "b.example")


async def test_one_policy_splits_all_hosts_of_an_http_and_an_https_listener(
    control_planes: ControlPlanes, tmp_path: Path
) -> None:
    async with parts(tmp_path, CLUSTER) as among:
        documents = with_glidepath(tmp_path, among.own.url, KINDS["https"], hostnames=HOSTS)
        callers = [among.caller(url, {"host": host}) for url in (HTTPS_URL, URL) for host in HOSTS]
        with envoy_gateway(control_planes, tmp_path, documents) as gateway:
            for caller in callers:
                await eventually(lambda c=caller: serves(c), within=60)  # type: ignore[misc]
            assert gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED
            for share, backend in ((0, "own"), (100, "onprem")):
                await among.shares.set(share)
                for caller in callers:
                    assert await caller.ask(5) == Counter({(200, backend): 5}), (share, caller.url, caller.headers)
            assert statuses(await among.caller(URL).ask()) == {404}, "another host is not served, as before"


async def serves(caller: Caller) -> bool:
    return statuses(await caller.ask()) == {200}


async def test_a_split_ends_with_its_lease_and_the_users_own_rule_serves(
    control_planes: ControlPlanes, tmp_path: Path
) -> None:
    async with split_on_envoy_gateway(control_planes, tmp_path, **LEASED) as (among, _):
        await check_the_lease(among.config, among.caller(URL))


@pytest.mark.parametrize("arm", ARMS)
async def test_what_clients_see_when_glidepath_is_dead_and_the_candidate_fails(
    control_planes: ControlPlanes, tmp_path: Path, arm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate, workload = ARMS[arm]
    async with split_on_envoy_gateway(control_planes, tmp_path, PLAIN, None, candidate, **workload) as (among, _):
        lines = await all_processes_killed.check_clients(among, among.caller(URL), arm)
        with capsys.disabled():
            print("", *(f"envoy gateway | {line}" for line in lines), sep="\n")


async def test_at_a_share_of_0_two_thousand_open_answers_are_served_as_before(
    control_planes: ControlPlanes, tmp_path: Path, many_files: None
) -> None:
    """The user's limits are raised, because Envoy Gateway's limits refuse some requests even without Glidepath."""
    async with parts(tmp_path, CLUSTER, sticky=None) as among:
        seen = {}
        documents = {
            "before": [*user_documents(among.own.url), limits(MOST)],
            "after": [*with_glidepath(tmp_path, among.own.url), limits(MOST)],
        }
        for name in documents:
            (tmp_path / name).mkdir()
            with envoy_gateway(control_planes, tmp_path / name, documents[name]) as gateway:
                await ready(gateway, among)
                await eventually(lambda g=gateway: has_limits(g), within=60)  # type: ignore[misc]
                if name == "after":
                    await among.shares.set(0)
                among.clear()
                among.own.delay = HOLD_S
                seen[name] = await statuses_of_many(among.caller(URL)), len(among.own.received)
                among.own.delay = 0
        assert seen["after"] == seen["before"] == (Counter({200: STREAMS}), STREAMS)
        assert among.onprem.received == []


MOST = 4000  # requests that the user's limits let run at a time


def has_limits(gateway: EnvoyGateway) -> bool:
    """Return whether the user's limits are in force in each cluster of the HTTPRoute."""
    with urllib.request.urlopen(f"{gateway.admin}/clusters", timeout=10) as response:
        lines = response.read().decode().splitlines()
    found = [line for line in lines if line.startswith("httproute/default/own/") and "::max_requests::" in line]
    default = [line for line in found if "::default_priority::" in line]
    return bool(default) and all(line.endswith(f"::{MOST}") for line in default)
