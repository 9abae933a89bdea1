"""``glidepath calibrate --labels``: fit the weights of a workload's agreement to people's judgements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from glidepath.agreement_weights import AgreementWeights, shipped_weights
from glidepath.config import Config
from glidepath.config.comparison import FREE_TEXT
from glidepath.errors import InputError
from scorer.scoring.compare.calibrator.label_file import Judgements, label_lines, read_judged
from scorer.scoring.compare.calibrator.measured_pairs import Examples, measured
from scorer.scoring.compare.calibrator.refit import Validation, refit, validated
from scorer.scoring.embed import load_embedder

LEAST_OF_EACH = 2  # labels of each kind, without which nothing can be validated
FEW = 20  # with fewer labels, no weights are written, because the figures are too uncertain


@dataclass(frozen=True, slots=True)
class FittedLabels:
    """Weights fitted to labels.

    ``before``, ``after``: how well the shipped weights and the fitted weights follow the labels.
    ``pairs``, ``same``: the number of labels that were used, and how many of them are "acceptable".
    ``skipped``: lines without a judgement.
    ``repeated``: lines with an older judgement of the same pair.
    ``equal``: pairs whose score no weight can change, because their texts are equal or both refuse.
    """

    weights: AgreementWeights
    before: Validation
    after: Validation
    pairs: int
    same: int
    skipped: int
    repeated: int
    equal: int

    @property
    def better(self) -> bool:
        """Whether the fitted weights follow people's judgements better than the shipped weights.

        It is False if the labels are too few to show this, or if the difference may be chance.
        """
        gain = self.before.loss - self.after.loss
        return self.pairs >= FEW and gain > self.after.gain_noise and self.after.auc >= self.before.auc - 0.005

    def to_json(self, workload: str, output: Path | None) -> str:
        record: dict[str, Any] = {
            "workload": workload,
            "better": self.better,
            "output": str(output) if output else None,
        }
        counts = {key: getattr(self, key) for key in ("pairs", "same", "skipped", "repeated", "equal")}
        return json.dumps({**record, **counts, "before": asdict(self.before), "after": asdict(self.after)})


def fit_labels(config: Config, workload: str, path: Path) -> FittedLabels:
    """Fit the shipped weights to the labels in a file.

    Raises InputError if the workload's agreement has no weights, or the file cannot be read or has too few labels.
    """
    section = config.workload(workload)
    if section.task not in FREE_TEXT:
        raise InputError(
            f"--labels: the agreement of the task {section.task} has no weights (only {', '.join(FREE_TEXT)})"
        )
    try:
        with path.open("rb") as file:
            read = read_judged(label_lines(file), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    embedder = load_embedder(config.scorer.embedder)
    labels = measured(((one.left, one.right, one.same) for one in read.pairs), embedder, section.scoring)
    same = int(labels.same.sum())
    if min(same, len(labels.same) - same) < LEAST_OF_EACH:
        raise InputError(
            f"{path}: needs at least {LEAST_OF_EACH} pairs that people accept and {LEAST_OF_EACH} that they do not, "
            f"with different texts (got {same} and {len(labels.same) - same})"
        )
    return _fitted(labels, path, workload, read)


def _fitted(labels: Examples, path: Path, workload: str, read: Judgements) -> FittedLabels:
    base = shipped_weights()
    before, after = validated(base, labels)
    made = {
        "by": f"glidepath calibrate --labels {path.name} --workload {workload}",
        "date": datetime.now(UTC).date().isoformat(),
        "labels": {"pairs": len(labels.same), "same": int(labels.same.sum())},
        "auc": {"before": round(before.auc, 3), "after_cross_validated": round(after.auc, 3)},
        "from": base.digest,
    }
    weights = refit(base, labels, made)
    same, equal = int(labels.same.sum()), len(read.pairs) - len(labels.same)
    return FittedLabels(weights, before, after, len(labels.same), same, read.skipped, read.repeated, equal)


def report_lines(fitted: FittedLabels, workload: str, output: Path | None) -> Iterator[str]:
    """Yield the lines for people: the figures, a reliability table, and advice."""
    kinds = {"repeated": fitted.repeated, "without a judgement": fitted.skipped, "equal": fitted.equal}
    left_out = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    others = f"; left out: {left_out}" if left_out else ""
    refused = fitted.pairs - fitted.same
    yield f"{workload}: {fitted.pairs} judged pairs ({fitted.same} acceptable, {refused} not{others})"
    if fitted.pairs < FEW:
        yield f"only {fitted.pairs} pairs: the figures are a guess, so no weights are written; label {FEW} or more"
    yield ""
    yield f"{'':22}{'shipped':>10}{'with labels':>13}   (judged by weights that were fitted to the other labels)"
    yield f"{'AUC':22}{fitted.before.auc:10.3f}{fitted.after.auc:13.3f}"
    noise = f"   (a difference up to {fitted.after.gain_noise:.3f} may be chance)"
    yield f"{'log loss':22}{fitted.before.loss:10.3f}{fitted.after.loss:13.3f}{noise}"
    yield from _reliability_lines("shipped", fitted.before)
    yield from _reliability_lines("with labels", fitted.after)
    yield ""
    yield from _advice(fitted, workload, output)


def _reliability_lines(name: str, validation: Validation) -> Iterator[str]:
    yield ""
    yield f"{'agreement, ' + name:24}{'pairs':>7}{'mean':>8}{'accepted by people':>21}"
    for row in validation.reliability:
        yield f"{f'{row.low:.1f} to {row.high:.1f}':24}{row.pairs:7}{row.agreement:8.2f}{row.same:21.0%}"


def _advice(fitted: FittedLabels, workload: str, output: Path | None) -> Iterator[str]:
    if not fitted.better:
        yield "These labels do not show that new weights are better: keep the shipped weights, or label more pairs."
        return
    if output is None:
        yield "The labels improve the agreement. --output FILE writes the weights."
        return
    yield f"The labels improve the agreement. {output} has the weights. To use them, write"
    yield f"  workloads: {{{workload}: {{scoring: {{calibration: {output}}}}}}}"
    yield "and restart the scorers. The evidence of the present step then starts again."
