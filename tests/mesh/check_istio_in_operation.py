"""A split on Istio's control plane over time: changes under load, a person's curl, silence, leases, many streams."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.mesh import all_processes_killed
from tests.mesh.all_processes_killed import ARMS
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.istio_lab import Role
from tests.mesh.istio_under_test import CLUSTERS, ROLES, mesh, shows_all, split_on_istio, without
from tests.mesh.leased_split import LEASED, check_the_lease
from tests.mesh.long_silence import check_long_silence
from tests.mesh.many_streams import HOLD_S, STREAMS, statuses_of_many
from tests.mesh.mesh_under_test import parts
from tests.mesh.traffic import backends, statuses
from tests.support.waiting import eventually

roles = pytest.mark.parametrize("role", ROLES)


@roles
async def test_130_s_of_silence_break_no_answer(control_planes: ControlPlanes, tmp_path: Path, role: Role) -> None:
    async with split_on_istio(control_planes, tmp_path, role) as (under_test, _):
        among = under_test.among
        await among.shares.set(50)
        await check_long_silence([among.own, among.onprem], [under_test.caller()])


@roles
async def test_a_persons_curl_sets_the_share_where_the_scorer_writes_to_the_admin_api(
    control_planes: ControlPlanes, tmp_path: Path, role: Role
) -> None:
    """With RTDS, curl would have no effect: the scorer's layer is above that of the admin API."""
    async with split_on_istio(control_planes, tmp_path, role, actuator="admin") as (under_test, running):
        documents = under_test.with_glidepath()
        await eventually(lambda: shows_all(running, documents), within=60)
        for share, backend in ((0, "own"), (100, "onprem"), (0, "own")):
            await under_test.among.set_by_curl(running.admin, share)
            assert backends(await under_test.caller().ask(20)) == {backend: 20}, share


@pytest.mark.parametrize("share", [0, 50])
@roles
async def test_the_filter_removed_and_put_back_under_load_fails_no_request(
    control_planes: ControlPlanes, tmp_path: Path, role: Role, share: int
) -> None:
    """The documented order is the routes first, then the EnvoyFilter. At a share of 0, only the filter is removed."""
    async with parts(tmp_path, CLUSTERS[role]) as among:
        under_test = mesh(role, control_planes, tmp_path, among)
        documents = under_test.with_glidepath()
        no_filter = without(documents, "EnvoyFilter")
        no_routes = [*under_test.without_glidepath, *(one for one in documents if one["kind"] == "EnvoyFilter")]
        changes = [no_routes, under_test.without_glidepath, documents] if share else [no_filter, documents]
        with under_test.running("istio", documents) as running:
            await under_test.ready(running)
            await among.shares.set(share)
            end = asyncio.Event()
            load = asyncio.create_task(under_test.caller().ask_until(end))
            for resources in changes * 3:
                running.apply(resources)
                await eventually(lambda r=resources: shows_all(running, r), within=60)  # type: ignore[misc]
                enough = len(among.own.received) + 50
                await eventually(lambda n=enough: len(among.own.received) >= n)  # type: ignore[misc]
            end.set()
            seen = await load
            assert statuses(seen) == {200}, seen
            assert (backends(seen)["onprem"] > 0) == (share > 0)
            assert running.refused() == []


@roles
async def test_a_split_ends_with_its_lease_and_the_users_own_route_serves(
    control_planes: ControlPlanes, tmp_path: Path, role: Role
) -> None:
    async with split_on_istio(control_planes, tmp_path, role, **LEASED) as (under_test, _):
        await check_the_lease(under_test.among.config, under_test.caller())


@pytest.mark.parametrize("arm", ARMS)
async def test_what_clients_see_when_glidepath_is_dead_and_the_candidate_fails(
    control_planes: ControlPlanes, tmp_path: Path, arm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate, workload = ARMS[arm]
    async with split_on_istio(control_planes, tmp_path, "gateway", None, candidate, **workload) as (under_test, _):
        lines = await all_processes_killed.check_clients(under_test.among, under_test.caller(), arm)
        with capsys.disabled():
            print("", *(f"istio | {line}" for line in lines), sep="\n")


async def test_at_a_share_of_0_two_thousand_open_answers_are_served_as_before(
    control_planes: ControlPlanes, tmp_path: Path, many_files: None
) -> None:
    async with parts(tmp_path, CLUSTERS["gateway"], sticky=None) as among:
        under_test, seen = mesh("gateway", control_planes, tmp_path, among), {}
        documents = {"before": under_test.without_glidepath, "after": under_test.with_glidepath()}
        for name in documents:
            with under_test.running(name, documents[name]) as running:
                await under_test.ready(running)
                if name == "after":
                    await among.shares.set(0)
                among.clear()
                among.own.delay = HOLD_S
                seen[name] = await statuses_of_many(under_test.caller()), len(among.own.received)
                among.own.delay = 0
        assert seen["after"] == seen["before"] == (Counter({200: STREAMS}), STREAMS)
        assert among.onprem.received == []
