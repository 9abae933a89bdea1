"""Translation of Envoy's messages into events, and the headers that are dropped."""

from __future__ import annotations

import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from extproc.body_limits import BodyMemory
from extproc.exchange import Exchange
from extproc.exchange_events import Chunk, RequestHeaders, ResponseHeaders, Trailers
from extproc.exchange_transitions import Half
from extproc.ext_proc_messages import MAX_HEADER, read, wanted_headers
from extproc.extproc_errors import IllegalEventError
from glidepath.envoy_names import CREDENTIAL_HEADERS

FILTER = "envoy.filters.http.ext_proc"


def request_headers(**headers: bytes) -> ProcessingRequest:
    message = ProcessingRequest()
    message.request_headers.SetInParent()
    for name, value in headers.items():
        message.request_headers.headers.headers.add(key=name.replace("_", "-"), raw_value=value)
    return message


def test_request_headers_with_the_chosen_cluster() -> None:
    message = request_headers(content_type=b"application/json", host=b"example.com", user_agent=b"curl")
    message.request_headers.headers.headers.add(key=":path", value="/v1")
    message.request_headers.end_of_stream = True
    message.attributes[FILTER].update({"xds.cluster_name": "cloud"})
    expected = {"content-type": "application/json", ":path": "/v1"}
    assert read(message) == RequestHeaders(expected, "cloud", True)


@pytest.mark.parametrize("name", CREDENTIAL_HEADERS)
def test_a_credential_header_is_dropped_even_if_it_is_the_configured_sticky_header(name: str) -> None:
    message = ProcessingRequest()
    message.request_headers.headers.headers.add(key=name, raw_value=b"SECRET")
    event = read(message, wanted_headers(frozenset({name})))
    assert isinstance(event, RequestHeaders)
    assert event.headers == {}


def test_the_configured_sticky_header_is_kept() -> None:
    event = read(request_headers(x_user_id=b"ann"), wanted_headers(frozenset({"x-user-id"})))
    assert isinstance(event, RequestHeaders)
    assert event.headers == {"x-user-id": "ann"}


def test_the_lines_of_one_header_are_joined() -> None:
    message = request_headers(x_tenant=b"acme")
    message.request_headers.headers.headers.add(key="x-tenant", raw_value=b"other")
    event = read(message, wanted_headers(frozenset({"x-tenant"})))
    assert isinstance(event, RequestHeaders)
    assert event.headers == {"x-tenant": "acme, other"}


def test_a_huge_header_value_is_dropped_and_invalid_utf8_is_replaced() -> None:
    event = read(request_headers(accept=b"a" * (MAX_HEADER + 1), content_type=b"text/\xff"))
    assert isinstance(event, RequestHeaders)
    assert event.headers == {"content-type": "text/\ufffd"}


def test_response_headers_with_their_attributes() -> None:
    message = ProcessingRequest()
    for name, value in ((":status", b"200"), ("content-type", b"text/event-stream"), ("set-cookie", b"SECRET")):
        message.response_headers.headers.headers.add(key=name, raw_value=value)
    message.attributes[FILTER].update({"upstream.request_attempt_count": 2, "response.code_details": "via_upstream"})
    assert read(message) == ResponseHeaders(200, {"content-type": "text/event-stream"}, 2, "via_upstream", False)


@pytest.mark.parametrize(
    ("metadata", "backend"),
    [
        (
            'filter_metadata { key: "glidepath" value { fields { key: "backend" value { string_value: "onprem" } } } }',
            "onprem",
        ),
        (
            'goo.gle/debug  filter_metadata {\n  key: "glidepath"\n  value {\n    fields {\n      key: "backend"\n'
            '      value {\n        string_value: "on-prem.2"\n      }\n    }\n  }\n}\n',
            "on-prem.2",
        ),
        ('filter_metadata { key: "istio" value { fields { key: "backend" value { string_value: "x" } } } }', ""),
        ("", ""),
    ],
    ids=["one line", "several lines", "of somebody else", "none"],
)
def test_the_metadata_of_the_endpoint_names_the_backend(metadata: str, backend: str) -> None:
    message = ProcessingRequest()
    message.response_headers.SetInParent()
    message.attributes[FILTER].update({"xds.upstream_host_metadata": metadata})
    event = read(message)
    assert isinstance(event, ResponseHeaders)
    assert event.backend == backend


@pytest.mark.parametrize("status", [b"", b"20", b"abc", b"2000", "２００".encode()])
def test_an_invalid_status_is_zero(status: bytes) -> None:
    message = ProcessingRequest()
    message.response_headers.headers.headers.add(key=":status", raw_value=status)
    event = read(message)
    assert isinstance(event, ResponseHeaders)
    assert event.status == 0


def test_bodies_and_trailers_of_both_halves() -> None:
    for half, name in ((Half.REQUEST, "request"), (Half.RESPONSE, "response")):
        body = ProcessingRequest()
        getattr(body, f"{name}_body").body = b"data"
        getattr(body, f"{name}_body").end_of_stream = True
        assert read(body) == Chunk(half, b"data", True)
        trailers = ProcessingRequest()
        getattr(trailers, f"{name}_trailers").SetInParent()
        assert read(trailers) == Trailers(half)


def test_a_message_of_an_unknown_kind_is_illegal() -> None:
    with pytest.raises(IllegalEventError):
        read(ProcessingRequest())


@given(st.lists(st.binary(max_size=120), max_size=8))
def test_random_messages_are_refused_or_harmless(messages: list[bytes]) -> None:
    memory = BodyMemory(1000)
    exchange = Exchange(100, memory)
    for garbage in messages:
        try:
            exchange.feed(read(ProcessingRequest.FromString(garbage)), 1.0)
        except (DecodeError, IllegalEventError):
            continue
    exchange.release()
    assert memory.held == 0
