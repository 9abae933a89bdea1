"""Counts all traffic for the inventory: each request by its access log entry, a sample also by its bodies.

Nothing here delays a request. Large bodies are read in a separate thread. If too many bodies wait for this thread, the
request is counted without its body.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType, HTTPAccessLogEntry

from extproc.access_log_latency import logged_latency, streamed
from extproc.exchange import Exchange
from extproc.inventory_facts import BodyFacts, RepeatedRequests, SeenMessage, body_facts
from extproc.response_flags import client_left
from glidepath import envoy_names
from glidepath.call_classes import CallClass, call_class
from glidepath.config import Config
from glidepath.config.inventory import InventorySection
from glidepath.inventory.callers import UNKNOWN, CallerNames
from glidepath.inventory.path_patterns import path_pattern
from glidepath.inventory.period_tallies import PeriodTallies
from glidepath.inventory.tally import GroupKey, Source, Tally, count_name, count_value
from glidepath.logs import get_logger
from glidepath.pairs import Ending
from glidepath.token_usage import counts_of

AT_ONCE = 32 * 1024  # bytes of both bodies together that are read in the event loop
MAX_WAITING, MAX_WAITING_BYTES = 64, 32 * 2**20
_METHODS = {one.number: one.name for one in RequestMethod.DESCRIPTOR.values}
_FINAL = (AccessLogType.NotSet, AccessLogType.DownstreamEnd)
_NO_VALUE = ("", "-")
_LONGEST_HEADER = 8192
_SWITCHED = 101
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SeenExchange:
    """The data that the inventory takes from one captured exchange."""

    key: GroupKey  # its model is not known yet
    workload: str
    backend: str
    status: int
    aborted: bool
    path: str
    request: SeenMessage
    answer: SeenMessage | None
    total_ms: float
    first_byte_ms: float

    @property
    def size(self) -> int:
        return len(self.request.body) + (len(self.answer.body) if self.answer else 0)

    @property
    def encoded(self) -> bool:
        return bool(self.request.encoding or (self.answer and self.answer.encoding))


class WatchedExchange:
    """One exchange of an ext_proc stream. The inventory counts it once, when it ends."""

    __slots__ = ("_caller", "_finished", "_observer", "_workload")

    def __init__(self, observer: InventoryObserver, workload: str) -> None:
        self._observer, self._workload = observer, workload
        self._caller, self._finished = UNKNOWN, False

    def headers(self, entries: Iterable[Any], path: str) -> None:
        """Note the caller that the request headers name. ``entries``: the request headers. Values are not kept."""
        self._caller = self._observer.caller(entries, path)

    def finish(self, exchange: Exchange) -> None:
        if not self._finished and exchange.request is not None:
            self._observer.exchange(exchange, self._caller, self._workload)
        self._finished = True


class InventoryObserver:
    """Counts requests for the inventory.

    ``limit``: the maximum length of a decoded body in bytes.
    ``exact_paths``: paths whose requests always count as inference, because the configuration says so.
    ``totals``: the number of requests by how they were counted: ``log`` (by an access log entry), ``body`` (with a
    body), ``unread`` (without a readable body), ``dropped`` (those of ``unread`` for which too many bodies waited),
    ``failed`` (an unexpected error).
    """

    def __init__(
        self,
        section: InventorySection,
        exact_paths: Iterable[str],
        limit: int,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.callers = CallerNames(section.callers, section.fingerprint)
        self.tallies = PeriodTallies(section.groups)
        self.totals: Counter[str] = Counter()
        self.write_failures = 0
        self._exact = frozenset(path.rstrip("/") for path in (*section.paths, *exact_paths))
        self._limit, self._wall = limit, wall
        self._repeats = RepeatedRequests(secrets.token_bytes(32))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inventory")
        self._waiting = self._waiting_bytes = 0

    @classmethod
    def of(cls, config: Config) -> InventoryObserver | None:
        """Return the observer that the configuration asks for, or None if it has no ``inventory`` section."""
        if config.inventory is None:
            return None
        paths = (workload.match.path for workload in config.workloads.values() if workload.match.path)
        return cls(config.inventory, paths, config.extproc.max_body)

    def use_key(self, key: bytes) -> None:
        """Set the key for fingerprints of callers. Before that, callers that need a fingerprint count as unknown."""
        self.callers = replace(self.callers, key=key)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def watch(self, workload: str) -> WatchedExchange:
        return WatchedExchange(self, workload)

    def caller(self, entries: Iterable[Any], path: str) -> str:
        wanted = self.callers.sources
        found = dict.fromkeys(wanted, "")
        for entry in entries:
            if entry.key in found:
                value = entry.raw_value or entry.value.encode()
                found[entry.key] = value[:_LONGEST_HEADER].decode("utf-8", "replace")
        return self.callers.caller([found[name] for name in wanted], path)

    def logged(self, entry: HTTPAccessLogEntry) -> None:
        """Count a client's request by its access log entry.

        Raises no error, because the caller then reads the outcome from the same entry.
        """
        try:
            self._logged(entry)
        except Exception as error:
            self._note_failure(error)

    def _logged(self, entry: HTTPAccessLogEntry) -> None:
        common = entry.common_properties
        if common.access_log_type not in _FINAL or common.intermediate_log_entry:
            return
        path = entry.request.original_path or entry.request.path
        method = _METHODS.get(entry.request.request_method, "")
        status = entry.response.response_code.value
        key = self._key(Source.LOG, method, path, self._logged_caller(common.custom_tags, path), status == _SWITCHED)
        self.totals["log"] += 1
        latency = logged_latency(entry) if 200 <= status < 400 else None
        left, is_streamed = client_left(entry), streamed(entry)
        backend = str(common.custom_tags.get(envoy_names.BACKEND_TAG, ""))
        backend = common.upstream_cluster if backend in _NO_VALUE else backend
        workload = str(common.custom_tags.get(envoy_names.WORKLOAD_TAG, ""))
        for tally in self._tallies(key):
            _count_answer(tally, status, aborted=left)
            tally.streamed += is_streamed
            tally.bytes_in += entry.request.request_body_bytes
            tally.bytes_out += entry.response.response_body_bytes
            if latency is not None:
                _count_latency(tally, latency.total_ms, latency.ttft_ms)
            _count_names(tally, backend, "" if workload in _NO_VALUE else workload)

    def _logged_caller(self, tags: Any, path: str) -> str:
        values = str(tags.get(envoy_names.CALLER_TAG, "-")).split("\n")
        return self.callers.caller(values, path) if len(values) == len(self.callers.sources) else UNKNOWN

    def exchange(self, exchange: Exchange, caller: str, workload: str) -> None:
        """Count a captured exchange that has ended. Its bodies may be released after this call. Raises no error."""
        try:
            self._exchange(exchange, caller, workload)
        except Exception as error:
            self._note_failure(error)

    def _exchange(self, exchange: Exchange, caller: str, workload: str) -> None:
        request, response = exchange.request, exchange.response
        if request is None:
            return
        path = request.headers.get(":path", "/")
        key = self._key(Source.BODY, request.headers.get(":method", ""), path, caller, exchange.status == _SWITCHED)
        asked = SeenMessage(
            exchange.request_body.value(),
            request.headers.get("content-type", ""),
            request.headers.get("content-encoding", ""),
            exchange.request_complete,
        )
        answered = None
        if response is not None and 200 <= response.status < 300:
            answered = SeenMessage(
                exchange.response_body.value(),
                response.headers.get("content-type", ""),
                response.headers.get("content-encoding", ""),
                exchange.ending is Ending.COMPLETE and not exchange.response_body.cut,
            )
        seen = SeenExchange(
            key=key,
            workload=workload,
            backend=(response.backend if response else "") or request.cluster,
            status=exchange.status,
            aborted=exchange.ending is Ending.ABORTED,
            path=path,
            request=asked,
            answer=answered,
            total_ms=exchange.total_ms,
            first_byte_ms=exchange.first_byte_ms,
        )
        self._read(seen)

    def _read(self, seen: SeenExchange) -> None:
        """Read the bodies and count the exchange. Large bodies are read in a thread."""
        if key_is_of_no_body(seen.key):
            self.count(seen, BodyFacts("", streamed=False))
        elif seen.size <= AT_ONCE and not seen.encoded:
            self._read_at_once(seen)
        elif self._waiting >= MAX_WAITING or self._waiting_bytes + seen.size > MAX_WAITING_BYTES:
            self.totals["dropped"] += 1
            self.count(seen, BodyFacts("", streamed=False))
        else:
            self._waiting += 1
            self._waiting_bytes += seen.size
            running = asyncio.get_running_loop().run_in_executor(self._thread, self._facts, seen)
            running.add_done_callback(partial(self._read_in_thread, seen))

    def _facts(self, seen: SeenExchange) -> BodyFacts:
        return body_facts(seen.path, seen.request, seen.answer, self._repeats, self._limit)

    def _read_at_once(self, seen: SeenExchange) -> None:
        try:
            facts = self._facts(seen)
        except Exception as error:
            self._give_up(seen, error)
        else:
            self.count(seen, facts)

    def _read_in_thread(self, seen: SeenExchange, running: asyncio.Future[BodyFacts]) -> None:
        self._waiting -= 1
        self._waiting_bytes -= seen.size
        if running.cancelled():
            return
        error = running.exception()
        if error is None:
            self.count(seen, running.result())
        else:
            self._give_up(seen, error)

    def _note_failure(self, error: BaseException) -> None:
        if not self.totals["failed"]:
            # Log only the type of the error, because its message may quote the body.
            _log.error("inventory_request_failed", error=type(error).__name__)
        self.totals["failed"] += 1

    def _give_up(self, seen: SeenExchange, error: BaseException) -> None:
        self._note_failure(error)
        self.count(seen, BodyFacts("", streamed=False))

    def count(self, seen: SeenExchange, facts: BodyFacts) -> None:
        """Count an exchange with the facts from its bodies."""
        self.totals["unread" if facts.request is None else "body"] += 1
        for tally in self._tallies(seen.key._replace(model=facts.model)):
            _count_answer(tally, seen.status, aborted=seen.aborted)
            tally.streamed += facts.streamed
            tally.bytes_in += len(seen.request.body)
            tally.bytes_out += len(seen.answer.body) if seen.answer else 0
            if seen.answer is not None and seen.total_ms > 0:
                first = seen.first_byte_ms if facts.streamed else None
                _count_latency(tally, seen.total_ms, first)
            _count_names(tally, seen.backend, seen.workload)
            _count_facts(tally, facts)

    def _tallies(self, key: GroupKey) -> Sequence[Tally]:
        return self.tallies.tallies(key, int(self._wall() * 1000))

    def _key(self, source: Source, method: str, path: str, caller: str, upgrade: bool) -> GroupKey:
        bare = path.partition("?")[0].rstrip("/")
        call = call_class(method, path, bare if bare in self._exact else None, upgrade=upgrade)
        return GroupKey(source, path_pattern(path), call, "", caller)


def key_is_of_no_body(key: GroupKey) -> bool:
    return key.call is not CallClass.INFERENCE


def _count_answer(tally: Tally, status: int, *, aborted: bool) -> None:
    tally.requests += 1
    if status >= 500 or (status == 0 and not aborted):
        tally.errors += 1
    elif status >= 400:
        tally.refused += 1


def _count_latency(tally: Tally, total_ms: float | None, ttft_ms: float | None) -> None:
    if total_ms is not None:
        count_value(tally.latency, total_ms)
    if ttft_ms is not None:
        count_value(tally.ttft, ttft_ms)


def _count_names(tally: Tally, backend: str, workload: str) -> None:
    if backend:
        count_name(tally.backends, backend[:100])
    if workload:
        count_name(tally.workloads, workload)


def _count_facts(tally: Tally, facts: BodyFacts) -> None:
    if facts.request is None:
        tally.unread += 1
        return
    shape = tally.shape(facts.shape)
    shape.requests += 1
    count_value(shape.tokens, facts.request.tokens)
    count_value(shape.body, facts.request.body_bytes)
    tally.state += facts.needs_state
    tally.acting += facts.acting
    tally.repeats += facts.repeated
    tally.same += facts.same
    if facts.usage is not None:
        key = f"{facts.usage.source}/{facts.usage.tier}"
        tally.add_usage(key, (*counts_of(facts.usage), facts.usage.answers))
