"""One answer's text, read once: canonical form and tokens are shared by all signals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from scorer.compare.canonical import canonical
from scorer.compare.tokens import Token, is_name, tokenize


@dataclass(frozen=True)
class Reading:
    """``cut``: by the provider's word, the length limit ended it. ``refused``: by its word, this is a refusal."""

    text: str
    cut: bool = False
    refused: bool = False
    logprobs: tuple[float, ...] = ()

    @cached_property
    def canonical(self) -> str:
        return canonical(self.text)

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        return tokenize(self.canonical)

    @cached_property
    def numbers(self) -> Counter[str]:
        return Counter(t.key for t in self.tokens if t.number and not t.marker)

    @cached_property
    def names(self) -> frozenset[str]:
        """Words capitalised inside a sentence. A heuristic, without a model: good for comparing, not for extracting."""
        return frozenset(t.key for t in self.tokens if is_name(t))
