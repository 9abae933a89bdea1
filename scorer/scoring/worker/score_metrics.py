"""What the score loop shows to Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from glidepath.domain import ScoredPair

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class ScoreMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, help_text: str, *labels: str) -> Counter:
            return Counter(f"glidepath_scorer_{name}", help_text, labels, registry=registry)

        self._scored = counter("pairs_scored_total", "Pairs with an agreement", "workload", "kind")
        self._unscored = counter("pairs_unscored_total", "Pairs without one", "workload", "reason")
        self.again = counter("pairs_again_total", "Delivered again after they had their result", "workload")
        self.reclaimed = counter("pairs_reclaimed_total", "Taken over from a scorer that died", "workload")
        self.lost = counter("pairs_lost_total", "Trimmed by retention while a scorer held them", "workload")
        self.trimmed = counter("pairs_trimmed_total", "Trimmed by retention before any scorer took them", "workload")
        self.dead = counter("pairs_dead_total", "Set aside as unreadable or harmful", "workload", "reason")
        self.hits = counter("embed_cache_hits_total", "Texts whose vectors were known")
        self.misses = counter("embed_cache_misses_total", "Texts that were embedded")
        self.outages = counter("outages_total", "Times that scoring stopped", "of")
        self.evaluations = counter(
            "evaluations_total", "Pairs in doubt: opinion, or why there is none", "workload", "outcome"
        )
        self._queue = Gauge("glidepath_scorer_queue_pairs", "Not yet taken", ["workload"], registry=registry)
        self.seconds = Histogram(
            "glidepath_scorer_pair_seconds", "ScoringContext of one pair", buckets=_SECONDS, registry=registry
        )

    def count(self, scored: ScoredPair) -> None:
        if scored.scored:
            self._scored.labels(scored.workload, scored.kind.value).inc()
        else:
            self._unscored.labels(scored.workload, scored.unscored_reason).inc()

    def show_queue(self, queued: Mapping[str, int]) -> None:
        for workload, pairs in queued.items():
            self._queue.labels(workload).set(pairs)
