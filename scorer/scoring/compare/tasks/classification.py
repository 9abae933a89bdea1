"""Compare the class labels of two answers. Labels agree if they are equal after the configured normalisation.

Cost: 5 µs.
"""

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
    """Return the class label in ``text``, in the normal form in which labels are compared."""
    label = _label_in_json(unicodedata.normalize("NFC", text.strip()))
    if settings.pattern is not None:
        label = _matched(settings.pattern, label)
    if settings.first_line:
        label = next((line for line in label.splitlines() if line.strip()), "")
    label = _normal_form(label, settings)
    known = {_normal_form(written, settings): meant for written, meant in settings.labels.items()}
    return _normal_form(known.get(label, label), settings)


def _label_in_json(text: str) -> str:
    """Return the label inside a JSON object, or ``text`` itself if it is not a JSON object.

    If the object has a single key with a string, the label is that string. Otherwise, the label is the canonical JSON
    of the object.
    """
    if not text.startswith("{"):
        return text
    value, error = try_json(text, "the label")
    if error or not isinstance(value, dict):
        return text
    only = next(iter(value.values())) if len(value) == 1 else None
    return only if isinstance(only, str) else dump(value)


def _matched(pattern: str, text: str) -> str:
    """Return the part of ``text`` that the pattern matches: its first group or, without groups, the whole match.

    If nothing matches within _PATTERN_S seconds, return the whole text.
    """
    import regex  # slow to import and seldom needed

    try:
        match = regex.search(pattern, text, timeout=_PATTERN_S)
    except TimeoutError:
        return text
    if match is None:
        return text
    return str(match[1] if match.re.groups and match[1] is not None else match[0])


def _as_configured(label: str, settings: ClassificationSection) -> str:
    """Return the name of a class as it is spelled in the setting ``matter``. Gates look up the class by this name.

    If the setting does not list the class, return ``label``, which is in normal form.
    """
    return next((name for name in settings.matter if normalise(name, settings) == label), label)


def _normal_form(label: str, settings: ClassificationSection) -> str:
    if settings.ignore_punctuation:
        label = _without_edges(_LEAD.sub("", _without_edges(label))) or label.strip()  # “?” may be a label
    label = " ".join(label.split())
    return label.casefold() if settings.ignore_case else label


def _without_edges(label: str) -> str:
    """Return the label without white space and punctuation at both ends, in all scripts (such as 。, ！, 「」)."""
    start, end = 0, len(label)
    while start < end and _is_edge(label[start]):
        start += 1
    while end > start and _is_edge(label[end - 1]):
        end -= 1
    return label[start:end]


def _is_edge(char: str) -> bool:
    return char in _EDGES or (char > "\x7f" and (char.isspace() or unicodedata.category(char)[0] == "P"))


def compare_labels(expected: str, got: str, settings: ClassificationSection) -> Comparison:
    """Compare two class labels. The agreement is 1.0 if they mean the same class, else 0.0.

    The field ``labels`` of the result contains both classes. The confusion matrix counts them.
    """
    left, right = normalise(expected, settings), normalise(got, settings)
    labels = {"expected": _as_configured(left, settings), "got": _as_configured(right, settings)}
    if left == right:
        return Comparison(1.0, (), {"label": 0.0}, {}, labels)
    return Comparison(0.0, ("label",), {"label": 1.0}, {"label": f"“{left}” → “{right}”"}, labels)
