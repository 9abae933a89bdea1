"""Access log lines of proxies and gateways, good and bad, as counts of the inventory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glidepath.call_classes import CallClass
from glidepath.config.inventory import InventorySection
from glidepath.errors import InputError
from glidepath.inventory.callers import NOBODY, UNKNOWN
from glidepath.inventory.tally import GroupKey, Tally
from glidepath_ops.inventory.log_lines import MOST_LINE, MOST_NAMED, LogLines
from glidepath_ops.inventory.read_inventory import read_from_files

CHAT = "/v1/chat/completions"


def read(
    *entries: dict[str, Any] | bytes, caller: str = "caller", since_ms: int = 0, fingerprint: bool = True
) -> LogLines:
    lines = LogLines(InventorySection(fingerprint=fingerprint), caller, since_ms)
    for number, entry in enumerate(entries):
        line = entry if isinstance(entry, bytes) else json.dumps(entry).encode()
        lines.add(line + b"\n", lambda: f"log:{number + 1}")  # noqa: B023 - called at once
    return lines


def only(lines: LogLines) -> tuple[GroupKey, Tally]:
    ((key, tally),) = lines.tallies.items()
    return key, tally


@pytest.mark.parametrize(
    ("fields", "caller", "named"),
    [
        ({"x-team": "etl"}, "caller", "x-team=etl"),
        ({"x_team": "web", "x-app": "shop"}, "caller", "x-team=web"),
        ({"x_team": "-", "x-app": "shop"}, "caller", "x-app=shop"),
        ({"x_team": "-"}, "caller", NOBODY),
        ({"caller": "billing", "x-team": "web"}, "caller", "billing"),
        ({"x-team": "web"}, "client", UNKNOWN),
        ({}, "caller", UNKNOWN),
    ],
)
def test_the_headers_of_the_configuration_name_the_caller_too(fields: dict[str, str], caller: str, named: str) -> None:
    lines = LogLines(InventorySection(callers=("x-team", "x-app")), caller)
    lines.add(json.dumps({"path": CHAT, **fields}).encode(), lambda: "log:1")
    assert only(lines)[0].caller == named


def test_a_line_with_all_fields() -> None:
    entry = {
        "time": "2026-11-03T10:00:00Z",
        "method": "POST",
        "path": f"{CHAT}?x=1",
        "status": 200,
        "duration_ms": 1200,
        "ttft_ms": 300,
        "stream": True,
        "model": "gpt-4o",
        "caller": "billing",
        "bytes_received": 4000,
        "bytes_sent": 900,
        "usage": {
            "prompt_tokens": 900,
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 640},
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        "tools": True,
        "modalities": ["text", "image"],
        "backend": "cloud",
    }
    lines = read(entry)
    key, tally = only(lines)
    assert key[1:] == (CHAT, CallClass.INFERENCE, "gpt-4o", "billing")
    assert (tally.requests, tally.streamed, tally.bytes_in, tally.bytes_out) == (1, 1, 4000, 900)
    assert tally.usage == {"measured/standard": [900, 100, 640, 0, 0, 0, 30, 0, 1]}
    assert list(tally.shapes) == ["image+tools"]
    assert (sum(tally.latency.values()), sum(tally.ttft.values()), tally.backends) == (1, 1, {"cloud": 1})
    assert lines.first_ms == lines.last_ms == 1793700000000


def test_a_line_of_istio() -> None:
    """The default JSON format of Istio's access log has these names."""
    entry = {
        "start_time": "2026-11-03T10:00:00.123Z",
        "method": "POST",
        "path": "/openai/deployments/gpt-4o/chat/completions",
        "response_code": 503,
        "duration": 12,
        "bytes_received": 100,
        "bytes_sent": 10,
        "upstream_cluster": "outbound|443||api.openai.com",
        "authority": "llm.example",
    }
    key, tally = only(read(entry))
    assert (key.model, key.caller, tally.errors, tally.latency) == ("gpt-4o", "?", 1, {})


def test_a_field_may_be_named_as_the_header_of_the_caller() -> None:
    key, _ = only(read({"path": CHAT, "x-team": "etl"}, caller="x-team"))
    assert key.caller == "x-team=etl"


def test_numbers_may_be_texts_as_envoy_can_write_them() -> None:
    _, tally = only(read({"path": CHAT, "status": "429", "bytes_received": "12", "duration_ms": "-"}))
    assert (tally.refused, tally.bytes_in) == (1, 12)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{", "not JSON"),
        (b"[1]", "no JSON object"),
        ({"method": "POST"}, "no path"),
        ({"path": 7}, "no path"),
        ({"path": CHAT, "time": "yesterday"}, "the time is not"),
        ({"path": CHAT, "model": ["x"]}, "is not text"),
        (b'{"path": "' + b"x" * MOST_LINE + b'"}', "longer than 64 KiB"),
    ],
)
def test_a_bad_line_is_counted_and_named_and_the_others_count(bad: Any, why: str) -> None:
    lines = read({"path": CHAT}, bad, {"path": CHAT})
    assert lines.requests == 2
    assert sum(lines.bad.values()) == 1
    assert lines.named[0].startswith("log:2: ")
    assert why in lines.named[0]


def test_few_bad_lines_are_named() -> None:
    assert len(read(*(MOST_NAMED + 3) * [b"{"]).named) == MOST_NAMED


def test_older_lines_are_left_out() -> None:
    lines = read(
        {"path": CHAT, "time": 1_700_000_000}, {"path": CHAT, "time": 1_800_000_000}, since_ms=1_750_000_000_000
    )
    assert (lines.requests, lines.too_old) == (1, 1)


def test_a_file_without_a_good_line_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    log.write_text("plain text\n" * 3)
    with pytest.raises(InputError, match=r"no line can be counted\n.*a\.jsonl:1: not JSON"):
        read_from_files([str(log)], InventorySection(), "caller", 0, lambda _: None)


def test_the_rest_of_a_line_that_is_too_long_is_no_line_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    good = json.dumps({"path": CHAT})
    log.write_text(f"{good}\n{'x' * 3 * MOST_LINE}\n{good}\n{good}")
    read_traffic = read_from_files([str(log)], InventorySection(), "caller", 0, lambda _: None)
    assert read_traffic.traffic.requests == 3
    assert "1 of 4 lines were left out: 1 longer than 64 KiB" in read_traffic.notes[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("authorization", "Basic dXNlcjpwYXNz"), ("x_api_key", "anything"), ("caller", "sk-proj-abcdefghijklmnop")],
)
def test_a_credential_in_a_line_is_shown_only_as_its_fingerprint(field: str, value: str) -> None:
    lines = read({"path": CHAT, field: value}, {"path": CHAT, field: value}, caller=field)
    key, tally = only(lines)
    assert (key.caller[:4], len(key.caller), tally.requests) == ("key:", 16, 2)
    ((without, _),) = read({"path": CHAT, field: value}, caller=field, fingerprint=False).tallies.items()
    assert without.caller == "?"


def test_a_time_before_1970_is_no_time() -> None:
    lines = read({"path": CHAT, "time": "0001-01-01T00:00:00+14:00"})
    assert lines.bad == {"the time is before 1970": 1}
