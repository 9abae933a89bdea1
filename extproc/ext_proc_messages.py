"""Translation of Envoy's ext_proc messages into events of an exchange.

Of the code that runs for every request, only this module reads the fields of ext_proc messages. The package xds-protos
(upb) parses a message in about a microsecond; the package envoy-data-plane takes a hundred times as long.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from extproc.exchange import Exchange
from extproc.exchange_events import Chunk, Event, Milestone, RequestHeaders, ResponseHeaders, Trailers
from extproc.exchange_transitions import Half
from extproc.extproc_errors import IllegalEventError
from glidepath.envoy_names import (
    CREDENTIAL_HEADERS,
    ENDPOINT_BACKEND,
    METADATA,
    READ_REQUEST_HEADERS,
    READ_RESPONSE_HEADERS,
)

# The request headers that are kept. Every other header is dropped here.
REQUEST_HEADERS = frozenset(READ_REQUEST_HEADERS)
MAX_HEADER = 16 * 1024  # characters of one value; a header with a longer value is dropped
_EMPTY: dict[str, str] = {}
_NAMESPACE = rf'key:\s*"{METADATA}"\s+value\s*{{\s*fields\s*{{\s*'
_BACKEND = re.compile(_NAMESPACE + rf'key:\s*"{ENDPOINT_BACKEND}"\s+value\s*{{\s*string_value:\s*"([^"\\]+)"')
_REQUEST, _RESPONSE = Half.REQUEST, Half.RESPONSE


def read(message: ProcessingRequest, wanted: frozenset[str] = REQUEST_HEADERS) -> Event:
    """Translate one ext_proc message into an event. Only the request headers named in ``wanted`` are kept.

    Raises IllegalEventError for a message of an unknown kind.
    """
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
    raise IllegalEventError("unknown kind of ext_proc message")


def feed(exchange: Exchange, message: ProcessingRequest, wanted: frozenset[str], now: float) -> Milestone:
    """Do the same as ``exchange.feed(read(message, wanted), now)``, but faster: no event object is created for a chunk.

    An empty message says that Envoy leaves out the rest of the exchange.
    """
    part = message.WhichOneof("request")
    if part == "response_body":
        body = message.response_body
        return exchange.chunk(_RESPONSE, body.body, body.end_of_stream, now)
    if part == "request_body":
        body = message.request_body
        return exchange.chunk(_REQUEST, body.body, body.end_of_stream, now)
    if part is None and not message.ByteSize():
        return exchange.shed_rest(now)
    return exchange.feed(read(message, wanted), now)


def wanted_headers(sticky: frozenset[str]) -> frozenset[str]:
    """Return the names of the request headers to keep: REQUEST_HEADERS and the ``sticky`` headers.

    A header that carries a credential is never kept.
    """
    return (REQUEST_HEADERS | sticky) - frozenset(CREDENTIAL_HEADERS)


def _request_headers(message: ProcessingRequest, wanted: frozenset[str]) -> RequestHeaders:
    part = message.request_headers
    attributes = _attributes(message)
    headers = _headers(part.headers.headers, wanted)
    return RequestHeaders(headers, _text(attributes, "xds.cluster_name"), part.end_of_stream)


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
        _backend(_text(attributes, "xds.upstream_host_metadata")),
    )


@lru_cache(256)
def _backend(metadata: str) -> str:
    """Return the backend that the metadata of an endpoint names, or "" if it names none.

    Envoy sends the metadata as protobuf text, whose spacing may vary. The result is cached, because all answers of an
    endpoint carry the same metadata.
    """
    found = _BACKEND.search(metadata)
    return found[1] if found else ""


_RESPONSE_WANTED = frozenset(READ_RESPONSE_HEADERS)


def _headers(entries: Any, wanted: frozenset[str]) -> dict[str, str]:
    """Return the ``wanted`` headers. The values of lines with the same name are joined with commas (RFC 9110, 5.3)."""
    kept: dict[str, str] = {}
    for entry in entries:
        key = entry.key  # Envoy sends header names in lower case
        if key in wanted:
            value = entry.raw_value or entry.value.encode()
            if len(value) <= MAX_HEADER:
                text = value.decode("utf-8", "replace")
                kept[key] = f"{kept[key]}, {text}" if key in kept else text
    return kept


def _attributes(message: ProcessingRequest) -> Any:
    """Return the attributes that Envoy sent with a message.

    Envoy sends them as a map with one entry. The key is the name of the Envoy filter, which may vary, and the value is
    a Struct with the attributes.
    """
    attributes = message.attributes
    for name in attributes:
        return attributes[name].fields
    return _EMPTY


def _text(fields: Any, name: str) -> str:
    return str(fields[name].string_value) if name in fields else ""


def _number(fields: Any, name: str) -> float:
    """Return the value of a number field, or the number that a text field contains. Return 0 for any other field."""
    if name not in fields:
        return 0
    value = fields[name]
    number = value.number_value
    if not number and value.string_value.isascii() and value.string_value.isdigit():
        return float(value.string_value[:9])
    return float(number) if 0 <= number < 1e9 else 0
