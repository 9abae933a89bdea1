"""Estimates the tokens that an answer used. A rough number is enough, because only the daily budget uses it."""

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
_ENDS = 16 * 1024  # usage is at the end of an answer; Anthropic's input tokens are at the beginning of a stream


def tokens(request: bytes, answer: bytes) -> tuple[int, int]:
    """Return the numbers of input tokens and output tokens that an answer states.

    If the answer does not state a number, it is estimated as one token per four bytes of the request or the answer.
    """
    ends = answer if len(answer) <= 2 * _ENDS else answer[:_ENDS] + b"\n" + answer[-_ENDS:]
    stated_in, stated_out = _largest("input", ends), _largest("output", ends)
    return (
        stated_in if stated_in is not None else len(request) // BYTES_PER_TOKEN,
        stated_out if stated_out is not None else len(answer) // BYTES_PER_TOKEN,
    )


def _largest(which: str, text: bytes) -> int | None:
    """Return the largest token count in ``text``, or None.

    A stream repeats a growing count, so the largest is the final one.
    """
    return max((int(number) for number in _FIELDS[which].findall(text)), default=None)
