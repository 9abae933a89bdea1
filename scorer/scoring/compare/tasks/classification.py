"""Class labels: exact match after the declared normalisation. Cost: 5 µs."""

from __future__ import annotations

import re
import unicodedata

from glidepath.config.comparison import ClassificationSection
from scorer.scoring.answers.strict_json import dump, try_json
from scorer.scoring.compare.result import Comparison

_PATTERN_S = 0.1
_EDGES = " \t\r\n\"'“”‘’`*_.,;:!?()[]{}<>"
_LEAD = re.compile(
    r"^(?:the )?(?:label|class|category|answer|sentiment|classification|intent|topic)\s*(?:is|:|=)\s*", re.IGNORECASE
)


def normalise(text: str, settings: ClassificationSection) -> str:
    """The class that ``text`` names, in the form in which classes are compared."""
    label = _of_json(unicodedata.normalize("NFC", text.strip()))
    if settings.pattern is not None:
        label = _matched(settings.pattern, label)
    if settings.first_line:
        label = next((line for line in label.splitlines() if line.strip()), "")
    label = _shape(label, settings)
    known = {_shape(written, settings): meant for written, meant in settings.labels.items()}
    return _shape(known.get(label, label), settings)


def _of_json(text: str) -> str:
    """The label of a JSON object with one key, and of any other JSON the one spelling that it has."""
    if not text.startswith("{"):
        return text
    value, error = try_json(text, "the label")
    if error or not isinstance(value, dict):
        return text
    only = next(iter(value.values())) if len(value) == 1 else None
    return only if isinstance(only, str) else dump(value)


def _matched(pattern: str, text: str) -> str:
    """The first group of the pattern, or all it matches; the text itself where it matches nothing, or not in time."""
    import regex  # slow to import, and few need it

    try:
        match = regex.search(pattern, text, timeout=_PATTERN_S)
    except TimeoutError:
        return text
    if match is None:
        return text
    return str(match[1] if match.re.groups and match[1] is not None else match[0])


def _as_configured(label: str, settings: ClassificationSection) -> str:
    """A class that matters by the name that the configuration gives it, so that gates find it again."""
    return next((name for name in settings.matter if normalise(name, settings) == label), label)


def _shape(label: str, settings: ClassificationSection) -> str:
    if settings.ignore_punctuation:
        label = _bare(_LEAD.sub("", _bare(label))) or label.strip()  # a mark may be the label
    label = " ".join(label.split())
    return label.casefold() if settings.ignore_case else label


def _bare(label: str) -> str:
    """Without blanks and marks at its ends: the ASCII ones, and what any script has for punctuation (。, ！, 「」)."""
    start, end = 0, len(label)
    while start < end and _edge(label[start]):
        start += 1
    while end > start and _edge(label[end - 1]):
        end -= 1
    return label[start:end]


def _edge(char: str) -> bool:
    return char in _EDGES or (char > "\x7f" and (char.isspace() or unicodedata.category(char)[0] == "P"))


def compare_labels(expected: str, got: str, settings: ClassificationSection) -> Comparison:
    """1.0 for the same class, 0.0 for another; ``labels`` carries both, for the confusion matrix."""
    left, right = normalise(expected, settings), normalise(got, settings)
    labels = {"expected": _as_configured(left, settings), "got": _as_configured(right, settings)}
    if left == right:
        return Comparison(1.0, (), {"label": 0.0}, {}, labels)
    return Comparison(0.0, ("label",), {"label": 1.0}, {"label": f"“{left}” → “{right}”"}, labels)
