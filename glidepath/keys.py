"""Names that several processes share: Redis keys, Envoy runtime keys, headers, clusters, routes.

Every per-workload Redis key carries the hash tag ``{workload}``, so that all keys of one workload are in one slot of a
Redis Cluster and one script can change them together.
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "glidepath"
SCORER_GROUP = "scorers"
FULL_WEIGHT = 10_000  # basis points: the sum of a workload's weights


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


# Envoy runtime keys.


def weight_prefix(workload: str) -> str:
    """Return the ``runtime_key_prefix`` of the workload's weighted clusters; Envoy appends ``.<cluster>``."""
    return f"{PREFIX}.{workload}.weight"


def weight_key(workload: str, cluster: str) -> str:
    return f"{weight_prefix(workload)}.{cluster}"


def shadow_key(workload: str) -> str:
    """Return the runtime key of the share of requests that are captured and copied, in percent (0 to 100)."""
    return f"{PREFIX}.{workload}.shadow"


def autopilot_key(workload: str) -> str:
    """Return the runtime key of the autopilot. A person switches it off at an Envoy with 0; 1 or absent means on."""
    return f"{PREFIX}.{workload}.autopilot"


# Envoy names.


def fallback_cluster(candidate: str, baseline: str) -> str:
    """Return the name of the composite cluster that tries the candidate, then the baseline.

    It is the candidate's entry in the split. See ADR 0003.
    """
    return f"{candidate}-or-{baseline}"


def rescue_cluster(candidate: str, baseline: str) -> str:
    """Return the name of the composite's second member: the baseline's endpoints under a name that marks a failover."""
    return f"{baseline}-for-{candidate}"


ROUTE_PREFIX = "glidepath/"


def route_name(workload: str, captured: bool) -> str:
    """Return ``glidepath/<workload>/captured`` or ``…/plain``; extproc reads the workload from a route's name."""
    return f"{ROUTE_PREFIX}{workload}/{'captured' if captured else 'plain'}"


def shadow_route_name(workload: str, backend: str) -> str:
    return f"{ROUTE_PREFIX}{workload}/shadow/{backend}"


def workload_of_route(name: str) -> str | None:
    """Return the workload in a route's name, or None if the route is not Glidepath's."""
    if not name.startswith(ROUTE_PREFIX):
        return None
    return name.removeprefix(ROUTE_PREFIX).split("/", 1)[0] or None


EXTPROC_CLUSTER = "glidepath-extproc"
RTDS_CLUSTER = "glidepath-rtds"
RTDS_LAYER = "glidepath"
LIVE_LOG = "glidepath-live"
SHADOW_LOG = "glidepath-shadow"
# Custom tag of both access logs: the cluster that the split chose, even if no host was reached.
CHOSEN_CLUSTER_TAG = "chosen_cluster"

# Headers that the tee sends to the shadow listener. They are removed before a backend sees the request.
HEADER_WORKLOAD = "x-glidepath-workload"
HEADER_TARGET = "x-glidepath-target"
HEADER_ORIGIN = "x-glidepath-origin"

PROBE_STICKY = "glidepath-probe"  # all probes count as one user, whose evidence is discounted

# Header with the cluster that the split chose, for a filter that cannot send xds.cluster_name. Envoy overwrites a
# client's value, and removes the header before a backend sees the request.
HEADER_CLUSTER = "x-glidepath-cluster"

# Headers that are never read, stored or copied.
CREDENTIAL_HEADERS = (
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "set-cookie",
    "x-amz-security-token",
)
# Query parameters that are never stored or copied. Names are compared in lower case.
CREDENTIAL_PARAMETERS = ("key", "api_key", "api-key", "apikey", "access_token", "token", "sig", "signature")
