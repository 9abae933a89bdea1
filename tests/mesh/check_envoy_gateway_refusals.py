"""A user's policies refuse the same callers, with the same status, with and without Glidepath."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.mesh.base_resources import envoy_proxy, gateway_documents, http_route
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.envoy_gateway_lab import envoy_gateway
from tests.mesh.envoy_gateway_under_test import CLUSTER, PROGRAMMED, URL
from tests.mesh.gateway_policies import LIMIT, NAMES, Refusal, Target, cors, refusals
from tests.mesh.mesh_under_test import Parts, parts
from tests.mesh.rendered import render
from tests.mesh.traffic import backends, credentials_at, statuses
from tests.support.ext_authz_server import authorizer
from tests.support.users_protections import ORIGIN, OTHER_ORIGIN, json_web_keys, json_web_token
from tests.support.waiting import eventually

SHARES = (0, 50, 100)
ALLOWED = {ORIGIN: ORIGIN}  # by the policy; the answer to another origin names none


def documents(folder: Path, own: str, policies: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return the resources without Glidepath and with it. The EnvoyProxy is the same, so that Envoy keeps running."""
    done = render(folder, "envoy-gateway", into=[http_route()], into_proxy=[envoy_proxy()])
    theirs = [one for one in gateway_documents(own) if one["kind"] != "EnvoyProxy"]
    common = [*theirs, *done.completed["into_proxy"], *policies]
    return [*common, http_route()], [*common, *done.completed["into"], *done.resources]


@pytest.mark.parametrize("target", get_args(Target))
@pytest.mark.parametrize("name", NAMES)
async def test_the_same_callers_are_refused_and_allowed_as_without_glidepath(
    control_planes: ControlPlanes, tmp_path: Path, name: str, target: Target
) -> None:
    async with authorizer() as port, parts(tmp_path, CLUSTER, shadow={"sample": 0}) as among:
        refusal = refusals(json_web_keys(), json_web_token(), ("127.0.0.1", port))[name]
        before, after = documents(tmp_path, among.own.url, refusal.documents(target))
        with envoy_gateway(control_planes, tmp_path, before) as gateway:
            await refused(among, refusal)
            assert await allowed(among, refusal) <= {"own"}
            gateway.apply(after)
            await eventually(lambda: gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED, within=60)
            await among.shares.set(100)
            if refusal.allowed is not None:
                await eventually(lambda: served_by(among, "onprem", refusal.allowed), within=60)
            for share in SHARES:
                await among.shares.set(share)
                among.clear()
                await refused(among, refusal)
                assert among.own.received == among.onprem.received == [], "no backend gets a refused request"
                assert await allowed(among, refusal) <= {0: {"own"}, 50: {"own", "onprem"}, 100: {"onprem"}}[share]
            assert credentials_at(among.onprem) <= {""}


async def refused(among: Parts, refusal: Refusal) -> None:
    """Wait until the policy is in force, and check the status of its refusal."""
    caller = among.caller(URL, refusal.refused)

    async def in_force() -> bool:
        return statuses(await caller.ask()) == {refusal.status}

    await eventually(in_force, within=60, what=f"a policy in force: {await caller.ask()}")
    assert statuses(await caller.ask(10)) == {refusal.status}


async def allowed(among: Parts, refusal: Refusal) -> set[str]:
    """Return the backends that serve an allowed caller; an empty set if the refusal has no allowed caller."""
    if refusal.allowed is None:
        return set()
    seen = await among.caller(URL, refusal.allowed).ask(10)
    assert statuses(seen) == {200}
    return set(backends(seen))


async def served_by(among: Parts, backend: str, headers: Mapping[str, str] | None = None) -> bool:
    """Return whether a caller with these headers is answered by ``backend``."""
    return await among.caller(URL, headers).ask() == Counter({(200, backend): 1})


@pytest.mark.parametrize("target", get_args(Target))
async def test_a_rate_limit_still_limits(control_planes: ControlPlanes, tmp_path: Path, target: Target) -> None:
    async with parts(tmp_path, CLUSTER, shadow={"sample": 0}) as among:
        before, after = documents(tmp_path, among.own.url, LIMIT.documents(target))
        with envoy_gateway(control_planes, tmp_path, before) as gateway:
            await refused(among, LIMIT)
            gateway.apply(after)
            await eventually(lambda: gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED, within=60)
            for share in SHARES:
                await among.shares.set(share)
                await refused(among, LIMIT)


@pytest.mark.parametrize("target", get_args(Target))
async def test_browsers_of_other_origins_are_refused_as_before(
    control_planes: ControlPlanes, tmp_path: Path, target: Target
) -> None:
    async with parts(tmp_path, CLUSTER, shadow={"sample": 0}) as among:
        before, after = documents(tmp_path, among.own.url, cors(target))
        with envoy_gateway(control_planes, tmp_path, before) as gateway:
            await eventually(lambda: served_by(among, "own"), within=60)
            await eventually(lambda: only_one_origin_is_allowed(among), within=60)
            gateway.apply(after)
            await eventually(lambda: gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED, within=60)
            await among.shares.set(100)
            await eventually(lambda: served_by(among, "onprem"), within=60)
            for share in SHARES:
                await among.shares.set(share)
                assert await only_one_origin_is_allowed(among), share


async def only_one_origin_is_allowed(among: Parts) -> bool:
    """Return whether preflights and answers allow ORIGIN alone. No preflight may reach the candidate."""
    among.clear()
    found = {}
    for method in ("OPTIONS", "POST"):
        for origin in (ORIGIN, OTHER_ORIGIN):
            caller = among.caller(URL, {"origin": origin, "access-control-request-method": "POST"})
            found[method, origin] = (await caller.answer(method)).get("access-control-allow-origin")
    assert {one.method for one in among.onprem.received} <= {"POST"}
    return found == {(method, origin): ALLOWED.get(origin) for method, origin in found}
