"""A user's resources refuse the same callers, with the same status, with and without Glidepath."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest

from glidepath_ops.local import child_process
from tests.mesh.base_resources import ISTIO_PORT
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.istio_lab import refusals
from tests.mesh.istio_protections import OTHER_ADDRESS, PROTECTIONS, Protection, Scope, rate_limit
from tests.mesh.istio_under_test import CLUSTERS, Mesh, mesh
from tests.mesh.mesh_under_test import parts
from tests.mesh.traffic import Caller, Seen, backends, statuses
from tests.support.ext_authz_server import authorizer
from tests.support.waiting import eventually

SHARES = {0: {"own"}, 50: {"own", "onprem"}, 100: {"onprem"}}  # who may answer at each share
scopes = pytest.mark.parametrize("scope", get_args(Scope))


@asynccontextmanager
async def allowed_caller(under_test: Mesh, protection: Protection) -> AsyncIterator[Caller]:
    caller = replace(under_test.caller(), headers=protection.allowed)
    address = (OTHER_ADDRESS, 0) if protection.from_other_address else None
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=address)) as session:
        yield replace(caller, session=session)


@scopes
@pytest.mark.parametrize("name", PROTECTIONS)
async def test_the_same_callers_are_refused_and_allowed_as_without_glidepath(
    control_planes: ControlPlanes, tmp_path: Path, name: str, scope: Scope
) -> None:
    async with authorizer() as port, parts(tmp_path, CLUSTERS["gateway"], shadow={"sample": 0}) as among:
        under_test = mesh("gateway", control_planes, tmp_path, among)
        protection = PROTECTIONS[name](scope, port)
        before, after = protected(under_test, protection.documents)
        assert refusals(control_planes, tmp_path / "valid", after) == []
        refused = replace(under_test.caller(), headers=protection.refused)
        async with allowed_caller(under_test, protection) as allowed:
            with under_test.running("before", before) as running:
                await eventually(lambda: answers(allowed, 200), within=60)
                assert statuses(await refused.ask(5)) == {protection.status}
                assert running.refused() == []
            with under_test.running("after", after) as running:
                await eventually(lambda: answers(allowed, 200), within=60)
                assert running.refused() == []
                for share, answering in SHARES.items():
                    await among.shares.set(share)
                    among.clear()
                    assert statuses(await refused.ask(20)) == {protection.status}, share
                    assert among.own.received == among.onprem.received == [], "no backend gets a refused request"
                    seen = await allowed.ask(40)
                    assert (statuses(seen), set(backends(seen))) == ({200}, answering), share


FILTERS_OF_TOKENS = ("envoy.filters.http.jwt_authn", "envoy.filters.http.rbac")
OFF = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}


def that_lose_the_tokens(documents: Sequence[Any]) -> list[Any]:
    """Return the resources with a fault: the routes with the split switch off the filters that check tokens."""
    found = deepcopy(list(documents))
    for one in found:
        for patch in one["spec"].get("configPatches", []):
            value = patch["patch"]["value"]
            if patch["applyTo"] == "HTTP_ROUTE" and "weighted_clusters" in value.get("route", {}):
                value["typed_per_filter_config"] |= dict.fromkeys(FILTERS_OF_TOKENS, OFF)
    assert found != documents
    return found


@scopes
@pytest.mark.parametrize("name", ["token missing", "token forged"])
async def test_a_split_that_lost_the_protection_serves_a_caller_that_must_be_refused(
    control_planes: ControlPlanes, tmp_path: Path, name: str, scope: Scope
) -> None:
    """Show that the test above can fail: with this fault, each side serves a caller that must be refused."""
    async with parts(tmp_path, CLUSTERS["gateway"], shadow={"sample": 0}) as among:
        under_test = mesh("gateway", control_planes, tmp_path, among)
        protection = PROTECTIONS[name](scope, 0)
        _, after = protected(under_test, protection.documents)
        refused = replace(under_test.caller(), headers=protection.refused)
        async with allowed_caller(under_test, protection) as allowed:
            with under_test.running("after", that_lose_the_tokens(after)) as running:
                await eventually(lambda: answers(allowed, 200), within=60)
                assert running.refused() == []
                for share, answering in SHARES.items():
                    await among.shares.set(share)
                    seen = await refused.ask(40)
                    assert (statuses(seen), set(backends(seen))) == ({200}, answering), share


def protected(under_test: Mesh, documents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the user's resources with a protection: without Glidepath, and with it."""
    return [*under_test.without_glidepath, *documents], [*under_test.with_glidepath(), *documents]


async def answers(caller: Caller, status: int) -> bool:
    return statuses(await caller.ask()) == {status}


@scopes
@pytest.mark.parametrize("share", SHARES)
async def test_a_rate_limit_allows_and_refuses_as_many_requests_as_without_glidepath(
    control_planes: ControlPlanes, tmp_path: Path, scope: Scope, share: int
) -> None:
    async with parts(tmp_path, CLUSTERS["gateway"], shadow={"sample": 0}) as among:
        under_test = mesh("gateway", control_planes, tmp_path, among)
        before, after = protected(under_test, rate_limit(scope, 20))
        with under_test.running("before", before):
            passed = await first_and_next(under_test, share=None)
        assert passed == (20, {200, 429})
        with under_test.running("after", after):
            assert await first_and_next(under_test, share=share) == passed


async def first_and_next(under_test: Mesh, share: int | None) -> tuple[int, set[int]]:
    """Send 30 requests to a fresh Envoy. Return how many reach a backend, and the statuses of all."""
    if share is not None:
        await under_test.among.shares.set(share)
    await eventually(lambda: child_process.answers("127.0.0.1", ISTIO_PORT), within=60)
    under_test.among.clear()
    seen: Seen = await under_test.caller().ask(30)
    received = under_test.among.own.received, under_test.among.onprem.received
    assert share is None or [bool(one) for one in received] == [share < 100, share > 0]
    return sum(len(one) for one in received), statuses(seen)


CORS = {"allowOrigins": [{"exact": "https://app.example"}], "allowMethods": ["POST"], "unmatchedPreflights": "IGNORE"}
ORIGINS = ("https://app.example", "https://other.example")


async def test_preflights_are_answered_as_before(control_planes: ControlPlanes, tmp_path: Path) -> None:
    async with parts(tmp_path, CLUSTERS["gateway"], shadow={"sample": 0}) as among:
        under_test = mesh("gateway", control_planes, tmp_path, among, corsPolicy=CORS)
        with under_test.running("before", under_test.without_glidepath) as running:
            await under_test.ready(running)
            usual = await preflights(under_test)
        allowed, other = usual
        assert allowed["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-origin" not in other
        with under_test.running("after", under_test.with_glidepath()) as running:
            await under_test.ready(running)
            for share in SHARES:
                await among.shares.set(share)
                assert await preflights(under_test) == usual, share


async def preflights(under_test: Mesh) -> list[dict[str, str]]:
    """Return the answers to a preflight from an allowed origin and from another. No preflight reaches a backend."""
    under_test.among.clear()
    found = []
    for origin in ORIGINS:
        answer = await under_test.caller(origin=origin, access_control_request_method="POST").answer("OPTIONS")
        found.append({name: value for name, value in answer.items() if name != "date"})
    assert under_test.among.own.received == under_test.among.onprem.received == []
    return found
