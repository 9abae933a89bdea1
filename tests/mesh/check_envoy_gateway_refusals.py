"""Callers that a user's policies refuse are refused with Glidepath as without it, with the same status."""

from __future__ import annotations

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
from tests.mesh.traffic import PATH, backends, credentials_at, statuses
from tests.support.ext_authz_server import authorizer
from tests.support.users_protections import json_web_keys, json_web_token
from tests.support.waiting import eventually

SHARES = (0, 50, 100)


def documents(folder: Path, own: str, policies: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return the resources without Glidepath and with it. The EnvoyProxy is the same, so that Envoy keeps running."""
    done = render(folder, "envoy-gateway", into=[http_route()], into_proxy=[envoy_proxy()])
    theirs = [one for one in gateway_documents(own) if one["kind"] != "EnvoyProxy"]
    common = [*theirs, *done.completed["into_proxy"], *policies]
    return [*common, http_route()], [*common, *done.completed["into"], *done.resources]


@pytest.mark.parametrize("target", get_args(Target))
@pytest.mark.parametrize("name", NAMES)
async def test_who_was_refused_is_refused_and_who_was_allowed_is_allowed(
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
                await eventually(lambda: served_by(among, refusal, "onprem"), within=60)
            for share in SHARES:
                await among.shares.set(share)
                among.clear()
                await refused(among, refusal)
                assert among.own.received == among.onprem.received == [], "no backend gets a refused request"
                assert await allowed(among, refusal) <= {0: {"own"}, 50: {"own", "onprem"}, 100: {"onprem"}}[share]
            assert credentials_at(among.onprem) <= {""}


async def refused(among: Parts, refusal: Refusal) -> None:
    """Wait until the policy is in force, and check that it refuses with its status."""
    caller = among.caller(URL, refusal.refused)

    async def in_force() -> bool:
        return statuses(await caller.ask()) == {refusal.status}

    await eventually(in_force, within=60, what=f"a policy in force: {await caller.ask()}")
    assert statuses(await caller.ask(10)) == {refusal.status}


async def allowed(among: Parts, refusal: Refusal) -> set[str]:
    """Return the backends that serve an allowed caller, whom nothing refuses; without such a caller, none."""
    if refusal.allowed is None:
        return set()
    seen = await among.caller(URL, refusal.allowed).ask(10)
    assert statuses(seen) == {200}
    return set(backends(seen))


async def served_by(among: Parts, refusal: Refusal, backend: str) -> bool:
    return set(backends(await among.caller(URL, refusal.allowed).ask())) == {backend}


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
async def test_a_preflight_is_answered_as_before(control_planes: ControlPlanes, tmp_path: Path, target: Target) -> None:
    async with parts(tmp_path, CLUSTER, shadow={"sample": 0}) as among:
        before, after = documents(tmp_path, among.own.url, cors(target))
        with envoy_gateway(control_planes, tmp_path, before) as gateway:
            await eventually(lambda: serves(among), within=60)
            await eventually(lambda: preflight_is_right(among), within=60)
            gateway.apply(after)
            await eventually(lambda: gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED, within=60)
            await among.shares.set(100)
            await eventually(lambda: posts_to_the_candidate(among), within=60)
            for share in SHARES:
                await among.shares.set(share)
                among.clear()
                assert await preflight_is_right(among)
                assert among.onprem.received == []


async def serves(among: Parts) -> bool:
    return statuses(await among.caller(URL).ask()) == {200}


async def posts_to_the_candidate(among: Parts) -> bool:
    return set(backends(await among.caller(URL).ask())) == {"onprem"}


async def preflight_is_right(among: Parts) -> bool:
    """Return whether the allowed origin is allowed, and another is not."""
    found = []
    for origin in ("https://a.test", "https://b.test"):
        headers = {"origin": origin, "access-control-request-method": "POST"}
        async with among.session.options(URL + PATH, headers=headers) as response:
            found.append(response.headers.get("access-control-allow-origin"))
    return found == ["https://a.test", None]
