"""One answer's text, read once: canonical form and tokens are shared by all signals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from scorer.scoring.compare.text.canonical_text import MAX_CHARS, Form, read_form
from scorer.scoring.compare.text.links import addresses
from scorer.scoring.compare.text.tokens import MAX_TOKENS, Token, is_name, tokenize


@dataclass(frozen=True)
class Reading:
    """``cut``: by the provider's word, the length limit ended it. ``refused``: by its word, this is a refusal.

    ``whole``: the offers of help at its end are compared as well.
    """

    text: str
    cut: bool = False
    refused: bool = False
    logprobs: tuple[float, ...] = ()
    whole: bool = False

    @cached_property
    def form(self) -> Form:
        return read_form(self.text)

    @property
    def canonical(self) -> str:
        return self.form.text

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        form = self.form
        text = f"{form.text} {form.offers}" if self.whole and form.offers else form.text
        return tokenize(text, form.code, form.starts)

    @cached_property
    def compared(self) -> float:
        """The share of the text whose words are compared; 1 but for very long answers."""
        share = min(1.0, MAX_CHARS / max(len(self.text), 1))
        if len(self.tokens) >= MAX_TOKENS:
            share *= min(1.0, self.tokens[-1].start / max(len(self.canonical), 1))
        return share

    @cached_property
    def addresses(self) -> frozenset[str]:
        return addresses(self.text)

    @cached_property
    def numbers(self) -> Counter[str]:
        return Counter(t.key for t in self.tokens if t.number and not t.marker)

    @cached_property
    def names(self) -> frozenset[str]:
        """Words capitalised inside a sentence. A heuristic, without a model: good for comparing, not for extracting."""
        return frozenset(t.key for t in self.tokens if is_name(t))
