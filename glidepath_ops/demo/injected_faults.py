"""The ways a candidate can go wrong in the demo, as pure functions of the good answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from enum import StrEnum


class InjectedFault(StrEnum):
    """What is put into the candidate once it serves everything."""

    NONE = "none"
    ERRORS = "errors"  # 503, and connections that are reset
    LATENCY = "latency"  # three times as slow
    QUALITY = "quality"  # other topic, refused, garbled


SLOW_FACTOR = 3.0
RESET_SHARE = 1 / 3  # of the errors; the others are answered with 503

REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "As an AI language model I am not able to assist with this topic.",
    "I apologize, but I cannot provide that information.",
)

_NOISE = "ÃâÂ€™œžŠ¤¶¿½¼§×÷þðßæø"


def garble(text: str, rng: random.Random) -> str:
    """Letters replaced by what a wrong character set makes of them."""
    return "".join(rng.choice(_NOISE) if char.isalpha() and rng.random() < 0.6 else char for char in text)


def spoil(text: str, others: Sequence[str], rng: random.Random) -> str:
    """A bad answer instead of ``text``: one of ``others``, a refusal, or the text garbled."""
    ways: tuple[Callable[[], str], ...] = (
        lambda: rng.choice(others),
        lambda: rng.choice(REFUSALS),
        lambda: garble(text, rng),
    )
    return rng.choice(ways)()
