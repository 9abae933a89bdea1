"""Redaction removes personal data, and a redacted body still parses."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.extproc_errors import NotRedactedError
from extproc.redaction import BUILTIN, Redactor
from glidepath.config.redaction import RedactionSection

ALL = ("email", "phone", "card", "iban", "ipv4", "signed_url", "url_password", "api_key")
EVERYTHING = Redactor(RedactionSection(builtin=ALL), time_limit=60, body_limit=60)  # also on a busy machine


def redact(text: str, content_type: str = "application/json", redactor: Redactor = EVERYTHING) -> str:
    return redactor.redact(text.encode(), content_type).decode()


def test_every_builtin_pattern_of_the_configuration_exists() -> None:
    assert set(BUILTIN) == set(ALL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ann.lee+x@mail.example.com now", "write to [redacted] now"),
        ("call +49 30 1234567 or (212) 555-0187.", "call [redacted] or [redacted]."),
        ("212-555-0187", "[redacted]"),
        ("card 4111 1111 1111 1111, thanks", "card [redacted], thanks"),
        ("IBAN DE89370400440532013000, GB29 NWBK 6016 1331 9268 19", "IBAN [redacted], [redacted]"),
        ("IBAN DE89 3704 0044 0532 0130 00 please", "IBAN [redacted] please"),
        ("see https://x/y?X-Amz-Date=1&X-Amz-Signature=0123456789abcdef&z=1, thanks", "see [redacted] thanks"),
        (
            "https://x/y?x-oss-signature=0123456789abcdef https://x/y?a=1&q-signature=0123456789abcdef",
            "[redacted] [redacted]",
        ),
        ("see https://x/y?sv=1&sig=0123456789abcdef%3D now", "see [redacted] now"),
        ("ann\\x40example.com", "[redacted]"),
        ("postgres://app:hunter2@[::1]:5432/x", "postgres://[redacted]@[::1]:5432/x"),
        ("x postgres://app:a/b?c#d'e@db:5432/x?y=1 z", "x postgres://[redacted]@db:5432/x?y=1 z"),
        ("amqp://u:p/w:0@rd@mq", "amqp://[redacted]@mq"),
        ("curl https://:t0ken@db/x", "curl https://[redacted]@db/x"),
        ("a://b:p@ssw0rd@h/x?y=@z c://sk_live_1:@{h}", "a://[redacted]@h/x?y=@z c://[redacted]@{h}"),
        ("pip https://u:ya29." + "aB3-" * 400 + "@pkg.dev", "pip https://[redacted]@pkg.dev"),
        ("set KEY=sk-proj-abc_DEF-0123456789abcdefghij.", "set KEY=[redacted]."),
        ("AKIAIOSFODNN7EXAMPLE, ghp_" + "aB3" * 12, "[redacted], [redacted]"),
        ("xoxb-1234567890-abc AIza" + "x" * 35 + " hf_" + "a" * 34, "[redacted] [redacted] [redacted]"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN now", "Bearer [redacted] now"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nend", "[redacted]\nend"),
        ("from 192.168.0.1 to 10.0.0.255", "from [redacted] to [redacted]"),
    ],
)
def test_personal_data_is_redacted(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"created": 1730000000, "total_duration": 5043500667}',
        "4111 1111 1111 1112",
        "DE89 3704 0044 0532 0130 02",
        "version 1.2.3.4.5 of 300.1.1.1",
        "in 2024-10-21 at 3.14159",
        "a @ b",
        "https://x/y?page=1&signature_version=0123456789abcdef",
        "docker://localhost:5000/x@sha256:abc http://h:8000/v1?m=a@b http://[::1]:8080/a@b http://h:$PORT/a@1",
        "'http://h:80','a@b' a://h:{port}/x@1 http://h:%s/x@y git+ssh://git@h:a/b@main",
        "http://localhost:8000/v1, https://x/@user:1, a sk-learn-pipeline-of-many-words, hf_hub, eyJ.eyJ.x",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_text_that_only_looks_personal_is_kept(text: str) -> None:
    assert redact(text) == text


def test_a_bare_number_in_json_becomes_a_number() -> None:
    text = '{"card": 4111111111111111, "list": [4111111111111111], "text": "4111111111111111"}'
    assert json.loads(redact(text)) == {"card": 0, "list": [0], "text": "[redacted]"}


def test_an_escape_before_a_match_is_not_part_of_it() -> None:
    text = json.dumps({"content": 'mail:\nann@example.com\t212-555-0187 "bob@example.com" <c@example.com>'})
    content = 'mail:\n[redacted]\t[redacted] "[redacted]" <[redacted]>'
    assert json.loads(redact(text)) == {"content": content}
    assert json.loads(redact(text.replace("<", "\\u003c").replace("@", "\\u0040"))) == {"content": content}
    cut = redact(text[:-3])  # a cut body is no longer JSON
    assert "example" not in cut.replace("c@example.co", "")
    assert "\\[" not in cut


def test_keys_are_redacted_too() -> None:
    assert json.loads(redact('{"ann@example.com": true}')) == {"[redacted]": True}


def test_json_without_anything_personal_is_left_byte_for_byte() -> None:
    text = '{ "a" : 1.50, "b": "\\u00e9\\ud800", "n": 12345678, "deep": [[[]]] }'
    assert redact(text) == text


def test_a_lone_surrogate_beside_a_match_is_kept() -> None:
    for kind in ("application/json", "text/event-stream"):
        text = (
            'data: {"a": "\\ud800 ann@example.com"}' if kind.startswith("text") else '{"a": "\\ud800 ann@example.com"}'
        )
        assert json.loads(redact(text, kind).removeprefix("data: ")) == {"a": "\ud800 [redacted]"}


@pytest.mark.parametrize("text", ["[" * 500 + "]" * 500, "\\n" * 60_000, "[" * 100_000])
def test_a_body_that_is_too_complex_is_not_stored_or_is_unchanged(text: str) -> None:
    with contextlib.suppress(NotRedactedError):
        assert EVERYTHING.redact(text.encode(), "application/json") == text.encode()


def test_configured_patterns_apply_after_the_builtin_ones() -> None:
    redactor = Redactor(RedactionSection(patterns=(r"EMP-\d{4}", "(?i)project osprey")))
    assert redact("EMP-1234 works on Project Osprey", redactor=redactor) == "[redacted] works on [redacted]"


def test_without_patterns_bodies_are_unchanged() -> None:
    assert Redactor(RedactionSection()).redact(b"\xff ann@example.com", "") == b"\xff ann@example.com"


def test_bytes_that_are_no_character_are_replaced() -> None:
    assert EVERYTHING.redact(b"\xff ann@example.com \xfe", "").decode() == "\ufffd [redacted] \ufffd"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\x00 ann@example.com \xfe", ""),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "application/json"),
        (b"+AGEAbgBuAEA-example.com", "text/plain; charset=utf-7"),
        (b"x", "text/plain; charset=unheard-of"),
        (
            b"--b\r\ncontent-transfer-encoding: base64\r\n\r\nYW5uQGV4YW1wbGUuY29t\r\n--b--",
            "multipart/form-data; boundary=b",
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_not_kept(body: bytes, content_type: str) -> None:
    redactor = Redactor(RedactionSection(builtin=ALL))
    with pytest.raises(NotRedactedError, match="cannot be read"):
        redactor.redact(body, content_type)
    assert (redactor.unreadable, redactor.timeouts) == (1, 0)


def test_paths_are_redacted() -> None:
    assert EVERYTHING.redact_path("/v1/users/ann%40example.com/chat?version=1") == "/v1/users/[redacted]/chat?version=1"
    assert EVERYTHING.redact_path("/v1/chat") == "/v1/chat"


def test_a_pattern_that_would_run_for_ever_loses_only_that_body() -> None:
    redactor = Redactor(RedactionSection(patterns=(r"(a|a?)+$",)), time_limit=0.05)
    with pytest.raises(NotRedactedError, match="too long"):
        redactor.redact(b"a" * 5000 + b"!", "text/plain")
    assert redactor.timeouts == 1


def test_a_body_that_takes_too_long_as_a_whole_is_not_stored() -> None:
    redactor = Redactor(RedactionSection(builtin=ALL), time_limit=60, body_limit=0)
    with pytest.raises(NotRedactedError, match="too long"):
        redactor.redact(b'{"a": "ann@example.com", "b": "bob@example.com"}', "application/json")
    assert redactor.timeouts == 1


def sse(*pieces: str) -> str:
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}], "object": "chunk"} for piece in pieces]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def contents(text: str) -> str:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: {")]
    return "".join(json.loads(line)["choices"][0]["delta"]["content"] for line in lines)


def test_a_match_split_over_stream_events_is_redacted() -> None:
    redacted = redact(sse("mail jo", "hn@exa", "mple.c", "om, ok"), "text/event-stream; charset=utf-8")
    assert contents(redacted) == "mail [redacted], ok"
    assert redacted.count("data: ") == 5
    assert redacted.endswith("data: [DONE]\n\n")


def test_ndjson_streams_are_redacted_like_sse() -> None:
    lines = [json.dumps({"message": {"content": piece}, "done": False}) for piece in ("jo", "hn@example.com")]
    redacted = redact("\n".join(lines), "application/x-ndjson")
    assert "".join(json.loads(line)["message"]["content"] for line in redacted.splitlines()) == "[redacted]"


def test_parallel_choices_are_not_mixed() -> None:
    events = [
        {"choices": [{"index": index, "delta": {"content": piece}}]}
        for index, piece in ((0, "a@b"), (1, "x "), (0, ".com"), (1, "y"))
    ]
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    redacted = [json.loads(line[6:]) for line in redact(text, "text/event-stream").splitlines() if line]
    assert [e["choices"][0]["delta"]["content"] for e in redacted] == ["[redacted]", "x ", "", "y"]


def test_a_stream_without_anything_personal_is_left_byte_for_byte() -> None:
    text = sse("Paris", " is", " nice").replace('": ', '":')
    assert redact(text, "text/event-stream") == text


@given(st.text(max_size=200), st.sampled_from(["application/json", "text/event-stream", "application/x-ndjson"]))
def test_redaction_refuses_only_null_characters_and_a_second_one_changes_nothing(text: str, content_type: str) -> None:
    try:
        once = EVERYTHING.redact(text.encode("utf-8", "surrogatepass"), content_type)
    except NotRedactedError:
        assert "\0" in text
        return
    assert EVERYTHING.redact(once, content_type) == once


@given(st.lists(st.integers(0, 22), min_size=1, max_size=8).map(sorted))
def test_no_address_remains_however_a_stream_is_split(cuts: list[int]) -> None:
    text = "x ann.lee@example.com y"
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert contents(redact(sse(*parts), "text/event-stream")) == "x [redacted] y"
