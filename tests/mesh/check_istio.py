"""The output of ``glidepath render istio``, given to Istio's validation and to its control plane with a real Envoy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from glidepath_ops.doctor.gather_facts import gather_envoy
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.istio_lab import Istio, Role, refusals
from tests.mesh.istio_under_test import (
    CANDIDATES,
    CLUSTERS,
    ROLES,
    Mesh,
    as_usual,
    mesh,
    shows_all,
    split_on_istio,
    what_the_backend_gets,
    without,
)
from tests.mesh.mesh_under_test import Parts, failed_checks, parts
from tests.mesh.request_reading import PREFIX, check_the_reading
from tests.mesh.sticky_values import STICKY, check_sticky_values
from tests.mesh.traffic import PATH, backends, credentials_at, prompt_size, statuses
from tests.mesh.whole_answers import LIMITS, check_whole_answers
from tests.support.waiting import eventually

QUICK = {"first_byte_timeout": "3s"}
roles = pytest.mark.parametrize("role", ROLES)


@roles
async def test_istios_validation_accepts_all_resources(
    control_planes: ControlPlanes, tmp_path: Path, role: Role
) -> None:
    async with parts(tmp_path, CLUSTERS[role], sticky={"header": "x-user-id"}) as among:
        documents = mesh(role, control_planes, tmp_path, among).with_glidepath()
        assert refusals(control_planes, tmp_path / "valid", documents) == []
        for one in documents:
            if one["kind"] == "EnvoyFilter":
                one["spec"]["configPatches"][-1]["patch"]["value"]["typed_per_filter_config"]["x"] = {"no": "type"}
        assert refusals(control_planes, tmp_path / "wrong", documents) != []


@pytest.mark.parametrize("in_mesh", [False, True], ids=["url", "service of the mesh"])
@roles
async def test_the_split_the_fallback_and_the_capture_work(
    control_planes: ControlPlanes, tmp_path: Path, role: Role, in_mesh: bool
) -> None:
    settings = {"sticky": {"header": "x-user-id"}, "shadow": {"sample": 0}}
    candidate = CANDIDATES[role] if in_mesh else None
    split = split_on_istio(control_planes, tmp_path, role, candidate, QUICK, **settings)
    async with split as (under_test, running):
        await check_the_split(under_test)
        await check_the_fallback(under_test)
        await check_the_capture(under_test)
        await check_large_bodies(under_test)
        await check_the_copies(under_test.among)
        await check_doctor(under_test, running)
        await check_a_dead_candidate(under_test)


async def check_doctor(under_test: Mesh, running: Istio) -> None:
    assert failed_checks(under_test.among.config, await gather_envoy(running.admin)) == []


@roles
async def test_below_a_prefix_requests_are_read_before_they_are_split(
    control_planes: ControlPlanes, tmp_path: Path, role: Role
) -> None:
    async with split_on_istio(control_planes, tmp_path, role, **PREFIX) as (under_test, running):
        await check_the_reading(under_test.among, under_test.caller())
        await check_doctor(under_test, running)


@roles
async def test_a_slow_whole_answer_is_waited_for_and_a_slow_stream_is_not(
    control_planes: ControlPlanes, tmp_path: Path, role: Role
) -> None:
    async with split_on_istio(control_planes, tmp_path, role, onprem=LIMITS) as (under_test, _):
        await check_whole_answers(under_test.among, under_test.caller())


@roles
async def test_doctor_says_what_an_envoy_lacks_without_the_filter(
    control_planes: ControlPlanes, tmp_path: Path, role: Role
) -> None:
    async with parts(tmp_path, CLUSTERS[role]) as among:
        under_test = mesh(role, control_planes, tmp_path, among)
        with under_test.running("istio", without(under_test.with_glidepath(), "EnvoyFilter")) as running:
            await under_test.ready(running)
            failed = failed_checks(among.config, await gather_envoy(running.admin))
            assert {one.check for one in failed} >= {
                "runtime layer",
                "clusters",
                "listeners",
                "filters",
                "chat: routes",
            }
            assert all("EnvoyFilter" in one.remedy for one in failed)


@roles
async def test_an_empty_sticky_header_is_no_value(control_planes: ControlPlanes, tmp_path: Path, role: Role) -> None:
    async with split_on_istio(control_planes, tmp_path, role, **STICKY) as (under_test, running):
        await check_sticky_values(under_test.among, under_test.caller(), under_test.caller(x_user_id=""))
        await check_doctor(under_test, running)


async def check_the_split(under_test: Mesh) -> None:
    """Check that half of the users get the candidate, and that each user stays on one side."""
    among, caller = under_test.among, under_test.caller()
    await among.shares.set(50)
    among.clear()
    first = await caller.ask(200)
    assert statuses(first) == {200}
    assert 60 <= backends(first)["onprem"] <= 140
    assert credentials_at(among.onprem) == {""}
    assert credentials_at(among.own) == {"Bearer of-the-client"}
    assert backends(await caller.ask(200)) == backends(first)
    assert {who for _ in range(20) for who in backends(await caller.ask())} in ({"own"}, {"onprem"})


async def check_the_fallback(under_test: Mesh) -> None:
    """Check that the user's cluster answers if the candidate fails. Try each kind of failure.

    The cluster must get the request with the changes of the user's route.
    """
    among, caller = under_test.among, under_test.caller()
    await among.shares.set(0)
    among.clear()
    await caller.ask()
    usual = as_usual(among.own.last.headers)
    await among.shares.set(100)
    for behaviour, status in (("status", 503), ("status", 429), ("status", 401), ("reset", 0), ("hang", 0)):
        among.onprem.behaviour, among.onprem.status = behaviour, status  # type: ignore[assignment]
        among.clear()
        count = 3 if behaviour == "hang" else 20  # each waits for first_byte_timeout
        assert await caller.ask(count) == Counter({(200, "own"): count}), (behaviour, status)
        assert len(among.onprem.received) == count
        assert {one.headers["authorization"] for one in among.own.received} == {"Bearer of-the-client"}
        assert as_usual(among.own.received[0].headers) == usual
        assert among.own.last.model == "client-model"
    among.onprem.behaviour = "json"


async def check_the_capture(under_test: Mesh) -> None:
    among = under_test.among
    # 100 % comes before 50 %: the test waits there for all 200 streams, so that none arrives in the next round
    for percent, least, most in ((0, 0, 0), (100, 200, 200), (50, 60, 140)):
        await among.shares.capture(percent)
        among.clear()
        await under_test.caller().ask(200)
        await eventually(lambda least=least: len(among.collector.streams) >= least)  # type: ignore[misc]
        assert len(among.collector.streams) <= most
    await among.shares.capture(0)


async def check_the_copies(among: Parts) -> None:
    for target, who in (("onprem", "onprem"), ("cloud", "own")):
        assert await among.sender_of_copies(target).ask(5) == Counter({(200, who): 5})


async def check_a_dead_candidate(under_test: Mesh) -> None:
    """Check that the baseline answers all requests once the candidate is stopped. It is not started again."""
    await under_test.among.onprem.__aexit__()
    assert await under_test.caller().ask(20) == Counter({(200, "own"): 20})


async def check_large_bodies(under_test: Mesh) -> None:
    among = under_test.among
    await among.shares.set(100)
    for size in (1_000, 40_000, 3_000_000):
        among.onprem.behaviour = "json"
        assert backends(await under_test.caller().ask(2, size=size)) == {"onprem": 2}, size
        assert prompt_size(among.onprem) == size
        among.onprem.behaviour, among.onprem.status = "status", 503
        assert await under_test.caller().ask(2, size=size) == Counter({(200, "own"): 2}), size
        assert prompt_size(among.own) == size
    among.onprem.behaviour = "json"
    too_long = 30_000_000  # its model cannot be replaced in bounded time
    assert await under_test.caller().ask(2, size=too_long) == Counter({(200, "own"): 2})
    assert prompt_size(among.own) == too_long


@roles
async def test_other_methods_and_paths_go_where_they_went(
    control_planes: ControlPlanes, tmp_path: Path, role: Role
) -> None:
    async with split_on_istio(control_planes, tmp_path, role) as (under_test, _):
        await under_test.among.shares.set(100)
        caller = under_test.caller()
        assert backends(await caller.ask(5)) == {"onprem": 5}
        for method in ("OPTIONS", "GET", "PUT", "DELETE"):
            assert backends(await caller.ask(3, method=method)) == {"own": 3}, method
        assert backends(await caller.ask(3, path="/v1/embeddings")) == {"own": 3}


def filter_missing(documents: list[Any]) -> list[Any]:
    return without(documents, "EnvoyFilter")


def filter_for_other_labels(documents: list[Any]) -> list[Any]:
    found = deepcopy(documents)
    for one in found:
        if one["kind"] == "EnvoyFilter":
            one["spec"]["workloadSelector"]["labels"] = {"app": "another"}
    return found


@roles
@pytest.mark.parametrize("change", [filter_missing, filter_for_other_labels])
async def test_without_the_filter_the_users_backend_gets_the_same_requests(
    control_planes: ControlPlanes, tmp_path: Path, role: Role, change: Callable[[list[Any]], list[Any]]
) -> None:
    async with parts(tmp_path, CLUSTERS[role]) as among:
        under_test = mesh(role, control_planes, tmp_path, among)
        before = await what_the_backend_gets(under_test, "before", under_test.without_glidepath)
        after = await what_the_backend_gets(under_test, "after", change(under_test.with_glidepath()))
        # Istio names a route's operation after its path, and the copy has a narrower one
        operations = [one[2].pop("x-envoy-decorator-operation") for one in after]
        usual = [one[2].pop("x-envoy-decorator-operation") for one in before]
        assert operations == [usual[0].split("/")[0] + PATH, *usual[1:]]
        assert after == before
        assert [one[0] for one in after] == ["POST", "GET", "OPTIONS"]


@roles
async def test_at_a_share_of_0_the_users_backend_gets_the_same_requests(
    control_planes: ControlPlanes, tmp_path: Path, role: Role
) -> None:
    """Nothing has pushed a weight yet, so the candidate's share is that of the routes: 0."""
    async with parts(tmp_path, CLUSTERS[role]) as among:
        under_test = mesh(role, control_planes, tmp_path, among)
        before = await what_the_backend_gets(under_test, "before", under_test.without_glidepath)
        documents = under_test.with_glidepath()
        assert await what_the_backend_gets(under_test, "after", documents, shows=documents) == before


CORS = {"allowOrigins": [{"exact": "https://app.example"}], "allowMethods": ["POST"], "unmatchedPreflights": "IGNORE"}
RULES = {
    "request": {"set": {"x-team": "blue"}, "add": {"x-more": "more"}, "remove": ["x-unwanted"]},
    "response": {"set": {"x-answered": "by-own-route"}},
}


async def test_the_rules_of_the_virtual_service_hold_for_both_sides(
    control_planes: ControlPlanes, tmp_path: Path
) -> None:
    entry = {"corsPolicy": CORS, "headers": RULES, "rewrite": {"uri": "/own/"}}
    async with parts(tmp_path, CLUSTERS["gateway"]) as among:
        under_test = mesh("gateway", control_planes, tmp_path, among, **entry)
        caller = under_test.caller(origin="https://app.example", x_unwanted="yes")
        with under_test.running("before", under_test.without_glidepath) as running:
            await under_test.ready(running)
            among.clear()
            answer = await caller.answer()
            (received,) = among.own.received
            usual = as_usual(received.headers), received.path, received.body
        assert usual[1] == "/own/chat/completions"
        assert (usual[0]["x-team"], usual[0]["x-more"]) == ("blue", "more")
        assert "x-unwanted" not in usual[0]
        assert answer["x-answered"] == "by-own-route"
        assert answer["access-control-allow-origin"] == "https://app.example"
        with under_test.running("after", under_test.with_glidepath()) as running:
            await under_test.ready(running)
            for share, behaviour in ((0, "json"), (100, "status"), (100, "reset"), (100, "json")):
                await among.shares.set(share)
                among.onprem.behaviour = behaviour  # type: ignore[assignment]
                among.clear()
                assert visible(await caller.answer()) == visible(answer), (share, behaviour)
                if (share, behaviour) == (100, "json"):
                    assert among.onprem.last.path == "/v1/chat/completions"
                    assert among.own.received == []
                else:
                    (received,) = among.own.received
                    assert (as_usual(received.headers), received.path, received.body) == usual, (share, behaviour)
            among.clear()
            assert backends(await among.sender_of_copies("cloud", {"x-unwanted": "yes"}).ask()) == {"own": 1}
            (copy,) = among.own.received
            rules = {name: copy.headers.get(name) for name in ("x-team", "x-more", "x-unwanted")}
            assert (copy.path, rules) == (usual[1], {"x-team": "blue", "x-more": "more", "x-unwanted": None})


def visible(answer: dict[str, str]) -> dict[str, str]:
    """Return the answer's headers that the user's rules set."""
    return {name: answer[name] for name in ("x-answered", "access-control-allow-origin")}


async def test_the_fault_of_the_virtual_service_holds(control_planes: ControlPlanes, tmp_path: Path) -> None:
    abort = {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}
    async with parts(tmp_path, CLUSTERS["gateway"]) as among:
        under_test = mesh("gateway", control_planes, tmp_path, among, fault=abort)
        documents = {"before": under_test.without_glidepath, "after": under_test.with_glidepath()}
        for name, shares in (("before", ()), ("after", (0, 50, 100))):
            with under_test.running(name, documents[name]) as running:
                await eventually(lambda: is_aborted(under_test), within=60)
                await eventually(lambda n=name, r=running: shows_all(r, documents[n]), within=60)  # type: ignore[misc]
                for share in shares:
                    await among.shares.set(share)
                    assert statuses(await under_test.caller().ask(10)) == {418}, share
        assert among.own.received == among.onprem.received == []


async def is_aborted(under_test: Mesh) -> bool:
    return statuses(await under_test.caller().ask()) == {418}


async def test_the_timeout_of_the_virtual_service_holds(control_planes: ControlPlanes, tmp_path: Path) -> None:
    async with parts(tmp_path, CLUSTERS["gateway"], fallback=False) as among:
        under_test = mesh("gateway", control_planes, tmp_path, among, timeout="1s")
        among.own.behaviour = among.onprem.behaviour = "hang"
        documents = {"before": under_test.without_glidepath, "after": under_test.with_glidepath()}
        for name, shares in (("before", ()), ("after", (0, 100))):
            with under_test.running(name, documents[name]):
                await eventually(lambda: times_out(under_test), within=60)
                for share in shares:
                    await among.shares.set(share)
                    among.clear()
                    assert statuses(await under_test.caller().ask(2)) == {504}, share
                    assert bool(among.onprem.received) == (share == 100)


async def times_out(under_test: Mesh) -> bool:
    return statuses(await under_test.caller().ask()) == {504}
