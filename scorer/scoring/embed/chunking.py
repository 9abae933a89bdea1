"""Cut a text that exceeds a model's limit of tokens into chunks.

MiniLM reads 256 tokens. More than half of real answers are longer, and without chunks a change near their end would
have no effect. All chunks have about the same length. The score depends on the worst match of a chunk, and a last chunk
of three words would make that match unreliable.
"""

from __future__ import annotations

from collections.abc import Sequence

from scorer.scoring.embed.engine_protocol import Span

_SENTENCE_ENDS = frozenset(".!?…。！？")
_CLOSERS = frozenset("\"'”’)]»*_`")
_SLACK = 0.35  # a chunk may be longer or shorter than the even length by this share


def chunk_spans(text: str, tokens: Sequence[Span], limit: int) -> list[Span]:
    """Return the character spans of the fewest possible chunks of ``text``, each with 1 to ``limit`` tokens.

    The chunks have nearly equal lengths. A cut is between two paragraphs if possible; otherwise it is between two
    lines, two sentences or two words, in this order of preference. A text without tokens is one chunk.
    """
    if len(tokens) <= limit:
        return [(0, len(text))]
    chunks: list[Span] = []
    start = 0
    while start < len(tokens):
        end = _cut(text, tokens, start, limit)
        chunks.append((tokens[start][0], tokens[end - 1][1]))
        start = end
    return chunks


def _cut(text: str, tokens: Sequence[Span], start: int, limit: int) -> int:
    """Return the index of the token that begins the chunk after the one that begins at token ``start``."""
    left = len(tokens) - start
    parts = -(-left // limit)
    if parts == 1:
        return len(tokens)
    even = -(-left // parts)
    # The remaining tokens must fit into parts - 1 chunks, so that the number of chunks is minimal.
    first = max(left - (parts - 1) * limit, int(even * (1 - _SLACK)), 1)
    last = min(limit, int(even * (1 + _SLACK)))
    candidates = range(start + first, start + max(first, last) + 1)
    return max(candidates, key=lambda k: (_boundary(text, tokens[k - 1], tokens[k]), -abs(k - start - even)))


def _boundary(text: str, before: Span, after: Span) -> int:
    """Rate a cut between two adjacent tokens.

    The rating is 4 between paragraphs, 3 between lines, 2 between sentences, 1 between words, and 0 inside a word.
    """
    gap = text[before[1] : after[0]]
    if "\n" in gap:
        return 4 if gap.count("\n") > 1 else 3
    if _ends_sentence(text, before) and (gap or text[before[1] - 1] in "。！？"):
        return 2
    return 1 if gap else 0


def _ends_sentence(text: str, token: Span) -> bool:
    end = token[1]
    while end > 0 and end > token[1] - 3 and text[end - 1] in _CLOSERS:
        end -= 1
    return end > 0 and text[end - 1] in _SENTENCE_ENDS
