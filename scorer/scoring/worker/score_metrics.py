"""The Prometheus metrics of the score loop."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from glidepath.answers_of_pairs import answers_of
from glidepath.metric_families import BoundedNames
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind

MOST_FLAGS = 64  # kinds of flags that are counted separately
_ANSWER = ("workload", "side", "origin")
_AGREEMENTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class ScoreMetrics:
    """The score loop's metrics, such as the pairs by result, the length of the queue and the scoring time of a pair."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, help_text: str, *labels: str) -> Counter:
            return Counter(f"glidepath_scorer_{name}", help_text, labels, registry=registry)

        self._scored = counter("pairs_scored_total", "Pairs with a score", "workload", "kind")
        self._unscored = counter("pairs_unscored_total", "Pairs without a score, by reason", "workload", "reason")
        self.redelivered = counter(
            "pairs_redelivered_total", "Pairs delivered again after their result was written", "workload"
        )
        self.reclaimed = counter("pairs_reclaimed_total", "Pairs taken over from a scorer that died", "workload")
        self.lost = counter("pairs_lost_total", "Pairs trimmed by retention after a scorer claimed them", "workload")
        self.trimmed = counter(
            "pairs_trimmed_total", "Pairs trimmed by retention before any scorer claimed them", "workload"
        )
        self.dead = counter(
            "pairs_dead_total",
            "Pairs set aside because they were unreadable or made scoring fail",
            "workload",
            "reason",
        )
        self.hits = counter("embed_cache_hits_total", "Texts whose vectors were cached")
        self.misses = counter("embed_cache_misses_total", "Texts whose vectors were not cached")
        self.outages = counter(
            "outages_total", "Times that scoring stopped because a dependency was unreachable", "dependency"
        )
        self.evaluations = counter(
            "evaluations_total",
            "Pairs for the evaluator, by outcome: its preference, or the reason why there is none",
            "workload",
            "outcome",
        )
        self.verifications = counter(
            "verifications_total",
            "Pairs for the verifier, by outcome: verified, or the reason why there is no result",
            "workload",
            "outcome",
        )
        self._flags = counter("flags_total", "Scored cross pairs with this flag", "workload", "flag")
        self._faults = counter(
            "answer_faults_total", "Answers with this fault, whatever the other side answered", *_ANSWER, "fault"
        )
        self._answers = counter("answers_total", "Answers that were read for scoring", *_ANSWER)
        self._agreement = Histogram(
            "glidepath_scorer_agreement_ratio",
            "Agreement of the answers of a pair, from 0 to 1",
            ["workload", "kind"],
            buckets=_AGREEMENTS,
            registry=registry,
        )
        self._bounded_flag = BoundedNames(MOST_FLAGS)
        self._queue = Gauge(
            "glidepath_scorer_queue_pairs", "Pairs that no scorer has claimed yet", ["workload"], registry=registry
        )
        self.seconds = Histogram(
            "glidepath_scorer_pair_seconds", "Seconds to score one pair", buckets=_SECONDS, registry=registry
        )

    def count(self, scored: ScoredPair) -> None:
        """Count one pair as scored, or as unscored with the reason. Count its answers, and a cross pair's flags."""
        for side, facts in answers_of(scored):
            self._count_answer((scored.workload, side.value, facts.origin.value), facts)
        if not scored.scored:
            self._unscored.labels(scored.workload, scored.unscored_reason).inc()
            return
        self._scored.labels(scored.workload, scored.kind.value).inc()
        self._agreement.labels(scored.workload, scored.kind.value).observe(scored.agreement)
        if scored.kind is PairKind.CROSS:
            for flag in scored.flags:
                self._flags.labels(scored.workload, self._bounded_flag(flag)).inc()

    def _count_answer(self, place: tuple[str, str, str], facts: AnswerFacts) -> None:
        self._answers.labels(*place).inc()
        for fault in facts.faults:
            self._faults.labels(*place, fault).inc()

    def show_queue(self, lengths: Mapping[str, int]) -> None:
        for workload, pairs in lengths.items():
            self._queue.labels(workload).set(pairs)
