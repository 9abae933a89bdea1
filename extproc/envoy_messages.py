"""From Envoy's protobuf messages to events: the only place of the hot path that knows the protos.

xds-protos (upb) parses a message in about a microsecond; envoy-data-plane takes a hundred times as long.
"""

from __future__ import annotations

from typing import Any

from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from extproc.exceptions import IllegalEventError
from extproc.exchange import Chunk, Event, Exchange, Half, RequestHeaders, ResponseHeaders, Signal, Trailers
from extproc.tee import FORWARDED_HEADERS
from glidepath.keys import CREDENTIAL_HEADERS, HEADER_CLUSTER

# What is kept of a request's headers; everything else is dropped here, before anything can see it.
REQUEST_HEADERS = frozenset({":method", ":path", *FORWARDED_HEADERS, HEADER_CLUSTER})
RESPONSE_HEADERS = frozenset({"content-encoding", "content-type"})
MAX_HEADER = 16 * 1024  # of one value; a longer one is dropped
_EMPTY: dict[str, str] = {}
_REQUEST, _RESPONSE = Half.REQUEST, Half.RESPONSE


def read(message: ProcessingRequest, wanted: frozenset[str] = REQUEST_HEADERS) -> Event:
    """The event of one message; of its headers those ``wanted``. Raises IllegalEventError for one without a part."""
    part = message.WhichOneof("request")
    if part == "response_body":
        body = message.response_body
        return Chunk(Half.RESPONSE, body.body, body.end_of_stream)
    if part == "request_body":
        body = message.request_body
        return Chunk(Half.REQUEST, body.body, body.end_of_stream)
    if part == "request_headers":
        return _request_headers(message, wanted)
    if part == "response_headers":
        return _response_headers(message)
    if part == "request_trailers":
        return Trailers(Half.REQUEST)
    if part == "response_trailers":
        return Trailers(Half.RESPONSE)
    raise IllegalEventError("a message of no kind that this version knows")


def feed(exchange: Exchange, message: ProcessingRequest, wanted: frozenset[str], now: float) -> Signal:
    """``exchange.feed(read(message), now)``, chunks first and without an event between."""
    part = message.WhichOneof("request")
    if part == "response_body":
        body = message.response_body
        return exchange.chunk(_RESPONSE, body.body, body.end_of_stream, now)
    if part == "request_body":
        body = message.request_body
        return exchange.chunk(_REQUEST, body.body, body.end_of_stream, now)
    return exchange.feed(read(message, wanted), now)


def wanted_headers(sticky: frozenset[str]) -> frozenset[str]:
    """The allow-list with the workloads' sticky headers; a credential is never on it, whatever is configured."""
    return (REQUEST_HEADERS | sticky) - frozenset(CREDENTIAL_HEADERS)


def _request_headers(message: ProcessingRequest, wanted: frozenset[str]) -> RequestHeaders:
    part = message.request_headers
    attributes = _attributes(message)
    headers = _headers(part.headers.headers, wanted)
    named = headers.pop(HEADER_CLUSTER, "")  # where the filter may not send the attribute (Envoy Gateway's API)
    return RequestHeaders(
        headers,
        _text(attributes, "xds.cluster_name") or named,
        _text(attributes, "xds.route_name"),
        part.end_of_stream,
    )


def _response_headers(message: ProcessingRequest) -> ResponseHeaders:
    part = message.response_headers
    attributes = _attributes(message)
    headers = _headers(part.headers.headers, _RESPONSE_WANTED)
    status = headers.pop(":status", "")
    return ResponseHeaders(
        int(status) if len(status) == 3 and status.isascii() and status.isdigit() else 0,
        headers,
        int(_number(attributes, "upstream.request_attempt_count")),
        _text(attributes, "response.code_details"),
        part.end_of_stream,
    )


_RESPONSE_WANTED = RESPONSE_HEADERS | {":status"}


def _headers(entries: Any, wanted: frozenset[str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for entry in entries:
        key = entry.key  # Envoy sends names in lower case
        if key in wanted:
            value = entry.raw_value or entry.value.encode()
            if len(value) <= MAX_HEADER:
                kept[key] = value.decode("utf-8", "replace")
    return kept


def _attributes(message: ProcessingRequest) -> Any:
    """The fields of the one Struct that the filter sends, under whatever name the filter has."""
    for struct in message.attributes.values():
        return struct.fields
    return _EMPTY


def _text(fields: Any, name: str) -> str:
    return str(fields[name].string_value) if name in fields else ""


def _number(fields: Any, name: str) -> float:
    """A number, or a text that is one; 0 for anything else."""
    if name not in fields:
        return 0
    value = fields[name]
    number = value.number_value
    if not number and value.string_value.isascii() and value.string_value.isdigit():
        return float(value.string_value[:9])
    return float(number) if 0 <= number < 1e9 else 0
