"""The metrics of the score loop for a scored pair."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry

from glidepath.metric_families import OTHER
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin
from scorer.scoring.worker.score_metrics import MOST_FLAGS, ScoreMetrics

LIVE = AnswerFacts(Origin.LIVE, input_tokens=10, output_tokens=20)
COPY = AnswerFacts(Origin.SHADOW, input_tokens=11, output_tokens=30, faults=("refusal",))
PAIR = ScoredPair(
    "1", "chat", PairKind.CROSS, 1, 2, True, agreement=0.75, flags=("numbers",), baseline=LIVE, candidate=COPY
)


class Counted:
    def __init__(self, *pairs: ScoredPair) -> None:
        self.registry = CollectorRegistry()
        metrics = ScoreMetrics(self.registry)
        for pair in pairs:
            metrics.count(pair)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"glidepath_scorer_{name}", {"workload": "chat", **labels})


def test_flags_agreement_and_faults_of_both_sides_are_counted() -> None:
    counted = Counted(PAIR, replace(PAIR, pair_id="2"))
    candidate = {"side": "candidate", "origin": "shadow"}
    assert counted.value("flags_total", flag="numbers") == 2
    assert counted.value("agreement_ratio_sum", kind="cross") == 1.5
    assert counted.value("agreement_ratio_bucket", kind="cross", le="0.7") == 0
    assert counted.value("agreement_ratio_bucket", kind="cross", le="0.8") == 2
    assert counted.value("answer_faults_total", fault="refusal", **candidate) == 2
    assert counted.value("answers_total", **candidate) == 2


def test_both_answers_of_a_noise_pair_are_the_baselines_and_none_is_counted_twice() -> None:
    noise = replace(PAIR, pair_id="1~noise", kind=PairKind.NOISE, both_copied=True)
    counted = Counted(replace(PAIR, both_copied=True), noise)
    assert counted.value("answers_total", side="baseline", origin="live") == 1
    assert counted.value("answers_total", side="baseline", origin="shadow") == 1
    assert counted.value("answers_total", side="candidate", origin="shadow") == 1
    alone = Counted(replace(noise, both_copied=False))
    assert alone.value("answers_total", side="baseline", origin="live") == 1


def test_a_difference_between_answers_of_the_baseline_is_no_flag() -> None:
    assert Counted(replace(PAIR, kind=PairKind.NOISE)).value("flags_total", flag="numbers") is None


def test_a_pair_without_a_score_is_counted_by_its_reason_and_its_answers_nevertheless() -> None:
    counted = Counted(replace(PAIR, scored=False, unscored_reason="cut"))
    assert counted.value("pairs_unscored_total", reason="cut") == 1
    assert counted.value("agreement_ratio_count", kind="cross") is None
    assert counted.value("answers_total", side="baseline", origin="live") == 1


def test_the_number_of_different_flags_is_bounded() -> None:
    pairs = [replace(PAIR, pair_id=str(n), flags=(f"flag{n}",)) for n in range(MOST_FLAGS + 5)]
    assert Counted(*pairs).value("flags_total", flag=OTHER) == 5
