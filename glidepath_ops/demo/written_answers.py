"""The questions that the demo's clients ask, and the prepared answers of the demo's two backends. See ADR 0060."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from glidepath.sides import Side

# The share of answers in the first wording. Both sides vary their wording, like a model at a temperature above 0. The
# baseline's share determines how often the baseline agrees with itself (the noise floor). The candidate cannot be
# expected to agree with the baseline more often.
FIRST_SHARE = {Side.BASELINE: 0.8, Side.CANDIDATE: 0.6}
PIECE_WORDS = 4  # words in one event of a streamed answer
_UNKNOWN = "This demo can only answer its own questions, and this is not one of them. Please ask one of those."


@dataclass(frozen=True, slots=True)
class Text:
    """A question and its answer in two wordings, which state the same facts."""

    prompt: str
    first: str
    second: str


@cache
def texts() -> tuple[Text, ...]:
    """Return the questions and answers in written_answers.json."""
    raw = json.loads(files("glidepath_ops.demo").joinpath("written_answers.json").read_text(encoding="utf-8"))
    return tuple(Text(**entry) for entry in raw)


@cache
def _by_prompt() -> dict[str, Text]:
    return {text.prompt: text for text in texts()}


def answer(prompt: str, side: Side, rng: random.Random) -> str:
    """Return the answer of ``side`` to ``prompt`` in a random wording.

    The answer to a question that is not one of the demo's is a refusal.
    """
    text = _by_prompt().get(prompt)
    if text is None:
        return _UNKNOWN
    return text.first if rng.random() < FIRST_SHARE[side] else text.second


def tokens(text: str) -> int:
    """Return an estimate of the number of tokens in ``text``: four tokens for three words."""
    return max(1, round(len(text.split()) * 4 / 3))


def pieces(text: str) -> list[str]:
    """Return ``text`` in pieces of ``PIECE_WORDS`` words. Each piece is for one event of a stream.

    If the pieces are joined without a separator, the result is ``text``.
    """
    parts = text.split(" ")
    chunks = [" ".join(parts[i : i + PIECE_WORDS]) for i in range(0, len(parts), PIECE_WORDS)]
    return [chunk if i == 0 else f" {chunk}" for i, chunk in enumerate(chunks)]
