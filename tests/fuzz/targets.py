"""The readers of input from the network, each as a target for damaged input.

A target does not catch errors that its reader does not document, so such an error is a finding.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import brotli
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest
from google.protobuf.message import DecodeError as ProtobufDecodeError
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from prometheus_client import CollectorRegistry

from extproc.amazon_event_frames import TYPE, frame
from extproc.body_limits import BodyMemory
from extproc.content_coding import DECODERS, decode
from extproc.copyable_bodies import reason_not_to_copy, without_storing
from extproc.exchange import Exchange
from extproc.ext_proc_messages import REQUEST_HEADERS, feed
from extproc.extproc_errors import DecodeError, IllegalEventError, NotRedactedError
from extproc.inventory_facts import RepeatedRequests, SeenMessage, body_facts
from extproc.inventory_observer import InventoryObserver
from extproc.outcome_classification import classify
from extproc.redaction import Redactor
from extproc.requests_with_credentials import gives_a_credential
from extproc.tokenized_texts import answer_text, request_text
from extproc.traffic_counters import TrafficCounters
from extproc.workloads import build_workloads
from glidepath import zstd
from glidepath.call_classes import CallClass
from glidepath.config import parse_config
from glidepath.config.console import ConsoleSection
from glidepath.config.inventory import InventorySection
from glidepath.config.redaction import RedactionSection
from glidepath.config.urls_and_secrets import Secret
from glidepath.errors import InputError
from glidepath.failed_answers import failed_answer
from glidepath.feedback import decode_feedback, parse_line
from glidepath.history import (
    PeriodTotals,
    SideTotals,
    decode_point,
    encode_point,
    encode_traffic,
    point_of,
    totals_from_json,
    totals_to_json,
)
from glidepath.inventory.callers import CallerNames
from glidepath.inventory.tally import GroupKey, Source, Tally
from glidepath.inventory.tally_codec import UnreadableTallyError, decode_group, encode_group
from glidepath.outcome_summaries import Outcomes
from glidepath.protobuf_codec import decode_outcomes, decode_pair, decode_scored, encode_outcomes, encode_pair
from glidepath.query_parameters import HARMLESS_PARAMETERS, with_harmless_parameters
from glidepath.read_token_usage import token_usage
from glidepath.side_traffic import Sent, SideTraffic
from glidepath.sides import Side
from glidepath.stored_feedback import note_of
from glidepath.token_usage import TokenUsage
from glidepath_ops.console.access import Access
from glidepath_ops.console.app import make_app
from glidepath_ops.console.live_updates import LiveViews
from glidepath_ops.console.metrics import ConsoleMetrics
from glidepath_ops.console.running_console import Console
from glidepath_ops.inventory.log_lines import LogLines
from scorer.scoring.answers import extract
from scorer.scoring.compare.evaluator.evaluator_client import chat_text
from scorer.scoring.compare.evaluator.questions import Question, preferred_side
from scorer.scoring.embed.remote_engine import ReplyError, read_reply
from scorer.scoring.verify.verifier_messages import correctness_in
from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext, score_pairs
from scorer.steering.envoy.admin_interface import admin_layer
from scorer.steering.envoy.envoy_counters import SideClusters, increase, parse_counters
from scorer.steering.envoy.http_route_weights import RouteError, entries_of, gateways, patch_of, steered_rules
from scorer.steering.envoy.kubernetes_api import ApiError, read_answer
from scorer.steering.leader.capacity import gauge_in_answer, gauge_on_page
from scorer.steering.leader.count_unseen_log_entries import produced_entries
from scorer.steering.notify.mlflow import first_version
from tests.conftest import VALID
from tests.fuzz.mutated_bytes import mutated
from tests.support.answer_bodies import call, chat, stream
from tests.support.answer_pairs import pair
from tests.support.chat_config import CHAT_CONFIG
from tests.support.embedders import WordEmbedder
from tests.support.empty_redis import EmptyRedis
from tests.support.extproc_rpc import exchange, log_entry
from tests.support.in_memory_extproc import capture_config
from tests.support.kubernetes_api_server import ApiServer, http_route, steered_by_http_route
from tests.support.lua_in_process import ForeignReasoning, ModelRename, RequestFacts
from tests.support.token_usages import ANTHROPIC, OPENAI, RESPONSES, sse

CONSOLE_TOKEN = "a-token-of-the-tests"
CONSOLE = Console(
    parse_config(VALID),
    EmptyRedis(),
    Access(ConsoleSection(token=Secret(env="TOKEN")), CONSOLE_TOKEN),
    LiveViews(lambda error: None),
    ConsoleMetrics(CollectorRegistry()),
)
(HTTP_ROUTE,) = steered_rules(parse_config(steered_by_http_route(CHAT_CONFIG, "http://127.0.0.1:1")))
LIMIT = 64 * 1024  # bytes of a body
CONFIG = capture_config()
WORKLOADS = build_workloads(CONFIG)
REDACTOR = Redactor(
    RedactionSection(builtin=("email", "phone", "card", "iban", "ipv4", "signed_url", "url_password", "api_key"))
)
LUA_FACTS, LUA_RENAME, LUA_FOREIGN = RequestFacts(), ModelRename(), ForeignReasoning()
CONTEXT = ScoringContext(CONFIG, WordEmbedder())

TEXT = "The invoice of 3 May 2024 is 1,250.50 EUR. Write to a.b@example.com or call +44 20 7946 0958.\n\n- one\n- two\n"
RESPONSES_STREAM = "".join(
    f"data: {json.dumps(event)}\n\n"
    for event in (
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "function_call", "name": "f"}},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "a", "delta": '{"n": 1}'},
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "Hello"},
        {"type": "response.content_part.done", "item_id": "b", "part": {"type": "output_text", "text": "Hello"}},
        {"type": "response.completed", "response": {"object": "response", "status": "completed", "output": []}},
    )
)
GEMINI_CALL_STREAM = (
    "".join(
        f"data: {json.dumps({'candidates': [{'content': {'parts': [{'functionCall': piece}]}}]})}\n\n"
        for piece in (
            {"name": "f", "willContinue": True},
            {"partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "x", "willContinue": True}]},
            {"partialArgs": [{"jsonPath": "$['c']", "numberValue": 2}]},
        )
    )
    + 'data: {"candidates": [{"finishReason": "STOP"}]}\n\n'
)
BODIES = tuple(
    body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    for body in (
        chat({"role": "assistant", "content": TEXT}),
        chat({"role": "assistant", "content": "```python\nprint(1)\n```\n| a | b |\n|---|---|\n| 1 | 2 |"}),
        chat({"role": "assistant", "tool_calls": [call("f", '{"a": [1, 2.5, "x"]}', 0, "id")]}),
        stream({"content": "Hello "}, {"content": "world"}, {"tool_calls": [call("f", "{}", 0, "id")]}),
        {"type": "message", "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"},
        {"candidates": [{"content": {"parts": [{"text": TEXT}]}, "finishReason": "STOP"}]},
        {"object": "list", "data": [{"index": 0, "embedding": [0.5, -1.25, 3e-9]}]},
        {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]},
        {"model": "m", "message": {"role": "assistant", "content": TEXT}, "done": True},
        {"error": {"message": "no", "code": 429}},
        RESPONSES_STREAM,
        GEMINI_CALL_STREAM,
        TEXT,
    )
)
TYPES = (
    "application/json",
    "text/event-stream",
    "application/x-ndjson",
    "text/plain",
    "",
    "application/json; charset=x",
    "text/plain; charset=utf-16",
    TYPE,
)
PATHS = (
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/rerank",
    "/api/chat",
    "/x?key=1&q=%41#%ff",
    "/x?alt=sse&api%2Dversion=1",
)


@dataclass(frozen=True)
class Target:
    """A reader: ``read`` is called with one value of each of ``arguments``."""

    read: Callable[..., object]
    arguments: tuple[SearchStrategy[Any], ...]


def _access_log_entry(data: bytes, shadow: bool) -> None:
    entry = HTTPAccessLogEntry()
    try:
        entry.ParseFromString(data)
    except ProtobufDecodeError:
        return  # gRPC refuses the message
    outcome, counters = classify(entry, WORKLOADS, shadow), TrafficCounters()
    if outcome is not None:
        counters.record(outcome, entry.request.request_id)
        for flushed in counters.flush(1_000):
            decode_outcomes(encode_outcomes(replace(flushed, source="s", seq=1)))


def _ext_proc_messages(messages: Sequence[bytes]) -> None:
    one = Exchange(LIMIT, BodyMemory(4 * LIMIT))
    for data in messages:
        message = ProcessingRequest()
        with contextlib.suppress(ProtobufDecodeError, IllegalEventError):
            message.ParseFromString(data)
            feed(one, message, REQUEST_HEADERS, 1.0)
    one.release()


def _content_coding(data: bytes, coding: str) -> None:
    with contextlib.suppress(DecodeError):
        assert len(decode(data, coding, LIMIT).data) <= LIMIT


def _redaction(data: bytes, content_type: str) -> None:
    with contextlib.suppress(NotRedactedError):
        once = REDACTOR.redact(data, content_type)
        assert REDACTOR.redact(once, content_type.partition(";")[0]) == once


def _body_credentials(data: bytes) -> None:
    gives_a_credential(data)


def _copyable_bodies(data: bytes, path: str) -> None:
    if reason_not_to_copy(data) is None:
        copied = without_storing(path, data)
        assert copied == data or json.loads(copied)["store"] is False


def _path(data: bytes) -> None:
    found = with_harmless_parameters(data.decode("utf-8", "replace"))
    names = [parameter.partition("=")[0].lower() for parameter in found.partition("?")[2].split("&")]
    assert "#" not in found
    assert set(names) <= {"", *HARMLESS_PARAMETERS}


def _answer(body: bytes, request: bytes, content_type: str, path: str) -> None:
    extract(path=path, content_type=content_type, status=200, request_body=request, response_body=body)


def _answer_check(body: bytes, content_type: str) -> None:
    failed_answer(200, content_type, body)


def _scoring(left: bytes, right: bytes, request: bytes, content_type: str, path: str) -> None:
    captured = pair("one")
    first = replace(captured.first, body=left, content_type=content_type)
    second = replace(captured.second, body=right, content_type=content_type)
    score_pairs([replace(captured, first=first, second=second, request_body=request, path=path)], CONTEXT, 1)


def _decoder(decoder: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with contextlib.suppress(InputError):
            decoder(data)

    return read


def _embedding_reply(data: bytes) -> None:
    with contextlib.suppress(ReplyError):
        read_reply(data, 1)


def _evaluator_reply(data: bytes) -> None:
    for reply in (chat_text(data), data.decode("utf-8", "replace")):
        with contextlib.suppress(ValueError):
            preferred_side(reply, Question((), Side.CANDIDATE))


def _verifier_reply(data: bytes) -> None:
    for blind in (True, False):
        with contextlib.suppress(ValueError):
            correctness_in(data, "pair", blind=blind)


def _admin_answer(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        admin_layer(data)
    with contextlib.suppress(ValueError):
        increase({}, parse_counters(data), SideClusters("onprem", "onprem"))
    with contextlib.suppress(ValueError):
        produced_entries(data)


def _metrics_server(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        gauge_in_answer(data)
    gauge_on_page(data.decode("utf-8", "replace"), "load")
    first_version(data)


def _http_route(data: bytes, status: int) -> None:
    try:
        route = read_answer(status, data, "3")
    except ApiError:
        return
    assert gateways(route)
    with contextlib.suppress(RouteError):
        entries = entries_of(route, HTTP_ROUTE)
        patch_of(route, HTTP_ROUTE, {**dict.fromkeys(entries, "0"), HTTP_ROUTE.keys.retreat: "1 x"})


def _stored_history(data: bytes) -> None:
    with contextlib.suppress(InputError):
        decode_point(data, 0, 10)
    with contextlib.suppress(InputError):
        decode_point(_POINT, 0, 10, data)
    with contextlib.suppress(InputError, ValueError):
        totals_from_json(json.loads(data))


def _stored_feedback(score: bytes, label: bytes) -> None:
    for note in (note_of(score, label), note_of(None, label), note_of(score, None)):
        json.dumps(note.to_json() if note else None)
    with contextlib.suppress(InputError):
        decode_feedback(score[1:])


def _console_request(path: bytes, cookie: bytes, body: bytes, method: str) -> None:
    """Send a request to a console whose Redis is empty. An error of the server is a finding."""
    raw_path, _, query = path.partition(b"?")
    headers = [(b"host", b"127.0.0.1:9480"), (b"cookie", b"glidepath_session=" + cookie.replace(b"\n", b""))]
    headers += [(b"authorization", b"Bearer " + CONSOLE_TOKEN.encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": raw_path.decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers[: 2 + 2 * (method != "HEAD")],
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 9480),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    app = make_app(replace(CONSOLE, redis=EmptyRedis()))
    asyncio.run(app(scope, receive, send))
    assert statuses[0] < 500, (path, statuses)


def _lua_of_requests(body: bytes) -> None:
    """Read the facts of a body, rename its model and strip its reasoning, as Envoy does.

    A JSON body must remain JSON, with all values that are not replaced.
    """
    facts, renamed, stripped = LUA_FACTS.of(body), LUA_RENAME.renamed(body, b'"m-on"'), LUA_FOREIGN.stripped(body)
    document = _document(body)
    if document is None:
        return
    if isinstance(facts, dict) and facts.get("spans") and isinstance(document.get("model"), str):
        assert len(facts["spans"]) > 0
    changed = _document(renamed)
    assert changed is not None
    assert {**changed, "model": 0} == {**document, "model": 0} or "model" not in document
    left = _document(stripped)
    assert left is not None
    assert {name for name in document if name != "thinking"} <= {*left}


def _document(body: bytes) -> dict[str, Any] | None:
    """Return the body as a JSON object, or None if it is not an object or repeats a key."""
    try:
        found = json.loads(body.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _codings() -> tuple[bytes, ...]:
    raw = TEXT.encode() * 20
    return gzip.compress(raw), zlib.compress(raw), brotli.compress(raw), zstd.compress(raw, 3)


def _inventory_bodies(request: bytes, answer: bytes, kind: str, path: str) -> None:
    asked, answered = SeenMessage(request, kind), SeenMessage(answer, kind)
    body_facts(path, asked, answered, RepeatedRequests(b"key"), 2**16)


def _inventory_entry(data: bytes) -> None:
    with contextlib.suppress(ProtobufDecodeError):
        observer = InventoryObserver(InventorySection(), (), 2**16)
        observer.logged(HTTPAccessLogEntry.FromString(data))
        observer.close()


def _caller(header: bytes, path: bytes) -> None:
    names = CallerNames(("x-team",), fingerprint=True, key=b"k" * 32)
    names.caller(["", header.decode("utf-8", "replace")], path.decode("utf-8", "replace"))


def _stored_group(data: bytes) -> None:
    with contextlib.suppress(UnreadableTallyError):
        decode_group(data)


def _log_line(line: bytes) -> None:
    LogLines(InventorySection(), "caller").add(line, lambda: "log:1")


_BODY, _TYPE, _PATH = mutated(BODIES), st.sampled_from(TYPES), st.sampled_from(PATHS)
_FRAMES = b"".join(frame(b"", b'{"bytes": "eyJhIjogIngifQ==", "p": "ab"}') for _ in range(2))
_WIDE = tuple(body.decode().encode(coding) for body in BODIES[:4] for coding in ("utf-16", "utf-32"))
_ENCODED_BODY = mutated((_FRAMES, *_WIDE))
_MESSAGES = mutated(tuple(message.SerializeToString() for message in exchange()))
_LOG = mutated((log_entry().SerializeToString(), log_entry("onprem", 404).SerializeToString()))
_ADMIN = mutated(
    (b'{"layers": ["rtds", "admin"], "entries": {"glidepath.chat.weight.b": {"layer_values": ["1", "50"]}}}',)
)
_STATS = mutated(
    (b'{"stats": [{"name": "a.logs_written", "value": 5}, {"name": "b", "value": 1e999}]}', b"[" * 100_000)
)
_METRICS = mutated(
    (
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "0.5"]}]}}',
        b'{"model_versions": [{"version": "7"}]}',
        b'load{pod="a"} 0.5 1\nload 1e999\n',
        b"[" * 100_000,
    )
)
_CONSOLE_PATHS = mutated(
    (
        b"/workloads/chat/pairs?flag=numbers&since=2h&label=not&sort=newest&start=51",
        b"/workloads/chat/pair?id=abc&decision=1-0&full=1",
        b"/workloads/chat/history?range=90d",
        b"/workloads/chat/confirm/rollback?decision=1-0",
        b"/api/workloads/chat/label",
        b"/feedback",
    )
)
_TRAFFIC = SideTotals(1, traffic=SideTraffic(Sent(2, 30, (TokenUsage(4, 5),))))
_POINT = encode_point(point_of(PeriodTotals(), 0, 10))
_FEEDBACK = b'{"request_id": "8f14e45f-ceea-467a-9575-6f1f0d3d1a2b", "thumbs": "up", "label": "x", "user": "a"}'
_CONSOLE_BODIES = mutated(
    (b'{"id": "abc", "label": "not", "note": "x", "who": "Ana"}', b"name=Ana&token=x&next=%2F", _FEEDBACK)
)
_NOTES = mutated((b'c{"score": 1.0, "kind": "thumbs", "user": "", "at_ms": 5}', b'b{"label": "x", "at_ms": 5}'))
_HISTORY = mutated(
    (
        _POINT.encode(),
        encode_traffic(point_of(PeriodTotals(_TRAFFIC, pinned=2), 0, 10)).encode(),
        json.dumps(totals_to_json(PeriodTotals(SideTotals(1)))).encode(),
    )
)
_CREDENTIALS = mutated((b"Bearer eyJhIjoxfQ.eyJzdWIiOiJhIn0.x", b"AWS4-HMAC-SHA256 Credential=AK/2026, Signature=1"))
_GROUP = encode_group(GroupKey(Source.BODY, "/v1/x", CallClass.INFERENCE, "m", "none"), Tally(requests=3))
_GROUP_TEXT = zstd.ZstdDecompressor().decompress(_GROUP)
_LINE = (
    b'{"path": "/v1/chat/completions", "time": "2026-11-03T10:00:00Z", "usage": {"prompt_tokens": 5}, "tools": true}'
)
_CHOICE = json.dumps(chat({"content": 'so {"reason": "x", "better": "A"}'})).encode()

_STATED_USAGE = mutated(
    (
        sse({"usage": OPENAI}),
        sse({"usage": ANTHROPIC}, {"usage": RESPONSES}, {"service_tier": "flex"}),
        b'{"bytes":"eyJ1c2FnZSI6eyJpbnB1dF90b2tlbnMiOjR9fQ=="}',
    )
)
_REQUESTS = mutated(
    tuple(
        json.dumps(body, indent=indent).encode()
        for indent in (None, 1)
        for body in (
            {"model": "m", "stream": True, "user": "u", "messages": [{"role": "user", "content": [{"type": "text"}]}]},
            {
                "thinking": {"type": "enabled"},
                "messages": [
                    {"role": "assistant", "content": [{"type": "thinking", "signature": "s"}, {"type": "text"}]},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1"}], "reasoning": "r"},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]},
                ],
            },
            {"input": [{"type": "reasoning", "id": "r"}, {"id": "m", "call_id": "c"}], "tools": [{"type": "mcp"}]},
            {"contents": [{"parts": [{"thoughtSignature": "s"}]}], "model": "a", "max_tokens": 5, "store": False},
        )
    )
)

_HTTP_ROUTE = mutated((json.dumps(ApiServer("").add(http_route(9500, 500))).encode(), b'{"message": "no"}'))

TARGETS = {
    "lua-of-requests": Target(_lua_of_requests, (_REQUESTS,)),
    "access-log": Target(_access_log_entry, (_LOG, st.booleans())),
    "ext-proc": Target(_ext_proc_messages, (st.lists(_MESSAGES, max_size=6),)),
    "content-coding": Target(
        _content_coding, (mutated(_codings()), st.sampled_from((*DECODERS, "gzip, br", "br,br,br,br")))
    ),
    "body-credentials": Target(_body_credentials, (_BODY,)),
    "copyable-bodies": Target(_copyable_bodies, (_BODY, st.sampled_from(("/v1/responses", "/v1/chat/completions")))),
    "redaction": Target(_redaction, (_BODY | _ENCODED_BODY, _TYPE)),
    "inventory-bodies": Target(_inventory_bodies, (_BODY, _BODY, _TYPE, _PATH)),
    "inventory-entry": Target(_inventory_entry, (_LOG,)),
    "inventory-caller": Target(_caller, (_CREDENTIALS, mutated((b"/v1/x?key=abc&b=c", b"/?api_key=%00")))),
    "inventory-stored": Target(_stored_group, (mutated((_GROUP, zstd.compress(_GROUP_TEXT))),)),
    "inventory-line": Target(_log_line, (mutated((_LINE,)),)),
    "token-usage": Target(lambda body: token_usage(len(body), body), (_BODY | _STATED_USAGE,)),
    "texts-with-tokens": Target(lambda body: (request_text(body), answer_text(body)), (_BODY | _STATED_USAGE,)),
    "request-path": Target(_path, (mutated(tuple(path.encode() for path in PATHS)),)),
    "answer-check": Target(_answer_check, (_BODY, _TYPE)),
    "answer": Target(_answer, (_BODY, _BODY, _TYPE, _PATH)),
    "scoring": Target(_scoring, (_BODY, _BODY, _BODY, _TYPE, _PATH)),
    "stored-pair": Target(_decoder(decode_pair), (mutated((encode_pair(pair("one")),)),)),
    "stored-outcomes": Target(
        _decoder(decode_outcomes), (mutated((encode_outcomes(Outcomes("chat", "s", 1, 1, 2, (), {"paired": 3})),)),)
    ),
    "stored-score": Target(_decoder(decode_scored), (st.binary(max_size=300),)),
    "embedding-reply": Target(_embedding_reply, (_BODY,)),
    "evaluator-reply": Target(_evaluator_reply, (mutated((_CHOICE,)),)),
    "verifier-reply": Target(
        _verifier_reply, (mutated((b'{"a": 1, "b": 0.5}', b'{"baseline": 0, "candidate": 1e0}')),)
    ),
    "stored-history": Target(_stored_history, (_HISTORY,)),
    "console-request": Target(
        _console_request,
        (_CONSOLE_PATHS, mutated((b"YQ.YQ",)), _CONSOLE_BODIES, st.sampled_from(("GET", "POST", "PUT", "HEAD"))),
    ),
    "feedback": Target(_decoder(parse_line), (mutated((_FEEDBACK, b'{"request_id": "r", "success": true}')),)),
    "stored-feedback": Target(_stored_feedback, (_NOTES, _NOTES)),
    "envoy-admin": Target(_admin_answer, (_ADMIN | _STATS,)),
    "metrics-server": Target(_metrics_server, (_METRICS,)),
    "http-route": Target(_http_route, (_HTTP_ROUTE, st.sampled_from((200, 409, 500)))),
}
