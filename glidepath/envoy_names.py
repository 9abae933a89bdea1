"""Names that Envoy's configuration and Glidepath's processes share: clusters, routes, access logs, headers."""

from __future__ import annotations


def fallback_cluster(candidate: str, baseline: str) -> str:
    """Return the name of the aggregate cluster that tries the candidate and, if that fails, the baseline.

    The weighted split sends the candidate's share of requests to this cluster. See ADR 0003.
    """
    return f"{candidate}-or-{baseline}"


ROUTE_PREFIX = "glidepath/"


def route_name(workload: str) -> str:
    """Return the name that Glidepath gives to a workload's route. A route of the user's own keeps its own name."""
    return f"{ROUTE_PREFIX}{workload}"


def shadow_route_name(workload: str, backend: str) -> str:
    return f"{ROUTE_PREFIX}{workload}/shadow/{backend}"


def workload_of_shadow_route(name: str) -> str | None:
    """Return the workload in the name of a route of the shadow listener, or None for the name of any other route."""
    if not name.startswith(ROUTE_PREFIX):
        return None
    workload, _, rest = name.removeprefix(ROUTE_PREFIX).partition("/")
    return workload if rest.startswith("shadow/") and workload else None


# Namespace of Glidepath's metadata in Envoy: a route names its workload there, and an endpoint names its backend.
METADATA = "glidepath"
ROUTE_WORKLOAD, ENDPOINT_BACKEND = "workload", "backend"


EXTPROC_CLUSTER = "glidepath-extproc"
RTDS_CLUSTER = "glidepath-rtds"
RTDS_LAYER = "glidepath"
LIVE_LOG = "glidepath-live"
SHADOW_LOG = "glidepath-shadow"
# Custom tag of both access logs: the cluster that the split chose, even if no host was reached.
CHOSEN_CLUSTER_TAG = "chosen_cluster"
BACKEND_TAG = "backend"  # custom tag of both access logs: the backend that the endpoint names, if it names one
WORKLOAD_TAG = "workload"  # custom tag of the live access log: the workload of the route

# Headers that the tee sends to the shadow listener. They are removed before a backend sees the request. Envoy sends the
# first one to extproc too, in the metadata of each ext_proc stream.
HEADER_WORKLOAD = "x-glidepath-workload"
HEADER_REQUEST_ID = "x-glidepath-request-id"  # only in the metadata of a stream: Envoy's own id of the request
HEADER_TARGET = "x-glidepath-target"
HEADER_ORIGIN = "x-glidepath-origin"

PROBE_STICKY = "glidepath-probe"  # sticky value of all probes, so that they count as one user

# Header that exists only inside Envoy: the backend of the endpoint that Envoy has chosen for the current attempt.
HEADER_BACKEND = "x-glidepath-backend"

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
