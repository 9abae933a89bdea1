"""The text of one answer, parsed once for all signals: blocks, canonical form, tokens and languages."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from scorer.scoring.compare.text.addresses import addresses
from scorer.scoring.compare.text.canonical_text import MAX_CHARS, CanonicalText, canonical_text
from scorer.scoring.compare.text.language_detection import (
    language_of,
    language_with_words,
    languages_of,
    script_shares,
)
from scorer.scoring.compare.text.markdown_blocks import (
    Block,
    BlockKind,
    code_blocks,
    markdown_blocks,
    prose_and_code,
    prose_around,
)
from scorer.scoring.compare.text.tokenizer import MAX_TOKENS, tokenize
from scorer.scoring.compare.text.tokens import Token, is_name
from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, Lexicon, lexicon_of

_SHORT = 150  # characters; the language of two shorter answers is detected from both
_SEARCHED = 500  # characters after a token in which the next token is searched


@dataclass(frozen=True)
class Document:
    """The text of one answer.

    ``cut`` is True if the provider reports that the length limit ended the answer. ``refused`` is True if the provider
    reports a refusal. ``logprobs`` has the log-probability of each token, in nats. ``beside`` is the text of the
    other answer to the same request, which helps to detect the language of a short text.

    Each part is computed when it is first needed, and only once.
    """

    text: str
    cut: bool = False
    refused: bool = False
    logprobs: tuple[float, ...] = ()
    beside: str = ""

    @cached_property
    def language(self) -> str:
        """The language (ISO 639) of the text, or "" if it is unknown.

        Two short answers to one request are assumed to have the same language. Code without any prose counts as
        English, because the words of programs are English.
        """
        if self.beside and max(len(self.text), len(self.beside)) <= _SHORT:
            own = language_of("\n".join(sorted((self.prose, Document(self.beside).prose))))
        else:
            own = language_with_words(self.languages[0]) if self.languages else language_of(self.prose)
        if own or not self.code_blocks:
            return own
        return language_of(Document(self.beside).prose) or ENGLISH

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words of the text's language."""
        return lexicon_of(self.language)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return markdown_blocks(self.text)

    @cached_property
    def table_rows(self) -> tuple[tuple[str, ...], ...]:
        """The cells of each row of the text's tables, casefolded."""
        rows = (
            (self.text[b.start : b.end] for b in self.blocks if b.kind is BlockKind.TABLE_ROW)
            if "|" in self.text
            else ()
        )
        return tuple(tuple(cell.strip().casefold() for cell in row.strip().strip("|").split("|")) for row in rows)

    @cached_property
    def code_blocks(self) -> tuple[Block, ...]:
        return code_blocks(self.text)

    @cached_property
    def prose(self) -> str:
        """The text without its code blocks."""
        return "\n".join(prose_around(self.text, self.code_blocks)) if self.code_blocks else self.text[:MAX_CHARS]

    @cached_property
    def canonical_form(self) -> CanonicalText:
        return canonical_text(prose_and_code(self.text, self.code_blocks))

    @property
    def canonical(self) -> str:
        return self.canonical_form.text

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        form = self.canonical_form
        return tokenize(form.text, self.lexicon, form.code_spans, form.paragraph_starts)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The positions of the tokens in ``text``. They are approximate if characters were normalised."""
        found: list[int] = []
        at, find = 0, self.text.find
        for token in self.tokens:
            surface = token.surface
            place = find(surface, at, at + _SEARCHED)
            if place < 0:
                found.append(at)
                continue
            found.append(place)
            at = place + len(surface)
        return tuple(found)

    def index_of(self, token: Token) -> int:
        """Return the index of a token of this document."""
        return bisect_left(self.tokens, token.start, key=lambda t: t.start)

    @cached_property
    def compared_share(self) -> float:
        """The share of the text that is compared. It is below 1 only for very long answers."""
        share = min(1.0, MAX_CHARS / max(len(self.text), 1))
        if len(self.tokens) >= MAX_TOKENS:
            share *= min(1.0, self.tokens[-1].start / max(len(self.canonical), 1))
        return share

    @property
    def not_compared(self) -> str:
        """The text after the words that are compared; empty if all are compared."""
        rest = self.canonical[self.tokens[-1].start :] if len(self.tokens) >= MAX_TOKENS else ""
        return rest + self.text[MAX_CHARS:]

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The language of the beginning and, if it is different, of the end; empty if the detector is not sure."""
        return languages_of(self.prose)

    @cached_property
    def scripts(self) -> dict[str, float]:
        """The share of each script among the letters; empty if there are fewer than eight letters."""
        return script_shares(self.text)

    @cached_property
    def addresses(self) -> frozenset[str]:
        return addresses(self.text)

    @cached_property
    def words(self) -> Counter[str]:
        """The keys of the tokens, without the numbers of list items."""
        return Counter([t.key for t in self.tokens if not t.marker])

    @cached_property
    def numbers(self) -> Counter[str]:
        return Counter([t.key for t in self.tokens if t.number and not t.marker])

    @cached_property
    def names(self) -> frozenset[str]:
        """The names in the text. A word that is capitalised inside a sentence counts as a name.

        This heuristic is sufficient for comparing names.
        """
        return frozenset([t.key for t in self.tokens if t.surface[:1].isupper() and is_name(t)])


def ends_alike(left: Document, right: Document) -> bool:
    """Return whether the uncompared parts of two texts are equal, up to the end of the shorter part."""
    shorter, longer = sorted((left.not_compared, right.not_compared), key=len)
    return bool(shorter) == bool(longer) and longer.endswith(shorter)
