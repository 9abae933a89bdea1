"""Compute the cost of a question to the evaluator from its reply's token counts and the configured prices. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from glidepath.config.prices import Price

_CHARS_PER_TOKEN = 3  # fewer than most texts have, so that an estimate is more likely too high than too low


def question_cost(price: Price | None, question: str, reply: bytes) -> float:
    """Return the cost of a question; 0 without a price.

    ``reply``: the body of the reply, b"" if there was none. If the reply has no token counts, they are estimated from
    the lengths, because the server may charge even for a question whose reply did not arrive.
    """
    if price is None:
        return 0.0
    counts = _counts(reply)
    if counts is None:
        counts = len(question) / _CHARS_PER_TOKEN, len(reply) / _CHARS_PER_TOKEN
    return (counts[0] * price.input + counts[1] * price.output) / 1e6


def _counts(reply: bytes) -> tuple[float, float] | None:
    """Return the numbers of input and of output tokens that an OpenAI-compatible reply states, or None."""
    try:
        usage = json.loads(reply)["usage"]
        found = tuple(usage[name] for name in ("prompt_tokens", "completion_tokens"))
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    sound = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 10**9 for n in found)
    return (float(found[0]), float(found[1])) if sound and isinstance(usage, Mapping) else None
