"""Amazon's event stream, divided into frames and written again, has the same bytes."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.amazon_event_frames import TYPE, DamagedFrameError, divide, frame, is_frames, part_of

BODY = frame(b"\x01h\x07\x00\x01v", b'{"a": 1}') + frame(b"", b"{}")


@given(st.lists(st.tuples(st.binary(max_size=20), st.text(max_size=40))))
def test_frames_are_divided_into_their_headers_and_payloads(frames: list[tuple[bytes, str]]) -> None:
    body = b"".join(frame(headers, payload.encode("utf-8", "replace")) for headers, payload in frames)
    found, rest = divide(body)
    assert [(headers, payload.encode()) for headers, payload in found] == [
        (headers, payload.encode("utf-8", "replace")) for headers, payload in frames
    ]
    assert rest == b""


@pytest.mark.parametrize("cut", range(1, 16))
def test_of_an_incomplete_frame_only_the_lengths_remain(cut: int) -> None:
    whole, _ = divide(BODY[: -len(frame(b"", b"{}"))])
    found, rest = divide(BODY[:-cut])
    assert found == whole
    assert rest == frame(b"", b"{}")[:-cut][:12]


def test_a_damaged_frame_is_refused() -> None:
    for at in range(len(BODY)):
        damaged = BODY[:at] + bytes((BODY[at] ^ 1,)) + BODY[at + 1 :]
        with pytest.raises(DamagedFrameError):
            divide(damaged)


def test_frames_are_recognised_by_their_label_or_their_first_checksum() -> None:
    assert is_frames(b"", f"{TYPE}; x=y")
    assert is_frames(BODY, "application/json")
    assert not is_frames(b'{"some": "json"}', "application/json")


def test_the_json_inside_an_envelope_is_the_value_and_is_put_back() -> None:
    inner = base64.b64encode(b'{"text": "a"}').decode()
    part = part_of(json.dumps({"bytes": inner, "p": "abc"}))
    assert part.data == '{"text": "a"}'
    written = json.loads(part.wrap('{"text":"b"}'))
    assert (base64.b64decode(written["bytes"]), written["p"]) == (b'{"text":"b"}', "abc")


@pytest.mark.parametrize("more", [{"p": "a@b.example"}, {"q": "a"}])
def test_an_envelope_with_something_else_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(DamagedFrameError):
        part_of(json.dumps({"bytes": base64.b64encode(b"{}").decode(), **more}))
