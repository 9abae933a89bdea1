"""The limit for the first byte holds for streams; other answers have a limit of their own: a real Envoy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.envoy_with_backends import BODY, envoy_with_backends

STREAM = {**BODY, "stream": True}


@pytest.mark.parametrize(
    ("body", "answer_timeout", "behaviour", "asks_the_baseline"),
    [
        (BODY, "8s", "json", False),  # slow, but within its limit
        (STREAM, "8s", "sse", True),
        (BODY, "600ms", "hang", True),
    ],
    ids=["whole and slow", "streamed and slow", "whole and hanging"],
)
async def test_a_slow_whole_answer_is_waited_for_and_a_slow_stream_is_asked_for_at_the_baseline(
    tmp_path: Path, body: dict[str, Any], answer_timeout: str, behaviour: Any, asks_the_baseline: bool
) -> None:
    onprem = {"first_byte_timeout": "300ms", "answer_timeout": answer_timeout}
    async with envoy_with_backends(tmp_path, onprem=onprem, chat={"start": 100}) as setup:
        setup.onprem.behaviour, setup.onprem.delay = behaviour, 2.0
        if body is STREAM:
            setup.cloud.behaviour = "sse"
        reply = await setup.post(body)
        assert reply.status == 200
        assert len(setup.onprem.received) == 1
        assert len(setup.cloud.received) == (1 if asks_the_baseline else 0)
        assert (b"cloud" if asks_the_baseline else b"onprem") in reply.body
