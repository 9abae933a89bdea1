"""Reading Glidepath's keys from the admin layer of an Envoy's runtime, and Envoys whose address leaves the DNS name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from glidepath_ops.local.child_process import free_ports
from scorer.steering.envoy.admin_actuator import SILENT_S, AdminActuator, DnsNames
from scorer.steering.envoy.admin_interface import CountPace, admin_layer, has_ended
from tests.support.json_values import JSON
from tests.support.waiting import eventually


def runtime(layers: list[str], **entries: list[str]) -> bytes:
    body = {"layers": layers, "entries": {f"glidepath.{k}": {"layer_values": v} for k, v in entries.items()}}
    return json.dumps(body).encode()


def test_the_layer_named_admin_counts_wherever_it_stands() -> None:
    body = runtime(["file", "admin", "later"], a=["1", "2", "3"], b=["1", "", "3"])
    assert admin_layer(body) == {"glidepath.a": "2"}


def test_without_a_layer_of_that_name_the_last_layer_counts() -> None:
    assert admin_layer(runtime(["file", "mine"], a=["1", "2"])) == {"glidepath.a": "2"}


def test_keys_of_others_are_not_read() -> None:
    body = {"layers": ["admin"], "entries": {"envoy.x": {"layer_values": ["1"]}}}
    assert admin_layer(json.dumps(body).encode()) == {}


def test_the_error_for_an_envoy_without_runtime_layers_says_what_to_add() -> None:
    with pytest.raises(ValueError, match="add an admin_layer to layered_runtime"):
        admin_layer(json.dumps({"layers": [], "entries": {}}).encode())


@given(st.one_of(st.binary(), JSON.map(lambda v: json.dumps(v).encode())))
def test_any_other_body_yields_our_keys_or_a_value_error(body: bytes) -> None:
    try:
        values = admin_layer(body)
    except ValueError:
        return
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in values.items())


@pytest.mark.parametrize(
    ("silent_s", "has_our_keys", "ended"),
    [(None, True, False), (SILENT_S - 1, True, False), (SILENT_S, True, True), (None, False, True), (0.0, False, True)],
)
def test_an_envoy_that_left_its_name_is_steered_until_it_is_silent_or_replaced(
    silent_s: float | None, has_our_keys: bool, ended: bool
) -> None:
    assert has_ended(silent_s, SILENT_S, has_our_keys=has_our_keys) is ended


@pytest.mark.parametrize(
    ("took_s", "between_s"),
    [
        ([], 0.2),
        ([1.4], 0.2),  # the first reading also opens the connection
        ([0.002, 0.5, 0.3], 0.2),  # the host is busy: Envoy needs 2 ms
        ([0.5, 0.6, 0.4], 4.0),  # Envoy has very many counters
    ],
)
def test_counters_are_read_less_often_only_if_an_envoy_is_always_slow(took_s: list[float], between_s: float) -> None:
    assert pace_after(*((took, False) for took in took_s)) == pytest.approx(between_s)


SLOW, REFUSED, TIMED_OUT = (0.4, False), (0.001, True), (2.0, True)


@pytest.mark.parametrize(
    ("readings", "between_s"),
    [
        ([SLOW, SLOW, SLOW, REFUSED], 4.0),
        ([SLOW, REFUSED, SLOW, REFUSED, SLOW, REFUSED], 4.0),
        ([REFUSED, SLOW, SLOW, SLOW], 4.0),
        ([REFUSED, REFUSED, REFUSED], 0.2),
        ([TIMED_OUT, TIMED_OUT, TIMED_OUT], 20.0),
    ],
)
def test_a_quick_failure_does_not_raise_the_rate_of_readings_of_a_slow_envoy(
    readings: list[tuple[float, bool]], between_s: float
) -> None:
    assert pace_after(*readings) == pytest.approx(between_s)


def pace_after(*readings: tuple[float, bool]) -> float:
    """Return the seconds between readings. ``readings``: (duration in seconds, whether it failed) of each so far."""
    pace = CountPace()
    for took_s, failed in readings:
        pace.add(took_s, failed=failed)
    return pace.between_s()


class AdminTwin:
    """An Envoy's admin interface, with the values that were written to it."""

    def __init__(self) -> None:
        self.values = {"glidepath.chat.weight.b": "50"}
        self.stats: object = {"stats": [{"name": "cluster.b.upstream_rq_total", "value": 3}]}
        self.asked: list[str] = []
        self.refused = ""

    async def runtime(self, _: web.Request) -> web.Response:
        entries = {key: {"layer_values": [value]} for key, value in self.values.items()}
        return web.json_response({"layers": ["admin"], "entries": entries})

    async def counters(self, request: web.Request) -> web.Response:
        self.asked.append(request.query_string)
        return web.json_response(self.stats)

    async def server_info(self, _: web.Request) -> web.Response:
        return web.json_response({"node": {"id": "north"}})

    async def modify(self, request: web.Request) -> web.Response:
        values = {key: str(value) for key, value in (await request.post()).items()}
        if self.refused in values:
            return web.Response(status=503, text="yaml-cpp: illegal map value")
        self.values.update(values)
        return web.Response(text="OK")


@asynccontextmanager
async def served(twin: AdminTwin) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/runtime", twin.runtime)
    app.router.add_get("/stats", twin.counters)
    app.router.add_get("/server_info", twin.server_info)
    app.router.add_post("/runtime_modify", twin.modify)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_ports(1)[0]
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_a_rollback_reaches_an_envoy_that_has_left_its_name_but_still_serves() -> None:
    twin, lookups = AdminTwin(), 0
    async with served(twin) as address:
        known = {address}

        async def resolver(_: str, __: int) -> set[str]:
            nonlocal lookups
            lookups += 1
            return set(known)

        actuator = AdminActuator(["dns://envoys:9901"], lambda: True, DnsNames(resolver, 0.05, 0.2))
        running = asyncio.create_task(actuator.run())
        await eventually(lambda: actuator.readings().get(address) == {"glidepath.chat.weight.b": "50"})
        known.clear()
        before = lookups
        await eventually(lambda: lookups > before + 2)
        actuator.submit({address: {"glidepath.chat.weight.b": "0"}})
        await eventually(lambda: twin.values["glidepath.chat.weight.b"] == "0")
    await eventually(lambda: not actuator.readings())  # the Envoy has ended
    running.cancel()
    await asyncio.wait({running})


@asynccontextmanager
async def running(actuator: AdminActuator) -> AsyncIterator[None]:
    task = asyncio.create_task(actuator.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_without_the_lease_only_a_retreat_is_sent_and_a_space_arrives_as_a_space() -> None:
    twin = AdminTwin()
    async with served(twin) as address:
        actuator = AdminActuator([address], lambda: False)
        async with running(actuator):
            await eventually(lambda: actuator.readings().get(address) is not None)
            actuator.submit({address: {"glidepath.chat.weight.b": "70"}})
            await eventually(lambda: "lease was lost" in actuator.problems().get(address, ""))
            assert twin.values["glidepath.chat.weight.b"] == "50"
            actuator.retreat({address: {"glidepath.chat.weight.b": "0", "glidepath.chat.retreat": "5 a & b=c"}})
            await eventually(lambda: twin.values["glidepath.chat.weight.b"] == "0")
            assert twin.values["glidepath.chat.retreat"] == "5 a & b=c"


async def test_a_retreat_is_sent_before_a_write_that_waits_and_takes_its_place() -> None:
    twin = AdminTwin()
    async with served(twin) as address:
        actuator = AdminActuator([address], lambda: True)
        async with running(actuator):
            await eventually(lambda: actuator.readings().get(address) is not None)
            actuator.submit({address: {"glidepath.chat.weight.b": "70", "glidepath.chat.shadow": "5"}})
            actuator.retreat({address: {"glidepath.chat.weight.b": "0"}})
            await eventually(lambda: twin.values.get("glidepath.chat.shadow") == "5")
            assert twin.values["glidepath.chat.weight.b"] == "0"
            written = {"glidepath.chat.weight.b": "0", "glidepath.chat.shadow": "5"}
            await eventually(lambda: actuator.readings()[address] == written)  # Envoy's answers to both come later


async def test_counters_are_read_once_they_are_asked_for_and_not_after() -> None:
    twin = AdminTwin()
    async with served(twin) as address:
        actuator = AdminActuator([address], lambda: True)
        async with running(actuator):
            await eventually(lambda: actuator.readings().get(address) is not None)
            assert not actuator.counters()
            actuator.count("/stats?format=json&filter=%5Ea%7Cb%24")
            await eventually(lambda: address in actuator.counters())
            reading = actuator.counters()[address]
            assert (reading.values, reading.node) == ({"cluster.b.upstream_rq_total": 3}, "north")
            assert twin.asked[0] == "format=json&filter=^a|b$"
            actuator.count("")
            assert not actuator.counters()


async def test_an_envoy_whose_counters_are_no_counters_is_still_steered() -> None:
    twin = AdminTwin()
    twin.stats = ["no", "counters"]
    async with served(twin) as address:
        actuator = AdminActuator([address], lambda: True)
        actuator.count("/stats")
        async with running(actuator):
            await eventually(lambda: bool(twin.asked))
            actuator.submit({address: {"glidepath.chat.weight.b": "70"}})
            await eventually(lambda: twin.values["glidepath.chat.weight.b"] == "70")
            assert not actuator.counters()
            assert not actuator.problems()


async def test_a_retreat_whose_reason_envoy_refuses_is_sent_without_it() -> None:
    twin = AdminTwin()
    twin.refused = "glidepath.chat.retreat"
    async with served(twin) as address:
        actuator = AdminActuator([address], lambda: False)
        async with running(actuator):
            await eventually(lambda: actuator.readings().get(address) is not None)
            actuator.retreat({address: {"glidepath.chat.weight.b": "0", "glidepath.chat.retreat": "5 a: b: c"}})
            await eventually(lambda: twin.values["glidepath.chat.weight.b"] == "0")
