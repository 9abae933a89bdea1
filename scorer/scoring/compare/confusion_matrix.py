"""The confusion matrix of a classification workload, with the precision and the recall of each class.

The baseline's label counts as the truth, so the numbers measure how often the candidate agrees with the baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from glidepath.outcome_summaries import add_counts

OTHER = "(other)"
MAX_CLASSES = 200  # limits the size of the state if labels are in fact free text
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The precision and the recall of one class, in [0, 1]. A value is None if there is no pair to compute it from.

    ``support`` is the number of pairs in which the baseline's label is this class.
    """

    support: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """The number of pairs for each combination of the baseline's label (expected) and the candidate's label (got).

    Two confusion matrices can be added with ``+``. After MAX_CLASSES classes, all further classes are counted together
    as OTHER. The classes in ``matter`` are always counted by name and do not count towards this limit.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    matter: frozenset[str] = frozenset()

    def fold(self, labels: Mapping[str, str]) -> Confusion:
        """Return the confusion matrix with one more pair added. ``labels`` is the field ``labels`` of a ScoredPair.

        A pair without labels does not change the matrix.
        """
        return self.fold_all([labels])

    def fold_all(self, many: Iterable[Mapping[str, str]]) -> Confusion:
        counts, known = dict(self.counts), set(self.classes)
        for labels in many:
            if "expected" in labels and "got" in labels:
                expected, got = (self._bounded(labels[name], known) for name in ("expected", "got"))
                known |= {expected, got}
                key = expected + _SEPARATOR + got
                counts[key] = counts.get(key, 0) + 1
        return Confusion(counts, self.matter)

    def _bounded(self, label: str, known: Set[str]) -> str:
        if label in self.matter:
            return label
        label = label.replace(_SEPARATOR, " ")[:80]
        return label if label in known or len(known - self.matter) < MAX_CLASSES else OTHER

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(add_counts(self.counts, other.counts), self.matter | other.matter)

    def count(self, expected: str, got: str) -> int:
        return self.counts.get(expected + _SEPARATOR + got, 0)

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(name for key in self.counts for name in key.split(_SEPARATOR, 1))

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def figures(self, name: str) -> ClassFigures:
        hit = self.count(name, name)
        cells = [(key.split(_SEPARATOR, 1), n) for key, n in self.counts.items()]
        expected = sum(n for (e, _), n in cells if e == name)
        got = sum(n for (_, g), n in cells if g == name)
        return ClassFigures(expected, hit / got if got else None, hit / expected if expected else None)

    def to_json(self) -> dict[str, Any]:
        nested: dict[str, dict[str, int]] = {}
        for key, n in self.counts.items():
            expected, got = key.split(_SEPARATOR, 1)
            nested.setdefault(expected, {})[got] = n
        return nested

    @classmethod
    def from_json(cls, raw: Mapping[str, Mapping[str, int]], matter: frozenset[str] = frozenset()) -> Confusion:
        return cls({e + _SEPARATOR + g: int(n) for e, row in raw.items() for g, n in row.items()}, matter)
