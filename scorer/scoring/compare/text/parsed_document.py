"""The text of one answer with its canonical form and tokens, which are computed once for all signals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from scorer.scoring.compare.text.addresses import addresses
from scorer.scoring.compare.text.canonical_text import CanonicalText, canonical_text
from scorer.scoring.compare.text.tokenizer import MAX_TOKENS, Token, is_name, tokenize
from scorer.scoring.compare.text.typography import MAX_CHARS


@dataclass(frozen=True)
class Document:
    """The text of one answer.

    ``cut`` is True if the provider reports that the length limit ended the answer. ``refused`` is True if the provider
    reports a refusal. ``logprobs`` has the log-probability of each token, in nats. ``with_offers`` is True if offers of
    help at the end are compared, too.
    """

    text: str
    cut: bool = False
    refused: bool = False
    logprobs: tuple[float, ...] = ()
    with_offers: bool = False

    @cached_property
    def canonical_form(self) -> CanonicalText:
        return canonical_text(self.text)

    @property
    def canonical(self) -> str:
        return self.canonical_form.text

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        form = self.canonical_form
        text = f"{form.text} {form.closing_offers}" if self.with_offers and form.closing_offers else form.text
        return tokenize(text, form.code_spans, form.paragraph_starts)

    @cached_property
    def compared_share(self) -> float:
        """The share of the text that is compared. It is below 1 only for very long answers."""
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
        """The names in the text. A word that is capitalised inside a sentence counts as a name.

        This heuristic is sufficient for comparing names.
        """
        return frozenset(t.key for t in self.tokens if is_name(t))
