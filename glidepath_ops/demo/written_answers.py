"""What the demo's clients ask and its two backends answer. See ADR 0060."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from glidepath.domain import Side

# Neither side always uses the same words, as no model does at a temperature above 0: the baseline agrees with itself
# as little as this (the noise floor), and the candidate cannot be expected to do better.
FIRST_SHARE = {Side.BASELINE: 0.8, Side.CANDIDATE: 0.6}
_UNKNOWN = "This demo knows only its own questions, and yours is not one of them. Please ask one of those."


@dataclass(frozen=True, slots=True)
class Text:
    """One question and its answer in two wordings: the same facts in other words."""

    prompt: str
    first: str
    second: str


@cache
def texts() -> tuple[Text, ...]:
    """The questions with their answers, from texts.json."""
    raw = json.loads(files("glidepath_ops.demo").joinpath("written_answers.json").read_text(encoding="utf-8"))
    return tuple(Text(**entry) for entry in raw)


@cache
def _by_prompt() -> dict[str, Text]:
    return {text.prompt: text for text in texts()}


def answer(prompt: str, side: Side, rng: random.Random) -> str:
    """``side``'s answer to ``prompt``, now in one wording, now in the other."""
    text = _by_prompt().get(prompt)
    if text is None:
        return _UNKNOWN
    return text.first if rng.random() < FIRST_SHARE[side] else text.second


def tokens(text: str) -> int:
    """About as many tokens as a word-piece tokenizer would count: four for three words."""
    return max(1, round(len(text.split()) * 4 / 3))


def pieces(text: str, words: int = 4) -> list[str]:
    """The text as a stream sends it: a few words at a time, joined again by plain concatenation."""
    parts = text.split(" ")
    chunks = [" ".join(parts[i : i + words]) for i in range(0, len(parts), words)]
    return [chunk if i == 0 else f" {chunk}" for i, chunk in enumerate(chunks)]
