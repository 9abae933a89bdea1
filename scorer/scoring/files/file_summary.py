"""Summarise the scores of a file of pairs in one pass.

The memory use depends only on the number of different flags, classes and reasons, not on the number of pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from glidepath.pair_scores import Correctness, Preference
from scorer.scoring.compare.confusion_matrix import Confusion

_STEPS = 1000  # of the histogram of agreements
_LABELS_PER_FOLD = 1000
_SHOWN_CLASSES = 20


@dataclass(slots=True)
class CorrectnessTotals:
    """The sums of the verifier's results. ``none``: the number of pairs without a result, by reason."""

    pairs: int = 0
    baseline: float = 0.0
    candidate: float = 0.0
    none: Mapping[str, int] = field(default_factory=dict)

    def add(self, found: Correctness) -> None:
        self.pairs += 1
        self.baseline += found.baseline
        self.candidate += found.candidate

    def to_json(self) -> dict[str, Any]:
        means = {"baseline": self.baseline, "candidate": self.candidate}
        shown = {side: round(total / self.pairs, 4) if self.pairs else None for side, total in means.items()}
        return {"pairs": self.pairs, **shown, "none": dict(self.none)}

    def line(self) -> str:
        none = f", none for {sum(self.none.values())} ({_counts(self.none)})" if self.none else ""
        if not self.pairs:
            return f"correctness: 0 pairs verified{none}"
        candidate, baseline = self.candidate / self.pairs, self.baseline / self.pairs
        return f"correctness over {self.pairs} pairs: candidate {candidate:.1%}, baseline {baseline:.1%}{none}"


@dataclass(slots=True)
class FileSummary:
    """Counts of the pairs in a file.

    ``unscored``: the number of unscored pairs for each reason.
    ``flags``: the number of scored pairs with each flag.
    ``preferences``: the number of pairs with each preference of the evaluator.
    ``no_preference``: the number of pairs that lack the evaluator's preference, for each reason.
    ``with_calls``: the number of scored pairs with tool calls. ``exact_calls``: of those, how many have equal calls.
    ``correctness``: the totals of the verifier's results.
    ``faults``: kind of fault → the number of pairs in which an answer has this fault: ``baseline_only``,
    ``candidate_only`` or ``both``.
    """

    pairs: int = 0
    bad_lines: int = 0
    unscored: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    confusion: Confusion = field(default_factory=Confusion)
    preferences: Counter[Preference] = field(default_factory=Counter)
    no_preference: Mapping[str, int] = field(default_factory=dict)
    correctness: CorrectnessTotals = field(default_factory=CorrectnessTotals)
    faults: dict[str, Counter[str]] = field(default_factory=dict)
    with_calls: int = 0
    exact_calls: int = 0
    _sum: float = 0.0
    _histogram: list[int] = field(default_factory=lambda: [0] * (_STEPS + 1))
    _labels: list[Mapping[str, str]] = field(default_factory=list)

    def add(
        self,
        agreement: float | None,
        flags: tuple[str, ...],
        labels: Mapping[str, str],
        preference: Preference | None = None,
    ) -> None:
        self.pairs += 1
        if agreement is None:
            self.unscored.update(flag.partition(":")[2] for flag in flags)
            return
        self._sum += agreement
        self._histogram[round(agreement * _STEPS)] += 1
        self.flags.update(flags)
        if preference is not None:
            self.preferences[preference] += 1
        if labels:
            self._labels.append(labels)
            if len(self._labels) >= _LABELS_PER_FOLD:
                self._fold()

    def add_faults(self, baseline: frozenset[str], candidate: frozenset[str]) -> None:
        """Add the kinds of faults that the two answers of one pair have by themselves."""
        for kind in baseline | candidate:
            who = "both" if kind in baseline & candidate else "candidate_only" if kind in candidate else "baseline_only"
            self.faults.setdefault(kind, Counter())[who] += 1

    def add_calls(self, exact: float) -> None:
        """Add a scored pair with tool calls. ``exact``: 1 if its calls are equal, else 0."""
        self.with_calls += 1
        self.exact_calls += exact == 1

    def _fold(self) -> None:
        self.confusion = self.confusion.fold_all(self._labels)
        self._labels.clear()

    @property
    def scored(self) -> int:
        return self.pairs - self.unscored.total()

    @property
    def mean(self) -> float | None:
        return self._sum / self.scored if self.scored else None

    @property
    def exact_call_rate(self) -> float | None:
        return self.exact_calls / self.with_calls if self.with_calls else None

    @property
    def preference_mean(self) -> float | None:
        judged = self.preferences.total()
        return sum(one.score * n for one, n in self.preferences.items()) / judged if judged else None

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
            "exact_calls": {"pairs": self.with_calls, "share": _rounded(self.exact_call_rate)},
            "agreement": {"mean": _rounded(self.mean), "p10": self.quantile(0.1), "p50": self.quantile(0.5)},
            "flags": {
                flag: {"pairs": n, "share": round(n / max(self.scored, 1), 4)} for flag, n in self.flags.most_common()
            },
            "classes": {
                name: {"pairs": f.support, "precision": _rounded(f.precision), "recall": _rounded(f.recall)}
                for name, f in classes.items()
            },
            "faults": {kind: dict(counts) for kind, counts in sorted(self.faults.items())},
            "preference": {
                "mean": _rounded(self.preference_mean),
                **{preference.value: self.preferences[preference] for preference in Preference},
                "none": dict(self.no_preference),
            },
            "correctness": self.correctness.to_json(),
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines of a summary for people to read."""
        summary = self.to_json()
        reasons = f" ({_counts(self.unscored)})" if self.unscored else ""
        yield f"{self.pairs} pairs, {self.unscored.total()} without a score{reasons}, {self.bad_lines} bad lines"
        if self.with_calls:
            yield f"exact tool calls: {self.exact_call_rate:.1%} of {self.with_calls} pairs with calls"
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
        if self.preferences or self.no_preference:
            yield self._preference_line()
        if self.correctness.pairs or self.correctness.none:
            yield self.correctness.line()

    def _preference_line(self) -> str:
        none = f", none for {sum(self.no_preference.values())} ({_counts(self.no_preference)})"
        missing = none if self.no_preference else ""
        judged = self.preferences.total()
        if not judged:
            return f"preference: 0 pairs judged{missing}"
        numbers = self.preferences
        wins, ties = (sum(n for one, n in numbers.items() if one.score == score) for score in (1.0, 0.5))
        forfeit, kept = numbers[Preference.FORFEIT], numbers[Preference.WITHHELD]
        withheld = f"; {forfeit + kept} preferences for an answer that addresses its judge" if forfeit + kept else ""
        return (
            f"preference {self.preference_mean:.3f} mean over {judged} pairs: the candidate won {wins}, tied "
            f"{ties}, lost {judged - wins - ties}; the two orders disagreed in "
            f"{numbers[Preference.INCONSISTENT] / judged:.1%}{withheld}{missing}"
        )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items(), key=lambda item: -item[1]))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"
