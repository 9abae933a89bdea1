"""Pairs of answers that can be scored, and pairs for the noise floor."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from glidepath.pairs import Answer, Ending, Pair, PairKind
from glidepath.sides import Origin, Side

LONG = "The committee met on Tuesday, read the report and asked for a second one. " * 40


def completion(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    body = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(body).encode()


def answer(side: Side, text: str = "Paris.", origin: Origin = Origin.LIVE, **changes: Any) -> Answer:
    backend = "cloud" if side is Side.BASELINE else "onprem"
    whole = Answer(side, origin, backend, 200, "application/json", completion(text), total_ms=12.5)
    return replace(whole, **changes)


def pair(name: str, left: str = "Paris.", right: str = "It is Paris.", **changes: Any) -> Pair:
    whole = Pair(
        id=name,
        workload="chat",
        kind=PairKind.CROSS,
        captured_at_ms=1000,
        method="POST",
        path="/v1/chat/completions",
        request_body=b'{"messages": [{"role": "user", "content": "The capital of France?"}]}',
        first=answer(Side.BASELINE, left),
        second=answer(Side.CANDIDATE, right, Origin.SHADOW),
    )
    return replace(whole, **changes)


def noise_pair(name: str, left: str = "Paris.", right: str = "It is Paris.", side: Side = Side.BASELINE) -> Pair:
    both = {"first": answer(side, left), "second": answer(side, right, Origin.SHADOW)}
    return pair(name, kind=PairKind.NOISE, **both)


BAD_ENDINGS = [ending for ending in Ending if ending is not Ending.COMPLETE]
