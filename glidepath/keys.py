"""Names that more than one part must agree on: Redis keys, Envoy runtime keys, headers, clusters, routes.

Every per-workload Redis key carries the hash tag ``{workload}``, so that one workload's keys share a slot of a Redis
Cluster and can be changed in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "glidepath"
SCORER_GROUP = "scorers"
FULL_WEIGHT = 10_000  # basis points; the sum of a workload's weights at every moment


@dataclass(frozen=True, slots=True)
class WorkloadKeys:
    """Redis keys of one workload."""

    workload: str

    def _key(self, name: str) -> str:
        return f"{PREFIX}:{{{self.workload}}}:{name}"

    @property
    def pairs(self) -> str:
        """Stream; field ``p``: zstd of a Pair. Read through the consumer group SCORER_GROUP."""
        return self._key("pairs")

    @property
    def results(self) -> str:
        """Stream; field ``r``: a ScoredPair. One entry a pair id, whatever happens."""
        return self._key("results")

    @property
    def outcomes(self) -> str:
        """Stream; field ``o``: an Outcomes."""
        return self._key("outcomes")

    @property
    def state(self) -> str:
        """Hash; ``blob``: the steer loop's state with its evidence and stream cursors; ``fence``, ``group``, ``at_ms``:
        who wrote it last, and when; ``unreadable``: the last blob that was none, kept for people."""
        return self._key("state")

    @property
    def status(self) -> str:
        """String; JSON of records.WorkloadStatus: what people and tools read."""
        return self._key("status")

    @property
    def commands(self) -> str:
        """Stream; field ``c``: JSON of records.Command."""
        return self._key("commands")

    @property
    def log(self) -> str:
        """Stream, append-only; field ``d``: JSON of records.Decision."""
        return self._key("log")

    @property
    def budget(self) -> str:
        """Prefix of the per-day spending counters of the tee."""
        return self._key("budget")

    def evaluations(self, day: int) -> str:
        """String with a TTL; how many questions all scorers asked the evaluator on that day (since 1970, UTC)."""
        return self._key(f"evaluations:{day}")

    @property
    def probes(self) -> str:
        """Hash; ``at_ms`` of the last round, ``next``: which prompt comes next, ``failing``: the sides that do."""
        return self._key("probes")

    @property
    def dead(self) -> str:
        """Stream of pairs that no scorer could read (field ``p``, field ``why``); bounded."""
        return self._key("dead")

    def written(self, source: str) -> str:
        """String with a TTL; the number of the last outcomes that ``source`` wrote: a repeated write is none."""
        return self._key(f"written:{source}")

    @property
    def queue(self) -> str:
        """Hash; ``acked``: pairs that scorers acknowledged; the other fields: scoring/worker/redis_scripts.py."""
        return self._key("queue")

    def noise(self, baseline: str) -> str:
        """Hash; how often that backend's answers diverge from each other: pairs, agreement_sum, trip:<signal>."""
        return self._key(f"noise:{baseline}")

    def done(self, pair_id: str) -> str:
        """String with a TTL; there once the pair's result is written."""
        return self._key(f"done:{pair_id}")


LEASE = f"{PREFIX}:lease"
FENCE = f"{PREFIX}:fence"


def lease_key(group: str) -> str:
    """String with a TTL: which scorer of ``scorer.group`` steers."""
    return f"{LEASE}:{group}" if group else LEASE


def fence_key(group: str) -> str:
    """Counter: the term of that scorer."""
    return f"{FENCE}:{group}" if group else FENCE


# Envoy runtime keys.


def weight_prefix(workload: str) -> str:
    """``runtime_key_prefix`` of the workload's weighted clusters; Envoy appends ``.<cluster>``."""
    return f"{PREFIX}.{workload}.weight"


def weight_key(workload: str, cluster: str) -> str:
    return f"{weight_prefix(workload)}.{cluster}"


def shadow_key(workload: str) -> str:
    """Percent of requests whose bodies are captured and teed, 0 to 100."""
    return f"{PREFIX}.{workload}.shadow"


def autopilot_key(workload: str) -> str:
    """0: a person has switched the automation off by curl; 1 or absent: on."""
    return f"{PREFIX}.{workload}.autopilot"


# Envoy names.


def fallback_cluster(candidate: str, baseline: str) -> str:
    """The composite cluster that tries the candidate, then the baseline; the candidate's entry in the split.

    See ADR 0003.
    """
    return f"{candidate}-or-{baseline}"


def rescue_cluster(candidate: str, baseline: str) -> str:
    """The composite's second member: the baseline's endpoints under a name that says a failover happened."""
    return f"{baseline}-for-{candidate}"


ROUTE_PREFIX = "glidepath/"


def route_name(workload: str, captured: bool) -> str:
    """``glidepath/<workload>/captured`` or ``…/plain``: how extproc and the access log know the workload."""
    return f"{ROUTE_PREFIX}{workload}/{'captured' if captured else 'plain'}"


def shadow_route_name(workload: str, backend: str) -> str:
    return f"{ROUTE_PREFIX}{workload}/shadow/{backend}"


def workload_of_route(name: str) -> str | None:
    """The workload in a route's name, or None for somebody else's route."""
    if not name.startswith(ROUTE_PREFIX):
        return None
    return name.removeprefix(ROUTE_PREFIX).split("/", 1)[0] or None


EXTPROC_CLUSTER = "glidepath-extproc"
RTDS_CLUSTER = "glidepath-rtds"
RTDS_LAYER = "glidepath"
LIVE_LOG = "glidepath-live"
SHADOW_LOG = "glidepath-shadow"
CHOSEN_CLUSTER_TAG = "chosen_cluster"  # custom tag of both logs: the split's choice, even where no host was reached

# Headers between the tee and the shadow listener; removed before a backend sees the request.
HEADER_WORKLOAD = "x-glidepath-workload"
HEADER_TARGET = "x-glidepath-target"
HEADER_ORIGIN = "x-glidepath-origin"

PROBE_STICKY = "glidepath-probe"  # all probes are one user's: evidence discounts what one user says often

# The cluster that the split chose, for an extproc whose filter may not read xds.cluster_name; set by Envoy itself over
# whatever a client sent, removed before a backend sees the request.
HEADER_CLUSTER = "x-glidepath-cluster"

# Never read, stored or sent to the other side.
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
# The same in a query string, compared in lower case.
CREDENTIAL_PARAMETERS = ("key", "api_key", "api-key", "apikey", "access_token", "token", "sig", "signature")
