"""Amazon event streams: complete, cut anywhere, with a changed byte, and with payloads of wrong types."""

from __future__ import annotations

import json
import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.answers import Extracted, Unusable, UnusableReason, extract
from scorer.scoring.answers.amazon_eventstream import parse_messages


def message(name: str, payload: object, kind: str = "event") -> bytes:
    headers = b"\x04flag\x00\x04time\x08" + bytes(8)
    for key, value in (("event" if kind == "event" else "exception", name), ("message", kind)):
        header = f":{key}-type".encode()
        headers += bytes([len(header)]) + header + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    begin = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    begin += struct.pack(">I", crc32(begin))
    return begin + headers + body + struct.pack(">I", crc32(begin + headers + body))


DELTA = {"contentBlockIndex": 0, "delta": {"text": "Paris."}}
WHOLE = message("messageStart", {"role": "assistant"}) + message("contentBlockDelta", DELTA)
WHOLE += message("messageStop", {"stopReason": "end_turn"}) + message("metadata", {"usage": {"inputTokens": 1}})


def read(body: bytes) -> Extracted | Unusable:
    kind = "application/vnd.amazon.eventstream"
    return extract(
        path="/model/m/converse-stream", content_type=kind, status=200, request_body=b"{}", response_body=body
    )


def test_messages_have_a_kind_a_name_and_a_payload() -> None:
    messages = list(parse_messages(WHOLE))
    assert [f.name for f in messages] == ["messageStart", "contentBlockDelta", "messageStop", "metadata"]
    assert json.loads(messages[1].payload) == DELTA
    answer = read(WHOLE)
    assert isinstance(answer, Extracted)
    assert (answer.text, answer.input_tokens) == ("Paris.", 1)


@pytest.mark.parametrize("cut", range(1, len(WHOLE) - len(message("metadata", {"usage": {"inputTokens": 1}})), 7))
def test_a_cut_stream_is_truncated(cut: int) -> None:
    answer = read(WHOLE[:cut])
    assert isinstance(answer, Unusable)
    assert answer.reason is UnusableReason.TRUNCATED


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_stream_with_a_changed_byte_is_unusable(place: int, change: int) -> None:
    broken = bytearray(WHOLE)
    broken[place] ^= change
    assert isinstance(read(bytes(broken)), Unusable)


def test_an_exception_in_the_stream_is_an_error() -> None:
    answer = read(message("messageStart", {}) + message("throttlingException", {"message": "slow down"}, "exception"))
    assert isinstance(answer, Unusable)
    assert answer.reason is UnusableReason.ERROR_BODY
    assert "slow down" in answer.detail


NAMES = st.sampled_from(["messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata", "other"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["delta", "start", "text", "toolUse", "input", "usage", "name"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_payloads_of_any_shape_have_a_typed_outcome(parts: list[tuple[str, object]]) -> None:
    assert isinstance(read(b"".join(message(*part) for part in parts)), Extracted | Unusable)
