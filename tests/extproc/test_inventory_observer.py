"""Counting access log entries and captured exchanges, and storing fingerprints in place of credentials."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from envoy.config.core.v3.base_pb2 import HeaderValue, RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.body_limits import BodyMemory
from extproc.exchange import Exchange
from extproc.exchange_events import Chunk, Closed, RequestHeaders, ResponseHeaders
from extproc.exchange_transitions import Half
from extproc.inventory_observer import MAX_WAITING, InventoryObserver
from glidepath import envoy_names
from glidepath.call_classes import CallClass
from glidepath.config.inventory import InventorySection
from glidepath.inventory.callers import UNKNOWN
from glidepath.inventory.period_tallies import HOURS
from glidepath.inventory.tally import GroupKey, Source, Tally
from tests.support.extproc_rpc import log_entry
from tests.support.waiting import eventually

CHAT = "/v1/chat/completions"
SECRET = "sk-live-4711"


def observer(**section: Any) -> InventoryObserver:
    made = InventoryObserver(InventorySection(**section), (), 2**20, wall=lambda: 1e9)
    made.use_key(b"k" * 32)
    return made


def entry(path: str = CHAT, caller: str | None = None, status: int = 200, **more: Any) -> HTTPAccessLogEntry:
    one = log_entry(status=status, duration_ms=40)
    one.request.path, one.request.request_method = path, RequestMethod.POST
    if caller is not None:
        one.common_properties.custom_tags[envoy_names.CALLER_TAG] = caller
    for name, value in more.items():
        setattr(one.request, name, value)
    return one


def exchange(body: bytes, *, path: str = CHAT, status: int = 200, answer: bytes = b"{}") -> Exchange:
    made = Exchange(2**20, BodyMemory(2**24))
    made.feed(RequestHeaders({":method": "POST", ":path": path}, "cloud"), 1.0)
    made.feed(Chunk(Half.REQUEST, body, end=True), 1.0)
    made.feed(ResponseHeaders(status, {"content-type": "application/json"}), 1.2)
    made.feed(Chunk(Half.RESPONSE, answer, end=True), 1.5)
    made.feed(Closed(), 1.5)
    return made


def counted(made: InventoryObserver) -> dict[GroupKey, Tally]:
    found = next(groups for groups, _ in made.tallies.take_changed() if groups.period.level is HOURS)
    return found.tallies


def tag(*values: str) -> str:
    return "\n".join(values)


def test_each_log_entry_counts_by_path_and_caller() -> None:
    made = observer(callers=["x-team"])
    made.logged(entry(caller=tag("etl", f"Bearer {SECRET}", "", "", "")))
    made.logged(entry(caller=tag("", f"Bearer {SECRET}", "", "", ""), status=503))
    made.logged(entry(f"{CHAT}?key=x", caller=tag("etl", "", "", "", ""), status=404))
    groups = counted(made)
    callers = {key.caller: tally for key, tally in groups.items()}
    assert {key.path for key in groups} == {CHAT}
    assert callers["x-team=etl"].requests == 2
    assert callers["x-team=etl"].refused == 1
    (other,) = (tally for caller, tally in callers.items() if caller.startswith("key:"))
    assert (other.requests, other.errors, other.latency) == (1, 1, {})


def test_nothing_that_is_counted_has_a_part_of_the_credential() -> None:
    made = observer()
    made.logged(entry(f"{CHAT}?key={SECRET}", caller=tag(f"Bearer {SECRET}", "", "", "")))
    watched = made.watch("")
    watched.headers([HeaderValue(key="authorization", raw_value=f"Bearer {SECRET}".encode())], CHAT)
    watched.finish(exchange(b'{"model": "m"}'))
    shown = repr(counted(made))
    assert not any(SECRET[at : at + 5] in shown for at in range(len(SECRET) - 4))


def test_an_entry_without_the_tag_has_an_unknown_caller() -> None:
    made = observer()
    made.logged(entry())
    assert next(iter(counted(made))).caller == UNKNOWN


def test_the_clients_path_counts_where_a_route_rewrites_it() -> None:
    made = observer()
    made.logged(entry("/internal/llm", original_path=CHAT))
    assert next(iter(counted(made))).path == CHAT


def test_classes_of_calls_are_distinguished() -> None:
    made = observer(paths=["/ask"])
    for path in ("/v1/files", "/v1/threads/thread_abc123def456gh/runs", "/other", "/ask"):
        made.logged(entry(path))
    assert {key.path: key.call for key in counted(made)} == {
        "/v1/files": CallClass.MANAGEMENT,
        "/v1/threads/{id}/runs": CallClass.STATEFUL,
        "/other": CallClass.UNKNOWN,
        "/ask": CallClass.INFERENCE,
    }


def test_an_unexpected_error_is_counted_and_not_raised() -> None:
    made = observer()
    made.callers = None  # type: ignore[assignment]  # as a defect of ours could leave it
    made.logged(entry(caller="x"))
    made.exchange(exchange(b"{}"), "none", "")
    made._facts = None  # type: ignore[method-assign,assignment]
    made.exchange(exchange(b"{}"), "none", "")
    assert made.totals["failed"] == 2


def test_a_method_that_envoy_does_not_name_yet_is_no_error() -> None:
    made = observer()
    made.logged(entry(request_method=99))
    assert made.totals["failed"] == 0


def test_an_exchange_counts_with_its_model_and_tokens_once() -> None:
    made = observer()
    body = json.dumps({"model": "gpt-4o", "messages": []}).encode()
    answer = json.dumps({"usage": {"prompt_tokens": 9, "completion_tokens": 4}}).encode()
    seen, watched = exchange(body, answer=answer), made.watch("chat")
    watched.finish(seen)
    watched.finish(seen)
    ((key, tally),) = counted(made).items()
    assert (key.source, key.model, tally.requests, tally.workloads) == (Source.BODY, "gpt-4o", 1, {"chat": 1})
    assert tally.usage["measured/standard"] == [9, 4, 0, 0, 0, 0, 0, 0, 1]
    assert (sum(tally.latency.values()), tally.ttft, tally.backends) == (1, {}, {"cloud": 1})


async def test_large_bodies_are_read_in_a_thread_and_too_many_count_without_their_body() -> None:
    made = observer()
    body = json.dumps({"model": "gpt-4o", "messages": [{"content": "word " * 20_000}]}).encode()
    for _ in range(MAX_WAITING + 5):
        made.watch("").finish(exchange(body))
    assert made.totals["dropped"] >= 1
    await eventually(lambda: made.totals["body"] + made.totals["unread"] == MAX_WAITING + 5)
    models = {key.model: tally for key, tally in counted(made).items()}
    assert sum(tally.requests for tally in models.values()) == MAX_WAITING + 5
    assert models[""].unread == made.totals["dropped"] == made.totals["unread"]
    made.close()
    await asyncio.sleep(0)
