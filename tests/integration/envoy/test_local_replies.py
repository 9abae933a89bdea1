"""Requests that no side answered, at a real Envoy: extproc finds the party at fault in the access log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from extproc.outcome_classification import LocalReply, RequestOutcome, classify
from extproc.workloads import build_workloads
from glidepath import envoy_names, runtime_keys
from glidepath.outcome_summaries import AtFault
from glidepath.sides import Side
from tests.support.envoy_with_backends import PATH, EnvoySetup, envoy_with_backends
from tests.support.running_envoy import Edit
from tests.support.waiting import eventually

REQUESTS = 40


def without_cluster(name: str) -> Edit:
    """Return an edit that removes a cluster, as a control plane's push may do."""

    def edit(bootstrap: dict[str, Any]) -> None:
        parts = bootstrap["static_resources"]
        parts["clusters"] = [cluster for cluster in parts["clusters"] if cluster["name"] != name]
        for listener in parts["listeners"]:
            for chain in listener["filter_chains"]:
                chain["filters"][0]["typed_config"]["route_config"]["validate_clusters"] = False

    return edit


def dropping(cluster: str, percent: int) -> Edit:
    """Return an edit that lets Envoy drop a share of a cluster's requests (``drop_overloads``)."""

    def edit(bootstrap: dict[str, Any]) -> None:
        one = next(c for c in bootstrap["static_resources"]["clusters"] if c["name"] == cluster)
        share = {"category": "test", "drop_percentage": {"numerator": percent, "denominator": "HUNDRED"}}
        one["load_assignment"]["policy"] = {"drop_overloads": [share]}

    return edit


def overloaded(bootstrap: dict[str, Any]) -> None:
    """Let Envoy's overload manager refuse every request."""
    monitor = {
        "name": "envoy.resource_monitors.fixed_heap",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
            "max_heap_size_bytes": 1,
        },
    }
    trigger = {"name": monitor["name"], "threshold": {"value": 0.5}}
    bootstrap["overload_manager"] = {
        "refresh_interval": "0.05s",
        "resource_monitors": [monitor],
        "actions": [{"name": "envoy.overload_actions.stop_accepting_requests", "triggers": [trigger]}],
    }


async def classified(setup: EnvoySetup, requests: int) -> list[RequestOutcome | LocalReply]:
    """Return what extproc reads from the entries of this many requests; each must be counted."""
    log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
    await eventually(lambda: len(log) >= requests)
    workloads = build_workloads(setup.envoy.config)
    found = [classify(entry, workloads, shadow=False) for entry in log]
    assert None not in found
    return [one for one in found if one is not None]


@pytest.mark.parametrize("fallback", [True, False])
@pytest.mark.parametrize("side", list(Side))
async def test_a_missing_cluster_is_the_error_of_the_side_that_the_split_chose(
    tmp_path: Path, side: Side, fallback: bool
) -> None:
    candidate = "onprem-or-cloud" if fallback else "onprem"
    gone = candidate if side is Side.CANDIDATE else "cloud"
    chat = {"start": 50, "fallback": fallback}
    async with envoy_with_backends(tmp_path, chat=chat, edit=without_cluster(gone)) as setup:
        statuses = [(await setup.post()).status for _ in range(REQUESTS)]
        found = await classified(setup, REQUESTS)
        failed = [one for one in found if isinstance(one, RequestOutcome) and one.error]
        assert statuses.count(503) == len(failed) > 0
        assert {(one.side, one.error) for one in failed} == {(side, "no_cluster")}
        served = {one.side for one in found if isinstance(one, RequestOutcome) and not one.error}
        assert served == {side.other}


async def test_no_backend_sees_the_mark_of_the_candidates_entry(tmp_path: Path) -> None:
    for fallback in (True, False):
        async with envoy_with_backends(tmp_path, chat={"start": 100, "fallback": fallback}) as setup:
            assert (await setup.post()).status == 200
            (seen,) = setup.onprem.received
            assert not [name for name in seen.headers if name.lower().startswith("x-glidepath")]


@pytest.mark.parametrize("percent", [100, 60])
async def test_what_envoy_drops_for_a_cluster_is_the_error_of_its_side(tmp_path: Path, percent: int) -> None:
    chat = {"start": 100, "fallback": False}
    async with envoy_with_backends(tmp_path, chat=chat, edit=dropping("onprem", percent)) as setup:
        dropped = [(await setup.post()).status for _ in range(REQUESTS)].count(503)
        errors = [
            (one.side, one.error)
            for one in await classified(setup, REQUESTS)
            if isinstance(one, RequestOutcome) and one.error
        ]
        assert len(errors) == dropped > 0
        assert set(errors) == {(Side.CANDIDATE, "dropped")}


async def test_an_overloaded_envoy_is_no_error_of_a_side(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"start": 50}, edit=overloaded) as setup:
        statuses = [0]
        while statuses[-1] != 503:
            statuses.append((await setup.post()).status)
        found = await classified(setup, len(statuses) - 1)
        replies = [(one.side, one.at_fault, one.kind) for one in found if isinstance(one, LocalReply)]
        assert replies == [(None, AtFault.ENVOY, "overload")]


async def test_a_split_without_any_weight_leaves_the_requests_to_the_baseline(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"start": 50}) as setup:
        config = setup.envoy.config
        clusters = (config.candidate_cluster("chat"), config.baseline_cluster("chat"))
        setup.envoy.modify({runtime_keys.weight_key("chat", cluster): 0 for cluster in clusters})
        assert (await setup.post()).status == 200
        assert (len(setup.cloud.received), len(setup.onprem.received)) == (1, 0)


async def test_an_upload_that_stops_is_the_clients_fault(tmp_path: Path) -> None:
    quick = {"idle_timeout": "200ms", "first_byte_timeout": "100ms"}
    async with envoy_with_backends(tmp_path, onprem=quick, cloud=quick) as setup:

        async def stops() -> AsyncIterator[bytes]:
            yield b'{"messages": ['
            await asyncio.Event().wait()

        with contextlib.suppress(aiohttp.ClientError):
            async with setup.session.post(setup.envoy.live + PATH, data=stops()) as answer:
                assert answer.status == 408
        (one,) = await classified(setup, 1)
        assert isinstance(one, LocalReply)
        assert (one.at_fault, one.kind) == (AtFault.CLIENT, "slow_upload")
