"""The output of ``glidepath render envoy-gateway``, applied to a real Envoy Gateway with a real Envoy behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from glidepath_ops.doctor.gather_facts import gather_envoy
from tests.mesh.base_resources import HTTP_PORT, envoy_proxy, gateway_documents, http_route
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.envoy_gateway_lab import Options, envoy_gateway
from tests.mesh.envoy_gateway_under_test import (
    CLUSTER,
    KINDS,
    PLAIN,
    PROGRAMMED,
    URL,
    Kind,
    ready,
    split_on_envoy_gateway,
    user_documents,
    with_glidepath,
)
from tests.mesh.mesh_under_test import Parts, failed_checks, parts
from tests.mesh.rendered import render
from tests.mesh.request_reading import PREFIX, check_the_reading
from tests.mesh.sticky_values import STICKY, check_sticky_values
from tests.mesh.traffic import PATH, Caller, backends, credentials_at, prompt_size, statuses, without_volatile
from tests.mesh.whole_answers import LIMITS, check_whole_answers
from tests.support.waiting import eventually

VLLM = "httproute/default/vllm/rule/0"  # the cluster of another HTTPRoute of the user's
QUICK = {"first_byte_timeout": "3s"}
METHODS = ("POST", "GET", "OPTIONS")


@pytest.mark.parametrize(("kind", "candidate"), [*((kind, None) for kind in KINDS), ("plain", VLLM), ("https", VLLM)])
async def test_the_split_the_fallback_and_the_capture_work(
    control_planes: ControlPlanes, tmp_path: Path, kind: str, candidate: str | None
) -> None:
    tested = KINDS[kind]
    settings = {"sticky": {"header": "x-user-id"}, "shadow": {"sample": 0}}
    split = split_on_envoy_gateway(control_planes, tmp_path, tested, candidate, QUICK, **settings)
    async with split as (among, gateway):
        caller = among.caller(tested.url)
        await among.shares.set(50)
        first = await caller.ask(200)
        assert statuses(first) == {200}
        assert 60 <= backends(first)["onprem"] <= 140
        assert credentials_at(among.onprem) == {""}
        assert credentials_at(among.own) == {"Bearer of-the-client"}
        assert backends(await caller.ask(200)) == backends(first), "each user stays on one side"
        await check_the_fallback(among, caller)
        await check_the_capture(among, caller)
        await check_large_bodies(among, caller)
        await check_the_copies(among)
        assert failed_checks(among.config, await gather_envoy(gateway.admin)) == []
        await check_a_dead_candidate(among, caller)


async def check_the_fallback(among: Parts, caller: Caller) -> None:
    """Check that the user's own backend answers if the candidate fails. Try each kind of failure.

    The backend must get the request with the changes of the user's route.
    """
    await among.shares.set(0)
    among.clear()
    await caller.ask()
    usual = without_volatile(among.own.last.headers)
    await among.shares.set(100)
    for behaviour, status in (("status", 503), ("status", 429), ("status", 401), ("reset", 0), ("hang", 0)):
        among.onprem.behaviour, among.onprem.status = behaviour, status  # type: ignore[assignment]
        among.clear()
        count = 3 if behaviour == "hang" else 20  # each waits for first_byte_timeout
        assert await caller.ask(count) == Counter({(200, "own"): count}), (behaviour, status)
        assert len(among.onprem.received) == count
        assert without_volatile(among.own.last.headers) | {"x-envoy-attempt-count": ""} == usual | {
            "x-envoy-attempt-count": ""
        }
        assert among.own.last.model == "client-model"
    among.onprem.behaviour = "json"


async def check_the_capture(among: Parts, caller: Caller) -> None:
    # 100 % comes before 50 %: the test waits there for all 200 streams, so that none arrives in the next round
    for percent, least, most in ((0, 0, 0), (100, 200, 200), (50, 60, 140)):
        await among.shares.capture(percent)
        among.clear()
        await caller.ask(200)
        await eventually(lambda least=least: len(among.collector.streams) >= least)  # type: ignore[misc]
        assert len(among.collector.streams) <= most
    await among.shares.capture(0)


async def check_the_copies(among: Parts) -> None:
    for target, who in (("onprem", "onprem"), ("cloud", "own")):
        assert await among.sender_of_copies(target).ask(5) == Counter({(200, who): 5})


async def check_a_dead_candidate(among: Parts, caller: Caller) -> None:
    """Check that the baseline answers all requests once the candidate is stopped. It is not started again."""
    await among.onprem.__aexit__()
    assert await caller.ask(20) == Counter({(200, "own"): 20})


async def check_large_bodies(among: Parts, caller: Caller) -> None:
    await among.shares.set(100)
    for size in (1_000, 40_000, 3_000_000):
        among.onprem.behaviour = "json"
        assert backends(await caller.ask(2, size=size)) == {"onprem": 2}, size
        assert prompt_size(among.onprem) == size
        among.onprem.behaviour, among.onprem.status = "status", 503
        assert await caller.ask(2, size=size) == Counter({(200, "own"): 2}), size
        assert prompt_size(among.own) == size
    among.onprem.behaviour = "json"
    too_long = 30_000_000  # its model cannot be replaced in bounded time
    assert await caller.ask(2, size=too_long) == Counter({(200, "own"): 2})
    assert prompt_size(among.own) == too_long


@pytest.mark.parametrize("kind", ["plain", "names v2"])
async def test_below_a_prefix_requests_are_read_before_they_are_split(
    control_planes: ControlPlanes, tmp_path: Path, kind: str
) -> None:
    tested = KINDS[kind]
    async with split_on_envoy_gateway(control_planes, tmp_path, tested, **PREFIX) as (among, gateway):
        await check_the_reading(among, among.caller(URL))
        assert failed_checks(among.config, await gather_envoy(gateway.admin)) == []


async def test_a_slow_whole_answer_is_waited_for_and_a_slow_stream_is_not(
    control_planes: ControlPlanes, tmp_path: Path
) -> None:
    async with split_on_envoy_gateway(control_planes, tmp_path, onprem=LIMITS) as (among, _):
        await check_whole_answers(among, among.caller(URL))


async def test_a_new_route_splits_only_requests_that_envoy_has_read(
    control_planes: ControlPlanes, tmp_path: Path
) -> None:
    """The user has no HTTPRoute, so the baseline is the cluster of the url in ``backends``."""
    async with parts(tmp_path, None, **PREFIX) as among:
        done = render(tmp_path, "envoy-gateway", "--new-route", into_proxy=[envoy_proxy()])
        theirs = [one for one in gateway_documents(among.own.url) if one["kind"] != "EnvoyProxy"]
        documents = [*theirs, *done.completed["into_proxy"], *done.resources]
        with envoy_gateway(control_planes, tmp_path, documents) as gateway:
            await ready(gateway, among)
            assert gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED
            await check_the_reading(among, among.caller(URL))


@pytest.mark.parametrize("kind", ["plain", "names v2", "new route"])
async def test_an_empty_sticky_header_is_no_value(control_planes: ControlPlanes, tmp_path: Path, kind: str) -> None:
    tested = KINDS.get(kind, PLAIN)
    is_new = kind == "new route"
    async with parts(tmp_path, None if is_new else CLUSTER, **STICKY) as among:
        if is_new:
            done = render(tmp_path, "envoy-gateway", "--new-route", into_proxy=[envoy_proxy()])
            theirs = [one for one in gateway_documents(among.own.url) if one["kind"] != "EnvoyProxy"]
            documents = [*theirs, *done.completed["into_proxy"], *done.resources]
        else:
            documents = with_glidepath(tmp_path, among.own.url, tested)
        with envoy_gateway(control_planes, tmp_path, documents, tested.options) as gateway:
            await ready(gateway, among)
            assert gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED
            await check_sticky_values(among, among.caller(URL), among.caller(URL, {"x-user-id": ""}))
            assert failed_checks(among.config, await gather_envoy(gateway.admin)) == []


@pytest.mark.parametrize(("replacement", "path"), [("/own", "/own/chat/completions"), ("/", "/chat/completions")])
async def test_a_copy_for_the_baseline_is_made_as_the_users_rule_makes_a_request(
    control_planes: ControlPlanes, tmp_path: Path, replacement: str, path: str
) -> None:
    changes = {"set": [{"name": "x-team", "value": "%%blue"}], "remove": ["x-unwanted"]}
    rewrite = {"hostname": "models.example", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": replacement}}
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": changes},
        {"type": "URLRewrite", "urlRewrite": rewrite},
    ]
    sent = {"x-unwanted": "yes"}
    async with split_on_envoy_gateway(control_planes, tmp_path, filters=filters) as (among, _):
        among.clear()
        for caller in (among.caller(URL, sent), among.sender_of_copies("cloud", sent)):
            assert backends(await caller.ask()) == {"own": 1}
        names = ("x-team", "x-unwanted", "host")
        for one in among.own.received:
            assert one.path == path
            assert [one.headers.get(name) for name in names] == ["%blue", None, "models.example"]
        assert len(among.own.received) == 2


async def test_other_methods_and_paths_go_where_they_went(control_planes: ControlPlanes, tmp_path: Path) -> None:
    async with split_on_envoy_gateway(control_planes, tmp_path) as (among, _):
        await among.shares.set(100)
        caller = among.caller(URL)
        assert backends(await caller.ask(5)) == {"onprem": 5}
        for method in ("OPTIONS", "GET", "PUT", "DELETE"):
            assert backends(await caller.ask(3, method=method)) == {"own": 3}, method
        assert backends(await caller.ask(3, path="/v1/embeddings")) == {"own": 3}


async def test_doctor_says_what_an_envoy_lacks_without_the_policy(
    control_planes: ControlPlanes, tmp_path: Path
) -> None:
    async with parts(tmp_path, CLUSTER) as among:
        documents = with_glidepath(tmp_path, among.own.url)
        with envoy_gateway(control_planes, tmp_path, documents, Options(patches=False)) as gateway:
            await ready(gateway, among)
            failed = failed_checks(among.config, await gather_envoy(gateway.admin))
            assert {one.check for one in failed} >= {"clusters", "listeners", "filters", "chat: routes"}
            assert all("envoypatchpolicy" in one.remedy for one in failed)


OFF = ("patches disabled", "policy missing", "policy not for this Gateway", "one of its listeners missing")


@pytest.mark.parametrize("off", OFF)
async def test_without_glidepaths_part_the_users_backend_gets_the_same_requests(
    control_planes: ControlPlanes, tmp_path: Path, off: str
) -> None:
    async with parts(tmp_path, CLUSTER) as among:
        users = user_documents(among.own.url)
        before, _ = await what_the_backend_gets(control_planes, tmp_path / "before", among, users)
        missing = Kind(arguments=("--listener", f"http:HTTP:{HTTP_PORT}", "--listener", "other:HTTP:9999"))
        kind = missing if off == "one of its listeners missing" else PLAIN
        documents = with_glidepath(tmp_path, among.own.url, kind)
        if off == "policy missing":
            documents = [one for one in documents if one["kind"] != "EnvoyPatchPolicy"]
        if off == "policy not for this Gateway":
            for one in documents:
                if one["kind"] == "EnvoyPatchPolicy":
                    one["spec"]["targetRef"]["name"] = "another"
        options = Options(patches=off != "patches disabled")
        after, reasons = await what_the_backend_gets(control_planes, tmp_path / "after", among, documents, options)
        assert after == before
        assert reasons != PROGRAMMED
        assert among.onprem.received == []


async def test_at_a_share_of_0_the_users_backend_gets_the_same_requests(
    control_planes: ControlPlanes, tmp_path: Path
) -> None:
    async with parts(tmp_path, CLUSTER) as among:
        users = user_documents(among.own.url)
        before, _ = await what_the_backend_gets(control_planes, tmp_path / "before", among, users)
        documents = with_glidepath(tmp_path, among.own.url)
        after = await what_the_backend_gets(control_planes, tmp_path / "after", among, documents)
        assert after == (before, PROGRAMMED)


async def what_the_backend_gets(
    programs: ControlPlanes,
    folder: Path,
    among: Parts,
    documents: Sequence[Any],
    options: Options = Options(),  # noqa: B008 - frozen
) -> tuple[list[tuple[str, str, dict[str, str], bytes]], list[str]]:
    """Return the requests that the user's backend gets, one of each kind, and the reasons in the policy's status."""
    with envoy_gateway(programs, folder, documents, options) as gateway:
        await ready(gateway, among)
        among.clear()
        for method in METHODS:
            assert statuses(await among.caller(URL).ask(method=method)) == {200}
        found = [(one.method, one.path, without_volatile(one.headers), one.body) for one in among.own.received]
        assert [method for method, *_ in found] == list(METHODS)
        return found, gateway.reasons("EnvoyPatchPolicy")


def test_the_path_of_the_tests_is_below_the_users_route() -> None:
    assert PATH.startswith(http_route()["spec"]["rules"][0]["matches"][0]["path"]["value"])
