"""Usage objects as providers write them."""

from __future__ import annotations

import json
from typing import Any


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


OPENAI = {
    "prompt_tokens": 12_000,
    "completion_tokens": 3_000,
    "total_tokens": 15_000,
    "prompt_tokens_details": {"cached_tokens": 8_000, "audio_tokens": 1_000},
    "completion_tokens_details": {"reasoning_tokens": 1_200, "audio_tokens": 600},
}
RESPONSES = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 150,
}
ANTHROPIC = {
    "input_tokens": 2_000,
    "cache_creation_input_tokens": 5_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 4_000, "ephemeral_1h_input_tokens": 1_000},
    "cache_read_input_tokens": 40_000,
    "output_tokens": 1,
}
