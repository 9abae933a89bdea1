"""Copies that capture does not send, or changes before it sends them."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from extproc.copy_budget import InMemorySpendingCounters
from glidepath.pairs import Ending
from tests.support.capture_setup import END, OF_CANDIDATE, OK, setup
from tests.support.waiting import eventually


async def test_copies_pause_for_as_long_as_a_side_that_answers_429_asks() -> None:
    async with setup() as r:
        r.sender.status, r.sender.retry_after = 429, "30"
        r.sender.gate.set()
        r.feed(r.request(request_id="first"), OK, END)
        await r.settled()
        r.sender.status = 200
        for when, sent in ((29.0, 1), (30.0, 2)):
            r.clock = when
            r.feed(r.request(request_id=f"at {when}"), OK, END)
            await r.settled()
            assert len(r.sender.copies) == sent
        assert r.coverage == {"captured": 3, "tee_failed": 1, "cool_down": 1}


@pytest.mark.parametrize(("status", "sent"), [(402, 5), (424, 5), (503, 5), (400, 8), (404, 8)])
async def test_copies_pause_if_the_side_answers_none_of_them_but_not_if_it_refuses_what_they_ask_for(
    status: int, sent: int
) -> None:
    async with setup() as r:
        r.sender.status = status
        r.sender.gate.set()
        for number in range(8):
            r.feed(r.request(request_id=f"id-{number}"), OK, END)
            await r.settled()
        assert len(r.sender.copies) == sent + (sent == 5)  # DOWN_AFTER, and the one that begins the first pause
        assert r.coverage.get("cool_down", 0) == 8 - len(r.sender.copies)


@pytest.mark.parametrize("cluster", ["cloud", "onprem-or-cloud"])
async def test_a_client_that_gets_a_429_pauses_the_copies_to_that_side(cluster: str) -> None:
    async with setup("{same_side: 100}") as r:
        r.sender.gate.set()
        limited = replace(OF_CANDIDATE if cluster != "cloud" else OK, status=429, headers={"retry-after": "30"})
        r.feed(r.request(cluster, "limited"), limited, END)
        await r.settled()
        sent = len(r.sender.copies)
        r.feed(r.request(request_id="next"), OK, END)
        await r.settled()
        limited_side = "cloud" if cluster == "cloud" else "onprem"
        assert limited_side not in {copy.backend for copy in r.sender.copies[sent:]}
        assert len(r.sender.copies) == sent + 1


async def test_a_side_that_fails_every_copy_gets_one_after_each_pause() -> None:
    async with setup() as r:
        r.sender.ending, r.sender.status = Ending.REFUSED, 0
        r.sender.gate.set()
        for n in range(20):
            r.feed(r.request(request_id=f"id-{n}"), OK, END)
            await r.settled()
        assert len(r.sender.copies) == 6
        r.sender.ending, r.sender.status = Ending.COMPLETE, 200
        r.clock = 2.0
        for n in range(3):
            r.feed(r.request(request_id=f"later-{n}"), OK, END)
            await r.settled()
        assert sum(raw.counted for raw in r.sink.raw) == 3


async def test_the_copy_of_a_response_is_not_stored() -> None:
    async with setup() as r:
        r.sender.gate.set()
        captured = r.request(path="/v1/responses", body=b'{"input": "x"}')
        r.feed(captured, OK, END)
        await r.settled()
        assert [copy.body for copy in r.sender.copies] == [b'{"store":false,"input": "x"}']
        assert r.sink.pairs[0].request_body == b'{"input": "x"}'


async def test_the_copy_of_an_encoded_response_is_sent_as_it_is_read() -> None:
    async with setup() as r:
        r.sender.gate.set()
        packed = gzip.compress(b'{"input": "x"}')
        captured = r.request(path="/v1/responses", body=packed, content_encoding="gzip")
        r.feed(captured, OK, END)
        await r.settled()
        (copy,) = r.sender.copies
        assert (copy.body, "content-encoding" in copy.headers) == (b'{"store":false,"input": "x"}', False)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"tools": [{"type": "web_search"}]}', "has_effects"),
        (b'{"previous_response_id": "resp_1"}', "needs_state"),
    ],
)
async def test_a_request_that_acts_or_needs_state_is_not_copied(body: bytes, reason: str) -> None:
    async with setup() as r:
        r.feed(r.request(path="/v1/responses", body=body), OK, END)
        await r.settled()
        assert (r.sender.copies, r.coverage) == ([], {"captured": 1, reason: 1})


async def test_copies_above_max_in_flight_are_dropped_and_counted() -> None:
    async with setup("{max_in_flight: 2}") as r:
        captured = [r.request(request_id=f"id-{n}") for n in range(5)]
        await eventually(lambda: len(r.sender.copies) == 2)
        for one in captured:
            r.feed(one, OK, END)
        r.sender.gate.set()
        await r.settled()
        assert len(r.sender.copies) == len(r.sink.pairs) == 2
        assert r.coverage == {"captured": 5, "shed_in_flight": 3}


async def test_the_paid_side_gets_no_copies_above_the_budget() -> None:
    async with setup("{budget: {requests: 1}}") as r:
        r.sender.gate.set()
        await r.budgets.sync(InMemorySpendingCounters(), 1_000.0)
        for n in range(3):
            r.feed(r.request(r.workload.fallback, f"id-{n}"), OF_CANDIDATE, END)
            r.feed(r.request("cloud", f"free-{n}"), OK, END)
        await r.settled()
        assert r.coverage == {"captured": 6, "shed_budget": 2}
        assert [copy.backend for copy in r.sender.copies].count("cloud") == 1


@pytest.mark.parametrize(
    ("rules", "headers", "copied"),
    [
        ("[{header: x-no-store}]", {"x_no_store": "1"}, None),
        ("[{header: X-Tenant, values: [acme]}]", {"x_tenant": "acme"}, None),
        ("[{header: x-tenant, values: [acme]}]", {"x_tenant": "other"}, {"cloud", "onprem"}),
        ("[{header: x-tenant, values: [acme]}]", {"x_tenant": "acme,other"}, None),
        ("[{header: x-tenant, values: [acme]}]", {"x_tenant": "acme-2, not acme"}, {"cloud", "onprem"}),
        ("[{header: x-tenant, values: ['a, b']}]", {"x_tenant": "a, b"}, None),
        ("[{header: x-tenant, to: baseline}]", {"x_tenant": "acme"}, {"onprem"}),
        ("[{header: x-tenant, to: candidate}]", {"x_tenant": "acme"}, {"cloud"}),
        ("[]", {"x_no_store": "1"}, {"cloud", "onprem"}),
    ],
)
async def test_a_request_that_opts_out_is_not_copied(
    rules: str, headers: dict[str, str], copied: set[str] | None
) -> None:
    async with setup(f"{{same_side: 100, opt_out: {rules}}}") as r:
        r.sender.gate.set()
        r.feed(r.request(**headers), OK, END)
        await r.settled()
        assert {copy.backend for copy in r.sender.copies} == (copied or set())
        assert r.coverage.get("opted_out", 0) == (0 if copied and "onprem" in copied else 1)
        if copied is None:
            assert (r.sink.pairs, r.coverage) == ([], {"captured": 1, "opted_out": 1})
