"""The names of all Redis keys, and the content of each key.

Every key of a workload contains the hash tag ``{workload}``. So all keys of one workload are in one slot of a Redis
Cluster, and one script can change them together.
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "glidepath"
SCORER_GROUP = "scorers"


@dataclass(frozen=True, slots=True)
class WorkloadKeys:
    """The Redis keys of one workload. The docstring of each key describes its content."""

    workload: str

    def _key(self, name: str) -> str:
        return f"{PREFIX}:{{{self.workload}}}:{name}"

    @property
    def pairs(self) -> str:
        """Stream of pairs, with a TTL. Field ``p`` is a Pair compressed with zstd.

        The scorers' consumer group is SCORER_GROUP.
        """
        return self._key("pairs")

    @property
    def results(self) -> str:
        """Stream of scores. Field ``r`` is a ScoredPair, and ``e`` the id of the pair's entry in ``pairs``.

        There is at most one entry per entry of ``pairs``. With ``redaction.excerpts``, the stream has a TTL.
        """
        return self._key("results")

    @property
    def outcomes(self) -> str:
        """Stream of outcome summaries. Field ``o`` is an Outcomes message."""
        return self._key("outcomes")

    @property
    def state(self) -> str:
        """Hash with the steer loop's state of the workload.

        ``blob`` is the ramp's state with its evidence and stream cursors. ``fence`` and ``group`` are the fencing token
        and the group of the last scorer that wrote the hash, and ``at_ms`` is the time of that write. ``unreadable`` is
        the last blob that could not be read; it is kept for inspection.
        """
        return self._key("state")

    @property
    def status(self) -> str:
        """String with the latest WorkloadStatus as JSON, for people and tools."""
        return self._key("status")

    @property
    def commands(self) -> str:
        """Stream of commands. Field ``c`` is a Command as JSON."""
        return self._key("commands")

    @property
    def log(self) -> str:
        """Stream with the decision log, append-only. Field ``d`` is a Decision as JSON."""
        return self._key("log")

    def history(self, level: str) -> str:
        """Stream with the history of periods of one length (glidepath/history.py), limited in length.

        Field ``h`` is a HistoryPoint as JSON, and the entry's id is the beginning of the period.
        """
        return self._key(f"history:{level}")

    @property
    def open_history(self) -> str:
        """String with a TTL: the totals of the open periods as JSON, for the next leader."""
        return self._key("history:open")

    @property
    def budget(self) -> str:
        """Prefix of the keys that count, for each day, the copies to paid backends and their cost."""
        return self._key("budget")

    def evaluations(self, day: int) -> str:
        """String with a TTL: the number of questions to the evaluator on ``day`` (days since 1970, UTC).

        All scorers share this number.
        """
        return self._key(f"evaluations:{day}")

    def evaluation_cost_of_hour(self, hour: int) -> str:
        """String with a TTL: the cost of the evaluator's answers in ``hour`` (hours since 1970, UTC)."""
        return self._key(f"evaluation-cost:{hour}")

    @property
    def evaluation_cost(self) -> str:
        """String: the total cost of the evaluator's answers."""
        return self._key("evaluation-cost")

    def served(self, part: int) -> str:
        """Hash with a TTL: clients' requests that ended in one part of ``feedback.window`` (feedback_intake.py).

        A field is the digest of a request id. Its value is ``b`` or ``c`` for the side that served the request,
        followed by the time in Unix ms. An ``x`` is added at its start when feedback has been given.
        """
        return self._key(f"served:{part}")

    @property
    def feedback(self) -> str:
        """Stream with a TTL, limited in length: matched feedback. Field ``f`` is a Feedback (feedback.py)."""
        return self._key("feedback")

    @property
    def feedback_notes(self) -> str:
        """Hash with a TTL: the digest of a request id → the feedback on it, for pages that show the pair.

        A field whose name ends in ``:label`` has the label. See stored_feedback.py. ``feedback.shown`` limits the
        number of fields.
        """
        return self._key("feedback:notes")

    @property
    def feedback_note_times(self) -> str:
        """Sorted set: the digest of a request id in ``feedback_notes`` → the time of the feedback (Unix ms)."""
        return self._key("feedback:notes:times")

    @property
    def probes(self) -> str:
        """Hash with the state of the scheduled probes.

        ``at_ms`` is the time of the last round, ``next`` the index of the next prompt, and ``failing`` names
        the backends that failed.
        """
        return self._key("probes")

    @property
    def dead(self) -> str:
        """Stream of pairs that could not be scored, limited in length. Field ``p`` is the pair, ``why`` the reason."""
        return self._key("dead")

    @property
    def kept(self) -> str:
        """Hash with a TTL: the id of a kept pair → the Pair, as in ``pairs``.

        A pair is kept if a decision names it, or if a person labelled it. Here it is stored longer than in ``pairs``.
        ``retention.kept`` limits the number of pairs.
        """
        return self._key("kept")

    @property
    def kept_times(self) -> str:
        """Sorted set with a TTL: the id of a pair in ``kept`` → the time at which it was kept (Unix milliseconds)."""
        return self._key("kept:times")

    @property
    def labels(self) -> str:
        """Hash: the id of a pair → a PairLabel as JSON, a person's judgement of its two answers."""
        return self._key("labels")

    @property
    def label_times(self) -> str:
        """Sorted set: the id of a pair in ``labels`` → the time of the label (Unix milliseconds)."""
        return self._key("labels:times")

    def written(self, source: str) -> str:
        """String with a TTL: the sequence number of the last flush of the extproc ``source``.

        A flush with this number or a lower one has been written before, so it is ignored.
        """
        return self._key(f"written:{source}")

    def written_pairs(self, source: str) -> str:
        """String with a TTL: the sequence number of the last written pair of the extproc ``source``."""
        return self._key(f"written-pairs:{source}")

    @property
    def queue(self) -> str:
        """Hash with counters of the stream of pairs. ``acked`` counts acknowledged pairs.

        scorer/scoring/worker/redis_scripts.py describes the other fields.
        """
        return self._key("queue")

    def noise(self, baseline: str, model: str) -> str:
        """Hash with the noise floor of the backend ``baseline``, measured on pairs of two answers of this backend.

        ``model``: the embedding model that scored the pairs, because the scores of two models cannot be compared.

        ``pairs`` is the number of these noise pairs, and ``agreement_sum`` the sum of their agreement.
        ``diverged:<signal>`` is the number of noise pairs in which the divergence of the signal was at least
        ``DIVERGED_AT``.
        """
        return self._key(f"noise:{baseline}:{model}")


LEASE = f"{PREFIX}:lease"
FENCE = f"{PREFIX}:fence"
# Hash: extproc process → the access log entries that it has received. It expires a day after the last one.
ARRIVED_ENTRIES = f"{PREFIX}:access_log:arrived"
# Hash: extproc process, a space and the node id of an Envoy → the entries received from it. It expires after a day,
# too.
ARRIVED_BY_ENVOY = f"{PREFIX}:access_log:by_envoy"
# String: an UnseenRecord as JSON.
UNSEEN_ENTRIES = f"{PREFIX}:access_log:unseen"
# String: the random key of the fingerprints of callers (glidepath/inventory/callers.py).
INVENTORY_KEY = f"{PREFIX}:inventory:key"
# String: exists only in the Redis of `glidepath demo`. Because of it, a report says that its prices are invented.
DEMO_MARK = f"{PREFIX}:demo"


def inventory_period(level: str, number: int) -> str:
    """Return the key of a period of the inventory: hour or day ``number`` since 1970.

    The key holds a hash with a TTL: process and group → the counts (glidepath/inventory/stored_periods.py).
    """
    return f"{PREFIX}:inventory:{level}:{number}"


def lease_key(group: str) -> str:
    """Return the key of the leader's lease of ``group``.

    The key holds a string with a TTL: the name of the scorer that steers the group's workloads.
    """
    return f"{LEASE}:{group}" if group else LEASE


def fence_key(group: str) -> str:
    """Return the key of the fencing token: a counter that grows with every new leader of ``group``."""
    return f"{FENCE}:{group}" if group else FENCE


def delivered_key(destination: str) -> str:
    """Return the key of the decisions that a destination of notifications has received.

    ``destination`` is a digest. The key holds a sorted set with a TTL: a digest of each decision, by Unix time.
    """
    return f"{PREFIX}:delivered:{destination}"
