"""What the demo's clients ask and its two backends answer."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from glidepath.domain import Side

# Both sides now and then begin in their own words, so that not even one side agrees with itself to the letter.
_OPENINGS = {Side.BASELINE: ("", "", "Sure. ", "Of course. "), Side.CANDIDATE: ("", "", "Sure! ", "Certainly. ")}
_UNKNOWN = "This demo knows only its own questions, and yours is not one of them. Please ask one of those."


@dataclass(frozen=True, slots=True)
class Text:
    """One question, and each side's answer: the same facts in other words."""

    prompt: str
    baseline: str
    candidate: str

    def of(self, side: Side) -> str:
        return self.baseline if side is Side.BASELINE else self.candidate


@cache
def texts() -> tuple[Text, ...]:
    """The questions with their answers, from texts.json."""
    raw = json.loads(files("glidepath.demo").joinpath("texts.json").read_text(encoding="utf-8"))
    return tuple(Text(**entry) for entry in raw)


@cache
def _by_prompt() -> dict[str, Text]:
    return {text.prompt: text for text in texts()}


def answer(prompt: str, side: Side, rng: random.Random) -> str:
    """``side``'s answer to ``prompt``, with one of its openings."""
    text = _by_prompt().get(prompt)
    return rng.choice(_OPENINGS[side]) + text.of(side) if text else _UNKNOWN


def tokens(text: str) -> int:
    """About as many tokens as a word-piece tokenizer would count: four for three words."""
    return max(1, round(len(text.split()) * 4 / 3))


def pieces(text: str, words: int = 4) -> list[str]:
    """The text as a stream sends it: a few words at a time, joined again by plain concatenation."""
    parts = text.split(" ")
    chunks = [" ".join(parts[i : i + words]) for i in range(0, len(parts), words)]
    return [chunk if i == 0 else f" {chunk}" for i, chunk in enumerate(chunks)]
