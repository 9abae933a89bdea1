"""Reads or estimates the tokens of a request and its answer.

A rough number is enough, because only the daily budget of copies uses it.
"""

from __future__ import annotations

import re

_FIELDS = {
    "input": re.compile(
        rb'"(?:prompt_tokens|input_tokens|prompt_eval_count|inputTokens|promptTokenCount)"\s*:\s*(\d{1,9})'
    ),
    "output": re.compile(
        rb'"(?:completion_tokens|output_tokens|eval_count|outputTokens|candidatesTokenCount)"\s*:\s*(\d{1,9})'
    ),
}
BYTES_PER_TOKEN = 4
_ENDS = 16 * 1024  # token counts are at the end of an answer; Anthropic's input tokens are at the beginning of a stream


def tokens(request: bytes, answer: bytes) -> tuple[int, int]:
    """Return a tuple: the number of input tokens and the number of output tokens.

    Each number is read from the answer. If the answer does not state it, it is estimated as one token per four bytes:
    bytes of the request for input tokens, bytes of the answer for output tokens.
    """
    ends = answer if len(answer) <= 2 * _ENDS else answer[:_ENDS] + b"\n" + answer[-_ENDS:]
    stated_in, stated_out = _largest("input", ends), _largest("output", ends)
    return (
        stated_in if stated_in is not None else len(request) // BYTES_PER_TOKEN,
        stated_out if stated_out is not None else len(answer) // BYTES_PER_TOKEN,
    )


def _largest(which: str, text: bytes) -> int | None:
    """Return the largest token count in ``text``, or None if ``text`` has none. ``which`` is "input" or "output".

    A stream may contain the count several times. It grows, so the largest count is the final one.
    """
    return max((int(number) for number in _FIELDS[which].findall(text)), default=None)
