"""Names that Envoy's configuration and Glidepath's processes share: clusters, routes, access logs, headers."""

from __future__ import annotations


def fallback_cluster(candidate: str, baseline: str) -> str:
    """Return the name of the composite cluster that tries the candidate and, if that fails, the baseline.

    The weighted split sends the candidate's share of requests to this cluster. See ADR 0003.
    """
    return f"{candidate}-or-{baseline}"


def rescue_cluster(candidate: str, baseline: str) -> str:
    """Return the name of the cluster that serves requests that failed at the candidate.

    The cluster is the second member of the composite cluster (see ``fallback_cluster``), and its endpoints are those of
    the baseline. In the access log, its name marks a failover.
    """
    return f"{baseline}-for-{candidate}"


ROUTE_PREFIX = "glidepath/"


def route_name(workload: str, captured: bool) -> str:
    """Return the name of a route: ``glidepath/<workload>/captured`` or ``glidepath/<workload>/plain``.

    Requests on a captured route pass through extproc, which reads the workload from the route's name.
    """
    return f"{ROUTE_PREFIX}{workload}/{'captured' if captured else 'plain'}"


def shadow_route_name(workload: str, backend: str) -> str:
    return f"{ROUTE_PREFIX}{workload}/shadow/{backend}"


def workload_of_route(name: str) -> str | None:
    """Return the workload in the name of a route, or None if Glidepath did not create the route."""
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

PROBE_STICKY = "glidepath-probe"  # sticky value of all probes, so that they count as one user

# Header with the cluster that the split chose, for an ext_proc filter that cannot send the attribute xds.cluster_name.
# Envoy overwrites a client's value, and removes the header before a backend sees the request.
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
