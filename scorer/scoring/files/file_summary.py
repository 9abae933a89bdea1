"""Summarise the scores of a file of pairs in one pass.

The memory use depends only on the number of different flags, classes and reasons, not on the number of pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scorer.scoring.compare.confusion_matrix import Confusion

_STEPS = 1000  # of the histogram of agreements
_LABELS_PER_FOLD = 1000
_SHOWN_CLASSES = 20


@dataclass(slots=True)
class FileSummary:
    """Counts of the pairs in a file.

    ``unscored``: the number of unscored pairs for each reason.
    ``flags``: the number of scored pairs with each flag.
    ``opinions``: the number of pairs with an opinion of the evaluator.
    ``no_opinion``: the number of pairs in doubt without an opinion of the evaluator, for each reason.
    ``faults``: for each kind of fault of one answer by itself, in how many pairs ``baseline_only``,
        ``candidate_only`` and ``both`` sides have it.
    """

    pairs: int = 0
    bad_lines: int = 0
    unscored: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    confusion: Confusion = field(default_factory=Confusion)
    opinions: int = 0
    no_opinion: Mapping[str, int] = field(default_factory=dict)
    faults: dict[str, Counter[str]] = field(default_factory=dict)
    _sum: float = 0.0
    _histogram: list[int] = field(default_factory=lambda: [0] * (_STEPS + 1))
    _labels: list[Mapping[str, str]] = field(default_factory=list)

    def add(
        self, agreement: float | None, flags: tuple[str, ...], labels: Mapping[str, str], *, evaluated: bool
    ) -> None:
        """Add one pair. ``evaluated`` is True if the evaluator's opinion is part of the agreement."""
        self.pairs += 1
        if agreement is None:
            self.unscored.update(flag.partition(":")[2] for flag in flags)
            return
        self._sum += agreement
        self._histogram[round(agreement * _STEPS)] += 1
        self.flags.update(flags)
        self.opinions += evaluated
        if labels:
            self._labels.append(labels)
            if len(self._labels) >= _LABELS_PER_FOLD:
                self._fold()

    def add_faults(self, baseline: frozenset[str], candidate: frozenset[str]) -> None:
        """Add the kinds of faults that the two answers of one pair have by themselves."""
        for kind in baseline | candidate:
            who = "both" if kind in baseline & candidate else "candidate_only" if kind in candidate else "baseline_only"
            self.faults.setdefault(kind, Counter())[who] += 1

    def _fold(self) -> None:
        self.confusion = self.confusion.fold_all(self._labels)
        self._labels.clear()

    @property
    def scored(self) -> int:
        return self.pairs - self.unscored.total()

    @property
    def mean(self) -> float | None:
        return self._sum / self.scored if self.scored else None

    def quantile(self, share: float) -> float | None:
        """Return the quantile ``share`` of the agreements, rounded to 0.001, or None if no pair was scored.

        For example, ``share`` is 0.5 for the median.
        """
        if not self.scored:
            return None
        seen = 0
        for step, count in enumerate(self._histogram):
            seen += count
            if seen >= share * self.scored:
                return step / _STEPS
        return 1.0

    def to_json(self) -> dict[str, Any]:
        self._fold()
        classes = {name: self.confusion.figures(name) for name in sorted(self.confusion.classes)}
        return {
            "pairs": self.pairs,
            "scored": self.scored,
            "unscored": dict(self.unscored.most_common()),
            "bad_lines": self.bad_lines,
            "agreement": {"mean": _rounded(self.mean), "p10": self.quantile(0.1), "p50": self.quantile(0.5)},
            "flags": {
                flag: {"pairs": n, "share": round(n / max(self.scored, 1), 4)} for flag, n in self.flags.most_common()
            },
            "classes": {
                name: {"pairs": f.support, "precision": _rounded(f.precision), "recall": _rounded(f.recall)}
                for name, f in classes.items()
            },
            "faults": {kind: dict(counts) for kind, counts in sorted(self.faults.items())},
            "evaluator": {"opinions": self.opinions, "none": dict(self.no_opinion)},
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines of a summary for people to read."""
        summary = self.to_json()
        reasons = f" ({_counts(self.unscored)})" if self.unscored else ""
        yield f"{self.pairs} pairs, {self.unscored.total()} without a score{reasons}, {self.bad_lines} bad lines"
        if self.scored:
            agreement = summary["agreement"]
            yield f"agreement {agreement['mean']:.3f} mean, {agreement['p10']:.3f} at the 10th percentile"
        if self.flags:
            shares = (f"{flag} {n} ({n / self.scored:.1%})" for flag, n in self.flags.most_common())
            yield f"flags: {', '.join(shares)}"
        for kind, counts in sorted(self.faults.items()):
            yield f"{kind}: {', '.join(f'{who} {n}' for who, n in sorted(counts.items()))}"
        shown = sorted(summary["classes"].items(), key=lambda c: -c[1]["pairs"])
        for name, figures in shown[:_SHOWN_CLASSES]:
            precision, recall = (_percent(figures[key]) for key in ("precision", "recall"))
            yield f"class {name!r}: {figures['pairs']} pairs, precision {precision}, recall {recall}"
        if self.opinions or self.no_opinion:
            failed = f", none for {sum(self.no_opinion.values())} ({_counts(self.no_opinion)})"
            yield f"evaluator: {self.opinions} opinions{failed if self.no_opinion else ''}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items(), key=lambda item: -item[1]))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"
