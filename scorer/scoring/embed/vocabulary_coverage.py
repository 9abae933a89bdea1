"""Determine from a model's vocabulary whether the model can read a text.

A model returns a vector for any text, but the vector has little meaning if the vocabulary does not cover the script of
the text. Such a vocabulary has only single letters of the script, or no letters of it at all, so that each word becomes
the unknown token. Unrelated texts in such a script have cosines of 0.6 to 1.0.

See ADR 0124.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from scorer.scoring.embed.valid_unicode import well_formed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNCOVERED_SHARE = 0.3  # share of the letters; above it, a vector depends more on the script than on the text
# The vocabulary covers a script if it has this many tokens of several letters, or this many ideographs, of the script.
_PIECES = 200  # English BERT has 26,000 Latin tokens and 8 Cyrillic ones
_IDEOGRAPHS = 3_000  # each ideograph is one token; a newspaper uses about 3,000 (English BERT has 488)
_LONGEST_WORD = 100  # a WordPiece model replaces a longer word with the unknown token
_FOREIGN = re.compile("[\u0370-\u1dff\u2c00-\ud7ff\uf900-\uffff\U00010000-\U0003ffff]")


class VocabularyCoverage:
    """Determines which texts a tokenizer's vocabulary covers.

    The covered scripts are computed when they are needed for the first time (30 ms).
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        # The tokens of a byte-level model do not show its scripts, so such a model counts as covering every text.
        self._by_pieces = type(tokenizer.model).__name__ in ("WordPiece", "Unigram")
        unknown = getattr(tokenizer.model, "unk_token", None) or "<unk>"
        self._unknown = tokenizer.token_to_id(unknown)

    def covers(self, text: str) -> bool:
        """Return whether the vocabulary covers the text: less than UNCOVERED_SHARE of its letters are uncovered.

        A letter is uncovered if it belongs to an unknown token or to a script that is not covered. For Latin text, the
        check takes 5 µs.
        """
        if not self._by_pieces or (_FOREIGN.search(text) is None and not _has_long_words(text)):
            return True
        return self._uncovered_share(well_formed(text)) < UNCOVERED_SHARE

    def _uncovered_share(self, text: str) -> float:
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        letters = uncovered = 0
        for piece, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
            found = [char for char in text[start:end] if char.isalpha()]
            letters += len(found)
            if piece == self._unknown:
                uncovered += len(found)
            else:
                uncovered += sum(script_of(char) not in self._scripts for char in found)
        return uncovered / letters if letters else 0.0

    @cached_property
    def _scripts(self) -> frozenset[str]:
        """The scripts for which the vocabulary has enough tokens of several letters, or enough ideographs."""
        counts: Counter[str] = Counter()
        for token in self._tokenizer.get_vocab():
            piece = token.removeprefix("##").removeprefix("▁")
            if piece[:1].isalpha() and all(char.isalpha() or _is_mark(char) for char in piece):
                script = script_of(piece[0])
                if len(piece) > 1 or script == "CJK":
                    counts[script] += 1
        least = Counter(dict.fromkeys(counts, _PIECES) | {"CJK": _IDEOGRAPHS})
        return frozenset(script for script, n in counts.items() if n >= least[script])


def _has_long_words(text: str) -> bool:
    return len(text) > _LONGEST_WORD and any(len(word) > _LONGEST_WORD for word in text.split())


@lru_cache(maxsize=20_000)
def _is_mark(char: str) -> bool:
    """Return whether the character is a combining mark, such as a vowel sign of Bengali."""
    return unicodedata.category(char)[0] == "M"


@lru_cache(maxsize=20_000)
def script_of(char: str) -> str:
    """Return the first word of the character's Unicode name (LATIN, CYRILLIC, CJK, …), or "KANA" for both kana."""
    name = unicodedata.name(char, "").partition(" ")[0].partition("-")[0]
    return "KANA" if name in ("HIRAGANA", "KATAKANA") else name
