"""A cache of the vectors of recently embedded texts.

If a text occurs again, its key is computed (2 µs) and looked up, so the model need not be run again (10 ms).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from scorer.scoring.embed.engine_protocol import Vectors

DEFAULT_ROWS = 8192  # 12 MB at 384 dimensions


def text_key(text: str) -> bytes:
    """Return the key of a text in the cache: its blake2b hash (16 bytes).

    Lone surrogates, which JSON may contain, are hashed unchanged.
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class VectorCache:
    """A cache of the vectors of texts. It drops the least recently used text first.

    The size limit counts vectors (rows) and not texts, because a long text has many vectors.
    """

    def __init__(self, max_rows: int = DEFAULT_ROWS) -> None:
        self.max_rows = max_rows
        self.rows = 0
        self.hits = 0
        self.misses = 0
        self._vectors: OrderedDict[bytes, Vectors] = OrderedDict()

    def get(self, key: bytes) -> Vectors | None:
        found = self._vectors.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._vectors.move_to_end(key)
        return found

    def put(self, key: bytes, vectors: Vectors) -> None:
        """Store the vectors of a text, unless this one text has more vectors than the limit allows.

        The caller must not change the array after this call.
        """
        if len(vectors) > self.max_rows or key in self._vectors:
            return
        self._vectors[key] = vectors
        self.rows += max(1, len(vectors))  # a text that the vocabulary does not cover has no rows, but counts as one
        while self.rows > self.max_rows:
            self.rows -= max(1, len(self._vectors.popitem(last=False)[1]))
