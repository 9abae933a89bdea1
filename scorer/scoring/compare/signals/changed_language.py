"""The signal ``language``: two texts, or their ends, have different languages or scripts."""

from __future__ import annotations

from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair


def language(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether two texts, or their ends, have different languages or scripts."""
    languages = pair.left.languages, pair.right.languages
    if all(languages) and set(languages[0]) != set(languages[1]):
        return Signal("language", 1.0, reason=f"{'+'.join(languages[0])} → {'+'.join(languages[1])}")
    ours, theirs = pair.left.scripts, pair.right.scripts
    apart = 1 - sum(min(share, theirs.get(name, 0.0)) for name, share in ours.items()) if ours and theirs else 0.0
    degree = ramp(apart, 0.15, 0.5)
    return Signal("language", degree, reason=f"{_main_script(ours)} → {_main_script(theirs)}" if degree else "")


def _main_script(shares: dict[str, float]) -> str:
    return max(shares, key=shares.__getitem__, default="none")
