"""The faults that the demo can inject into the candidate, and the bad answers of the fault QUALITY."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from enum import StrEnum


class InjectedFault(StrEnum):
    """A fault that the demo injects into the candidate once the candidate serves all traffic."""

    NONE = "none"
    ERRORS = "errors"  # status 503, and reset connections
    LATENCY = "latency"  # answers take three times as long
    QUALITY = "quality"  # another topic, a refusal, or garbled text
    BODY = "body"  # status 200 with a body that no client can use


SLOW_FACTOR = 3.0
RESET_SHARE = 1 / 3  # share of errors that are resets; the others are 503

REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "As an AI language model I am not able to assist with this topic.",
    "I apologize, but I cannot provide that information.",
)

_NOISE = "ÃâÂ€™œžŠ¤¶¿½¼§×÷þðßæø"


def garble(text: str, rng: random.Random) -> str:
    """Return ``text`` with most letters replaced by characters that are typical of a wrong character encoding."""
    return "".join(rng.choice(_NOISE) if char.isalpha() and rng.random() < 0.6 else char for char in text)


def spoil(text: str, others: Sequence[str], rng: random.Random) -> str:
    """Return a bad answer to replace ``text``: one of the answers in ``others``, a refusal, or the garbled ``text``."""
    ways: tuple[Callable[[], str], ...] = (
        lambda: rng.choice(others),
        lambda: rng.choice(REFUSALS),
        lambda: garble(text, rng),
    )
    return rng.choice(ways)()
