"""Cut a text that exceeds a model's limit of tokens into chunks.

MiniLM reads only 256 tokens, and more than half of real answers are longer. Without chunks, a change near the end of
such an answer would have no effect. All chunks of a text have about the same length, because the score depends on the
chunk that matches worst, and the match of a last chunk of three words would be unreliable.
"""

from __future__ import annotations

from collections.abc import Sequence

from scorer.scoring.embed.engine_protocol import Span

MOST_CHUNKS = 64  # the limit for one text: about 12,000 words; it limits the cost of one pair
SAMPLED_RUN = 8  # neighbouring chunks of a longer text that are embedded together
_SENTENCE_ENDS = frozenset(".!?…。！？")
_CLOSERS = frozenset("\"'”’)]»*_`")
_SLACK = 0.35  # a chunk may be longer or shorter than the even length by this share


def sampled_indices(count: int, most: int = MOST_CHUNKS, run: int = SAMPLED_RUN) -> list[int]:
    """Return the indices of the chunks to embed, in order: of all ``count`` chunks, or of ``most`` if there are more.

    The chosen chunks are runs of ``run`` neighbours at even distances, from the first chunk to the last. So texts of
    about the same length have their runs at the same places, and two runs still overlap if a text moved by a few
    chunks. ``most`` must be a multiple of ``run``, and greater than ``run``.
    """
    if count <= most:
        return list(range(count))
    runs = most // run
    starts = [i * (count - run) // (runs - 1) for i in range(runs)]
    return [start + i for start in starts for i in range(run)]


def chunk_spans(text: str, tokens: Sequence[Span], limit: int) -> list[Span]:
    """Return the character spans of the fewest possible chunks of ``text``, each with 1 to ``limit`` tokens.

    The chunks have nearly equal lengths. A cut is made between two paragraphs if possible, otherwise between two lines,
    otherwise between two sentences, otherwise between two words. A text without tokens is one chunk.
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
    """Return the index of the token at which the next chunk begins. The current chunk begins at token ``start``."""
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
