"""The Redis keys of a workload and of the leader.

Every per-workload Redis key carries the hash tag ``{workload}``, so that all keys of one workload are in one slot of a
Redis Cluster and one script can change them together.
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "glidepath"
SCORER_GROUP = "scorers"


@dataclass(frozen=True, slots=True)
class WorkloadKeys:
    """Redis keys of one workload."""

    workload: str

    def _key(self, name: str) -> str:
        return f"{PREFIX}:{{{self.workload}}}:{name}"

    @property
    def pairs(self) -> str:
        """Stream. Field ``p`` is a Pair compressed with zstd. Scorers read it as the consumer group SCORER_GROUP."""
        return self._key("pairs")

    @property
    def results(self) -> str:
        """Stream. Field ``r`` is a ScoredPair. There is exactly one entry per pair id."""
        return self._key("results")

    @property
    def outcomes(self) -> str:
        """Stream. Field ``o`` is an Outcomes message."""
        return self._key("outcomes")

    @property
    def state(self) -> str:
        """Hash. ``blob`` is the steer loop's state with its evidence and stream cursors.

        ``fence`` and ``group`` are the last writer's fencing token and group; ``at_ms`` is the time of that write.
        ``unreadable`` is the last blob that could not be read, kept for inspection.
        """
        return self._key("state")

    @property
    def status(self) -> str:
        """String: records.WorkloadStatus as JSON, for people and tools."""
        return self._key("status")

    @property
    def commands(self) -> str:
        """Stream. Field ``c`` is a records.Command as JSON."""
        return self._key("commands")

    @property
    def log(self) -> str:
        """Stream, append-only. Field ``d`` is a records.Decision as JSON."""
        return self._key("log")

    @property
    def budget(self) -> str:
        """Prefix of the per-day spending counters of the tee."""
        return self._key("budget")

    def evaluations(self, day: int) -> str:
        """String with a TTL: how many questions all scorers asked the evaluator on ``day`` (days since 1970, UTC)."""
        return self._key(f"evaluations:{day}")

    @property
    def probes(self) -> str:
        """Hash. ``at_ms`` of the last round of probes, ``next`` (index of the next prompt), the ``failing`` sides."""
        return self._key("probes")

    @property
    def dead(self) -> str:
        """Stream of unreadable pairs, limited in length. Field ``p`` is the pair, field ``why`` the reason."""
        return self._key("dead")

    def written(self, source: str) -> str:
        """String with a TTL: sequence number of the last flush of ``source``, so that a repeated write is ignored."""
        return self._key(f"written:{source}")

    @property
    def queue(self) -> str:
        """Hash. ``acked`` counts acknowledged pairs; scoring/worker/redis_scripts.py describes the other fields."""
        return self._key("queue")

    def noise(self, baseline: str) -> str:
        """Hash with the noise floor of the backend ``baseline``: pairs, agreement_sum, trip:<signal>."""
        return self._key(f"noise:{baseline}")

    def done(self, pair_id: str) -> str:
        """String with a TTL. It exists once the pair's result has been written."""
        return self._key(f"done:{pair_id}")


LEASE = f"{PREFIX}:lease"
FENCE = f"{PREFIX}:fence"


def lease_key(group: str) -> str:
    """Return the key of the lease: a string with a TTL that names the leading scorer of ``group``."""
    return f"{LEASE}:{group}" if group else LEASE


def fence_key(group: str) -> str:
    """Return the key of the fencing token: a counter that grows with every new leader of ``group``."""
    return f"{FENCE}:{group}" if group else FENCE
