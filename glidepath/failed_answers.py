"""Finds answers that failed although their status is 2xx or 3xx, such as a stream with an error, or a web page.

The work is bounded, so extproc can check every captured answer. It consists of one search through the body, and of
parsing one JSON document of at most ``DOCUMENT`` bytes or the last ``EVENTS`` events of a stream. If these bounds do
not allow a decision, the answer counts as not failed. docs/reference/answer-faults.md describes the kinds.
"""

from __future__ import annotations

import json
import re

from glidepath.answer_content import TAIL, completes_text, has_content, is_of_llamacpp, is_of_sglang
from glidepath.answer_faults import AnswerFault, FoundFault
from glidepath.call_classes import is_grpc_content_type
from glidepath.error_forms import is_error_without_the_field
from glidepath.last_events import BLANK, DOCUMENT, ENDS, EVENTS, StreamEvent, json_object, last_events, shown_text

ERRORS = 16  # places with the word "error" that are read
_SHOWN = 200

_DONE = b"[DONE]"
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_HTML = (b"<!doctype html", b"<html")
_JSON_TYPES = ("application/json", "text/json")
_OTHER_FORMATS = ("audio/", "image/", "video/", "multipart/", "application/octet-stream", "application/pdf")
_EVENT_STREAM = "application/vnd.amazon.eventstream"
_SSE_LINES = (b"data:", b"event:", b"id:", b"retry:", b"error:", b":")
_JSON_EVENT = re.compile(rb"^data: ?\{", re.MULTILINE)
_KEEP_ALIVE = ("ping", "pong", "heartbeat", "keepalive", "keep-alive", "keep_alive")
_NAMED_ERROR = re.compile(rb"event: ?error[ \t]*+\r?\n|error: ?\{")  # at the beginning of a line
_NAMED_ERROR_BEGINS = (b"\nevent: error", b"\nevent:error", b"\nerror:")  # llama.cpp writes a field error
_COHERE = ("message-start", "content-start", "content-delta", "content-end", "text-generation")
_ANTHROPIC = ("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta")
_STOPPED = (  # reasons of a model that stopped by itself, so that its answer is complete
    "stop", "stop_sequence", "end_turn", "eos_token", "complete", "tool_calls", "tool_use", "function_call",
)  # fmt: skip
_FAULTY_CALL = (  # reasons of a model that wrote a call or a message that its server could not read
    "malformed_function_call", "unexpected_tool_call", "malformed_tool_use", "malformed_model_output",
)  # fmt: skip
_ERRORS = (  # abort: vLLM and SGLang; network_error: GLM; insufficient_system_resource: DeepSeek
    "error", "error_toxic", "error_limit", "abort", "timeout", "network_error", "insufficient_system_resource",
)  # fmt: skip


def failed_answer(
    status: int, content_type: str, body: bytes, *, cut: bool = False, known_api: bool = True
) -> FoundFault | None:
    """Return why an answer of status 2xx or 3xx failed. Return None if it did not fail, or if this cannot be decided.

    - ``body``: without content encoding
    - ``cut``: whether the capture kept only the beginning of the body
    - ``known_api``: whether the answers to this request have the format of a known API. If not, an empty document and
      an error without a field ``error`` may be sound answers of the user's own API
    """
    if 300 <= status < 400:
        return FoundFault(AnswerFault.REDIRECT, f"status {status}")
    if not 200 <= status < 300:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    start = len(body) - len(body.lstrip(BLANK))
    if start == len(body):
        may_be_empty = cut or is_grpc_content_type(kind)  # a failed gRPC call has only a status
        return None if may_be_empty else FoundFault(AnswerFault.EMPTY_BODY, f"{len(body)} bytes")
    head = body[start : start + 64]
    if kind in _HTML_TYPES or (kind != "text/plain" and head.lower().startswith(_HTML)):
        return FoundFault(AnswerFault.WEB_PAGE, f"content type {kind}" if kind in _HTML_TYPES else shown_text(head))
    if cut or kind.startswith(_OTHER_FORMATS):
        return None
    if kind == _EVENT_STREAM:
        return _eventstream_fault(body)
    if head.startswith((b"{", b"[")):
        return _json_fault(body[start:], kind, known_api=known_api)
    if kind == "text/event-stream" or (head.startswith(_SSE_LINES) and _may_be_stream(kind, body)):
        return _sse_fault(body, known_api=known_api)
    return _json_fault(body[start:], kind, known_api=known_api) if kind in _JSON_TYPES else None


def _may_be_stream(kind: str, body: bytes) -> bool:
    """Return whether a body that begins like server-sent events is a stream.

    Plain text and Markdown are a stream only if an event has JSON.
    """
    return kind not in ("text/plain", "text/markdown") or _JSON_EVENT.search(body, 0, DOCUMENT) is not None


def has_ended(content_type: str, body: bytes) -> bool:
    """Return whether the body of an answer is complete by its own format, whether or not the connection has ended.

    A stream is complete if it has ``[DONE]``, a last event such as ``message_stop``, the reason why the model stopped,
    or an error. A document is complete if it is valid JSON. ``body`` has no content encoding.
    """
    kind, start = content_type.partition(";")[0].strip().lower(), body.lstrip(BLANK)[:64]
    if kind == _EVENT_STREAM:
        return b"messageStop" in body
    if kind == "text/event-stream" or start.startswith(_SSE_LINES):
        events = last_events(body)
        ended = (one.data == _DONE or _ends(one) or _reason(one.doc) is not None for one in events)
        return any(ended) or any(_error(one.doc, AnswerFault.ERROR_EVENT, one.name) for one in events[-1:])
    if not start.startswith((b"{", b"[")) or len(body) > DOCUMENT:
        return False
    *lines, last = body.rstrip(BLANK).rsplit(b"\n", 1)
    line = json_object(last)
    if lines and (line.get("done") is True or line.get("event_type") == "stream-end"):
        return True  # the last line of a stream of Ollama or Cohere
    if lines and _error(line, AnswerFault.ERROR_EVENT) is not None:
        return True
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _json_fault(body: bytes, kind: str, *, known_api: bool) -> FoundFault | None:
    first, _, rest = body.partition(b"\n")
    lines = first.rstrip().endswith((b"}", b"]")) and rest.lstrip(BLANK).startswith((b"{", b"["))
    if lines or "ndjson" in kind or "jsonl" in kind or "json-seq" in kind:
        return _lines_fault(body)
    if len(body) > DOCUMENT:
        whole = body.rstrip(BLANK).endswith((b"}", b"]"))
        return None if whole else FoundFault(AnswerFault.MALFORMED_BODY, "the JSON ends too early")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        declared = kind in _JSON_TYPES or kind.endswith("+json")
        return FoundFault(AnswerFault.MALFORMED_BODY, str(error)[:_SHOWN]) if declared else None
    if value is None or value == {}:
        return FoundFault(AnswerFault.NO_ANSWER, "the JSON is empty") if known_api else None
    if isinstance(value, dict) and kind not in ("text/plain", "text/markdown"):
        return _document_fault(value, body, known_api=known_api)
    if isinstance(value, list):  # Gemini streams an array
        return next((fault for item in value[-EVENTS:] if (fault := _error(item, AnswerFault.ERROR_BODY))), None)
    return None


def _document_fault(doc: dict[str, object], body: bytes, *, known_api: bool) -> FoundFault | None:
    if fault := _error(doc, AnswerFault.ERROR_BODY):
        return fault
    if known_api and is_error_without_the_field(doc):
        return FoundFault(AnswerFault.ERROR_BODY, _message(doc))
    if _lacks_answers(doc):
        return FoundFault(AnswerFault.NO_ANSWER, "no candidates" if "candidates" in doc else "no choices")
    if doc.get("object") == "response":
        empty = doc.get("status") == "completed" and not _has_output(doc.get("output"))
        return FoundFault(AnswerFault.EMPTY_ANSWER, "no output") if empty else None
    reason = _reason(doc)
    if reason not in _STOPPED + _FAULTY_CALL or has_content(body, completes=completes_text(doc)):
        return None
    return FoundFault(AnswerFault.EMPTY_ANSWER, f"finish reason {reason}")


def _lacks_answers(doc: dict[str, object]) -> bool:
    """Return whether a document is an OpenAI or Gemini response that contains no answer."""
    if doc.get("choices") == [] or str(doc.get("object", "")).startswith(("chat.completion", "text_completion")):
        return not doc.get("choices")
    return doc.get("candidates") == [] and not doc.get("promptFeedback")


def _has_output(output: object) -> bool:
    if not isinstance(output, list):
        return False
    return any(
        isinstance(item, dict)
        and item.get("type") != "reasoning"
        and (item.get("type") != "message" or _has_parts(item))
        for item in output
    )


def _has_parts(message: dict[str, object]) -> bool:
    parts = message.get("content")
    if not isinstance(parts, list):
        return bool(parts)
    without_content = {"type", "text", "annotations", "logprobs"}
    return any(not isinstance(part, dict) or part.keys() - without_content or part.get("text") for part in parts)


def _error(doc: object, kind: AnswerFault, event: str = "") -> FoundFault | None:
    """Return the fault if a document is or contains an error message, else None."""
    if not isinstance(doc, dict):
        return None
    found = doc.get("error") or _first_choice(doc).get("error")  # OpenRouter writes it into the choice
    named = event == "error" or doc.get("type") == "error" or doc.get("object") == "error"
    if named or (found and isinstance(found, str | dict | list | bool)):
        return FoundFault(kind, _message(found or doc))
    if event == "response.failed" or doc.get("type") == "response.failed" or _failed_response(doc):
        return FoundFault(kind, "the response failed")
    return FoundFault(kind, "finish reason error") if _reason(doc) in _ERRORS else None


def _failed_response(doc: dict[str, object]) -> bool:
    return doc.get("object") == "response" and doc.get("status") == "failed"


def _message(error: object) -> str:
    names = ("message", "type", "code", "detail", "__type")
    found = next((error[name] for name in names if error.get(name)), None) if isinstance(error, dict) else error
    return str(found)[:_SHOWN] if isinstance(found, str | int) else "an error without a message"


def _first_choice(doc: dict[str, object]) -> dict[str, object]:
    choices = doc.get("choices", doc.get("candidates"))
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def _reason(doc: dict[str, object]) -> str | None:
    """Return the reason why an answer ended, in lower case, or None if the document does not contain one."""
    first, delta = _first_choice(doc), doc.get("delta")
    found = first.get("finish_reason") or first.get("finishReason") or doc.get("stop_reason") or doc.get("stopReason")
    found = found or doc.get("finish_reason")  # Cohere
    if not found and isinstance(info := doc.get("meta_info"), dict):  # SGLang
        found = info.get("finish_reason")
        found = found.get("type") if isinstance(found, dict) else found
    if not found and isinstance(delta, dict):
        found = delta.get("stop_reason") or delta.get("finish_reason")
    if not found and doc.get("done") is True and ("message" in doc or "response" in doc):
        found = doc.get("done_reason") or "stop"
    if not found and doc.get("stop") is True and is_of_llamacpp(doc):
        found = "length" if doc.get("stop_type") == "limit" or doc.get("stopped_limit") is True else "stop"
    return found.lower() if isinstance(found, str) else None


def _sse_fault(body: bytes, *, known_api: bool) -> FoundFault | None:
    if fault := _error_inside(body):
        return fault
    events = last_events(body)
    docs = [event for event in events if event.doc and event.name not in _KEEP_ALIVE]
    for event in events:
        if fault := _error(event.doc, AnswerFault.ERROR_EVENT, event.name):
            return fault
        if known_api and is_error_without_the_field(event.doc):
            return FoundFault(AnswerFault.ERROR_EVENT, _message(event.doc))
    if not docs:
        whole = len(body) <= TAIL and not any(event.data not in (b"", _DONE) for event in events)
        return FoundFault(AnswerFault.NO_ANSWER, "the stream has no event with data") if whole else None
    reason = next((found for event in reversed(docs) if (found := _reason(event.doc))), None)
    known = any(map(_is_known, docs))
    if reason is None and not any(event.data == _DONE or _ends(event) for event in events):
        return FoundFault(AnswerFault.UNFINISHED_STREAM, "neither [DONE] nor a finish reason") if known else None
    if not known or (reason or "stop") not in _STOPPED + _FAULTY_CALL:
        return None
    if has_content(body, completes=any(completes_text(event.doc) for event in docs)):
        return None
    return FoundFault(AnswerFault.EMPTY_ANSWER, f"finish reason {reason}" if reason else "the stream has no content")


def _ends(event: StreamEvent) -> bool:
    whole = isinstance(event.doc.get("generated_text"), str)  # TGI
    return whole or event.doc.get("type", event.name) in ENDS or event.doc.get("event_type") in ENDS


def _is_known(event: StreamEvent) -> bool:
    """Return whether the event belongs to a streaming format whose last event is known."""
    doc = event.doc
    kind = doc.get("type", doc.get("event_type", event.name))
    named = isinstance(kind, str) and (kind in _ANTHROPIC + _COHERE or kind.startswith("response."))
    tgi = {"token", "generated_text"} <= doc.keys()
    lists = isinstance(doc.get("choices"), list) or isinstance(doc.get("candidates"), list)
    return named or tgi or lists or is_of_llamacpp(doc) or is_of_sglang(doc)


def _error_inside(body: bytes) -> FoundFault | None:
    """Return the fault if a stream contains an error anywhere, else None. At most ``ERRORS`` places are read."""
    for begin in _NAMED_ERROR_BEGINS:
        at = 0 if body.startswith(begin[1:]) else body.find(begin) + 1
        if (at or body.startswith(begin[1:])) and (named := _NAMED_ERROR.match(body, at)):
            shown = body[named.end() : named.end() + _SHOWN].partition(b"\n\n")[0]
            return FoundFault(AnswerFault.ERROR_EVENT, shown_text(shown))
    at = -1
    for _ in range(ERRORS):
        at = body.find(b'"error"', at + 1)
        if at < 0:
            return None
        start, end = body.rfind(b"\n", 0, at) + 1, body.find(b"\n", at)
        line = body[start : end if end >= 0 else len(body)]
        doc = json_object(line.partition(b":")[2]) if len(line) <= TAIL else {}
        if fault := _error(doc, AnswerFault.ERROR_EVENT):
            return fault
    return None


def _lines_fault(body: bytes) -> FoundFault | None:
    """Return the fault of a stream that has one JSON document in each line, or None."""
    lines = [line for line in body[-TAIL:].split(b"\n") if line.strip()]
    docs = [doc for line in lines[-EVENTS:] if (doc := json_object(line))]
    for doc in docs:
        if fault := _error(doc, AnswerFault.ERROR_EVENT):
            return fault
    if docs and "done" in docs[-1] and docs[-1]["done"] is not True:
        return FoundFault(AnswerFault.UNFINISHED_STREAM, 'no "done": true')
    return None


def _eventstream_fault(body: bytes) -> FoundFault | None:
    """Return the fault of an answer in Amazon's event stream, judged by the names of its events, or None."""
    if b":exception-type" in body or b":error-code" in body:
        return FoundFault(AnswerFault.ERROR_EVENT, "an exception in the stream")
    known = b"contentBlockDelta" in body or b"messageStart" in body
    if known and b"messageStop" not in body:
        return FoundFault(AnswerFault.UNFINISHED_STREAM, "no messageStop")
    return None
