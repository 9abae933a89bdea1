"""Counts tokens with the tokenizer of a backend's model, for answers that do not state their tokens.

``count`` is called only in the thread of the answer check. A tokenizer is loaded when it is first needed. If it cannot
be loaded, this is logged once, and the tokens are estimated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from extproc.tokenized_texts import answer_text, request_text
from glidepath.config import Config
from glidepath.logs import get_logger
from glidepath.sides import Side
from glidepath.token_usage import TokenSource, TokenUsage

_log = get_logger(__name__)


class Tokenizer(Protocol):
    """Counts the tokens of a text."""

    def count(self, text: str) -> int: ...


class TokenCounters:
    """The tokenizers of the backends, by workload and side. ``files``: paths of tokenizer.json files (Hugging Face)."""

    def __init__(self, files: Mapping[tuple[str, Side], str]) -> None:
        self._files = files
        self._loaded: dict[str, Tokenizer | None] = {}

    @classmethod
    def of(cls, config: Config) -> TokenCounters:
        sides = {
            (name, side): config.backends[backend].tokenizer
            for name, workload in config.workloads.items()
            for side, backend in ((Side.BASELINE, workload.baseline), (Side.CANDIDATE, workload.candidate))
        }
        return cls({key: file for key, file in sides.items() if file is not None})

    def knows(self, workload: str, side: Side) -> bool:
        return (workload, side) in self._files

    def count(self, workload: str, side: Side, request: bytes, answer: bytes) -> TokenUsage | None:
        """Return the tokens of a request and its answer, or None if they cannot be counted."""
        tokenizer = self._tokenizer(self._files.get((workload, side), ""))
        asked, answered = request_text(request), answer_text(answer)
        if tokenizer is None or asked is None or answered is None:
            return None
        return TokenUsage(tokenizer.count(asked), tokenizer.count(answered), source=TokenSource.COUNTED)

    def _tokenizer(self, file: str) -> Tokenizer | None:
        if file and file not in self._loaded:
            self._loaded[file] = _load(file)
        return self._loaded.get(file)


class _FileTokenizer:
    def __init__(self, file: str) -> None:
        from tokenizers import Tokenizer as Library  # 20 MB: imported only if the configuration names a tokenizer

        self._library = Library.from_file(file)
        self._library.no_truncation()

    def count(self, text: str) -> int:
        return len(self._library.encode(text, add_special_tokens=False).ids)


def _load(file: str) -> Tokenizer | None:
    try:
        return _FileTokenizer(file)
    except Exception as error:  # the library raises plain Exception
        reason = str(error)[:200]
        _log.warning("tokenizer_not_loaded", file=file, reason=reason, effect="tokens are estimated instead")
        return None
