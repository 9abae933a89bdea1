"""Every body has a typed outcome: random bytes, changed bytes, values of wrong types."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.scoring.answers import CustomSurface, Extracted, Unusable, expectation, extract

NAMES = sorted(path.stem for path in (Path(__file__).parents[1] / "fixtures").glob("*.json"))
BINARY = ("bedrock_stream", "bedrock_stream_error", "bedrock_tool_stream")  # see test_amazon_eventstream.py
KINDS = st.sampled_from(
    [
        "application/json",
        "text/event-stream",
        "application/x-ndjson",
        "text/plain",
        "",
        "text/event-stream; charset=utf-8",
    ]
)
PATHS = st.sampled_from(
    ["/v1/chat/completions", "/v1/messages", "/embed", "/rerank", "/v2/models/m/infer", "/x", "é?", ""]
)
SEEDS = st.integers(0, 2**32)
UNEXPECTED_VALUES = [
    None,
    True,
    False,
    -1,
    10**400,
    1.5,
    1e308,
    "",
    "x",
    "\ud800",
    [],
    [[]],
    {},
    {"type": "text"},
    [None],
    [5],
    ["x"],
]
CUSTOM = CustomSurface("$..text")


def check(path, kind, request, response, custom=None, status=200):
    found = extract(
        path=path, content_type=kind, status=status, request_body=request, response_body=response, custom=custom
    )
    assert isinstance(found, Extracted | Unusable)
    if isinstance(found, Unusable):
        assert len(found.detail.encode()) <= 1200
        return
    for choice in found.choices:
        for text in (choice.text, choice.reasoning, choice.refusal, choice.structured_error):
            text.encode()
        json.dumps([choice.structured, [(c.name, c.arguments, c.raw) for c in choice.tool_calls]]).encode()
    assert found == found  # a NaN anywhere would break it


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), KINDS, PATHS, st.binary(max_size=60))
def test_random_bytes_have_a_typed_outcome(body, kind, path, request):
    check(path, kind, request, body)
    check(path, kind, request, body, CUSTOM, status=503)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, kind=KINDS, path=PATHS)
def test_bodies_with_changed_bytes_have_a_typed_outcome(load, name, seed, kind, path):
    exchange, dice = load(name), random.Random(seed)
    body = bytearray(exchange.response)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(body) + 1)
        match dice.randrange(4):
            case 0:
                body[at:at] = dice.choice(
                    [b'"', b"\\", b"{", b"]", b"\n\n", b"\r", b"\xff", b"\\ud800", b"data: ", b"null"]
                )
            case 1:
                del body[at : at + dice.randint(1, 20)]
            case 2:
                body[at : at + 1] = bytes([dice.randrange(256)])
            case _:
                body[at:at] = body[max(0, at - 40) : at]
    check(exchange.path, exchange.content_type, exchange.request, bytes(body))
    check(path, kind, exchange.request, bytes(body), CUSTOM)


def nodes(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from nodes(item, (*path, key))


def changed(value, dice):
    """Return the value with one of its nested values replaced, removed or duplicated."""
    *path, last = dice.choice([path for path in nodes(value) if path] or [("x",)])
    copy = holder = json.loads(json.dumps(value))
    if not path and not isinstance(copy, dict | list):
        return dice.choice(UNEXPECTED_VALUES)
    for key in path:
        holder = holder[key]
    match dice.randrange(4):
        case 0 if isinstance(holder, dict):
            holder.pop(last, None)
        case 1 if isinstance(holder, list):
            holder.append(holder[last])
        case _:
            holder[last] = dice.choice(UNEXPECTED_VALUES)
    return copy


def documents(text):
    """Yield (prefix, line, its JSON or None) for each line."""
    for line in text.split("\n"):
        prefix = "data: " if line.startswith("data: ") else "data:" if line.startswith("data:") else ""
        try:
            yield prefix, line, json.loads(line.removeprefix(prefix))
        except ValueError:
            yield prefix, line, None


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("plain", *BINARY)])
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_bodies_with_values_of_wrong_types_have_a_typed_outcome(load, name, seed):
    exchange, dice = load(name), random.Random(seed)
    lines = list(documents(exchange.response.decode()))
    holding = [i for i, (_, _, value) in enumerate(lines) if isinstance(value, dict | list)]
    chosen = set(dice.sample(holding, min(len(holding), dice.randint(1, 2))))
    body = "\n".join(
        prefix + json.dumps(changed(value, dice)) if i in chosen else line
        for i, (prefix, line, value) in enumerate(lines)
    )
    check(exchange.path, exchange.content_type, exchange.request, body.encode())
    check("/v1/chat/completions", "", exchange.request, body.encode(), CUSTOM)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_requests_with_values_of_wrong_types_have_a_typed_outcome(load, name, seed):
    exchange, dice = load(name), random.Random(seed)
    request = json.dumps(changed(json.loads(exchange.request), dice)).encode()
    found = expectation(exchange.path, request)
    for text in (found.prompt, found.model, *found.tools):
        text.encode()
    check(exchange.path, exchange.content_type, request, exchange.response)
