"""Lists of words that belong to no single language. The words of each language are in its lexicon (lexicon.py)."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the set of the words in a text. White space separates the words."""
    return frozenset(text.split())


# Language labels of code fences.
CODE_LABELS = words(
    """
    python py python3 javascript js typescript ts jsx tsx java c cpp csharp go rust ruby php sql bash sh shell zsh
    console text plaintext json yaml yml toml xml html css scss markdown md kotlin swift scala r perl lua
    dockerfile makefile diff ini latex
    """
)
