"""Names that Envoy's configuration and Glidepath's processes share: clusters, routes, access logs, headers."""

from __future__ import annotations

import hashlib


def fallback_cluster(candidate: str, baseline: str) -> str:
    """Return the name of the aggregate cluster that tries the candidate and, if that fails, the baseline.

    The weighted split sends the candidate's share of requests to this cluster. See ADR 0003.
    """
    return f"{candidate}-or-{baseline}"


ROUTE_PREFIX = "glidepath/"


def companion_route_name(workload: str) -> str:
    """Return the name of the route for calls on a workload's paths that are not inference."""
    return f"{ROUTE_PREFIX}{workload}/companion"


def pinned_route_name(workload: str) -> str:
    """Return the name of the route for a workload's inference calls that are not split."""
    return f"{ROUTE_PREFIX}{workload}/pinned"


def reading_route_name(workload: str) -> str:
    """Return the name of the route on which Envoy reads a request before it chooses the request's final route."""
    return f"{ROUTE_PREFIX}{workload}/read"


UNMATCHED_ROUTE = "unmatched"  # the route for requests that no other route matches
REFUSED_METHOD_ROUTE = "refused-method"  # the route that refuses methods which no backend may get


def hop(backend: str) -> str:
    """Return the name of the internal listener that leads to a backend. The listener's cluster has the same name."""
    return f"glidepath-to-{backend}"


def route_name(workload: str) -> str:
    """Return the name that Glidepath gives to a workload's route. The user's own routes keep their names."""
    return f"{ROUTE_PREFIX}{workload}"


def lost_route_name(workload: str) -> str:
    """Return the name of the route that serves a workload from the baseline while its split has no lease."""
    return f"{ROUTE_PREFIX}{workload}/lost"


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
ROUTE_SERVED = "served"  # in the metadata of a route: its served digest (glidepath/served_digest.py)


AS_SENT_STATE = "glidepath.as_sent"  # filter state of a request whose body no filter may read or change

EXTPROC_CLUSTER = "glidepath-extproc"
ACCESS_LOG_CLUSTER = "glidepath-access-log"  # leads to extproc, too, but with its own limits (ADR 0150)
RTDS_CLUSTER = "glidepath-rtds"
RTDS_LAYER = "glidepath"
LEASE_LAYER = "glidepath-lease"  # a prefix; the rest is the time to live of the layer (split_leases.py)
LEASE_DRILL_LAYER = "glidepath-lease-drill"
LIVE_LOG = "glidepath-live"
SHADOW_LOG = "glidepath-shadow"
# Custom tag of both access logs: the cluster that the split chose, even if no host was reached.
CHOSEN_CLUSTER_TAG = "chosen_cluster"
# Custom tag of the live access log: set if the split chose the candidate's entry, even if Envoy has no such cluster.
CHOSEN_ENTRY_TAG = "chosen_entry"
BACKEND_TAG = "backend"  # custom tag of both access logs: the backend that the endpoint names, if it names one
SERVED_TAG = "served"  # custom tag of both access logs: the digest that the route carries
NOT_RENAMED_TAG = "not_renamed"  # custom tag of the live log: why the model in the body was not replaced
REFUSED_TAG = "refused"  # custom tag of the live log: the 3xx or 4xx after which the baseline was asked
STRIPPED_TAG = "stripped"  # custom tag of the live log: the backend that got no reasoning of another server
# Custom tag of both access logs: µs from the first byte of the request to the first byte of the answer's body.
BODY_BEGIN_TAG = "body_begin_us"
WORKLOAD_TAG = "workload"  # custom tag of the live access log: the workload of the route
# Custom tag of the live access log, and filter state: the client's values of the headers that identify callers, one per
# line, in the order of glidepath.inventory.callers.CallerNames.sources. The state is never sent to a backend.
CALLER_TAG, CALLER_STATE = "caller", "glidepath.caller"

# Headers that the tee sends to the shadow listener. They are removed before a backend sees the request. Envoy sends the
# first one to extproc too, in the metadata of each ext_proc stream.
HEADER_WORKLOAD = "x-glidepath-workload"
# The served digest of the route, in the metadata of a stream and in the answers of the shadow listener.
HEADER_SERVED = "x-glidepath-served"
HEADER_REQUEST_ID = "x-glidepath-request-id"  # only in the metadata of a stream: Envoy's own id of the request
HEADER_STARTED = "x-glidepath-started"  # only in the metadata of a stream: when Envoy received the request, in Unix ns
HEADER_TARGET = "x-glidepath-target"
HEADER_ORIGIN = "x-glidepath-origin"

# Request header that the candidate's entry of a split sets for the access log. It is removed before a backend sees it.
HEADER_CHOSEN_ENTRY = "x-glidepath-chosen-entry"

# Dynamic metadata with the facts about a request that Envoy has read (read_request.lua; docs/architecture.md).
REQUEST_FACTS = "glidepath.request"
PINNED_TAG = "pinned"  # custom tag of the live log: the workload of a request that its baseline serves without a split
PINNED_WHY_TAG = "pinned_why"  # custom tag of the live log: why
PINNED_BY_ROUTE_TAG = "pinned_by_route"  # custom tag of the live log: the reason that the route gives
ROUTE_PINNED_WHY = "pinned_why"  # in a route's metadata: why it pins its requests, if the facts do not show it
ROUTE_PINNED = "pinned"  # in the metadata of a route: the workload whose pinned requests it takes


def sticky_header(key: str) -> str:
    """Return the request header into which Envoy puts a sticky value of the body.

    ``key``: the key of the body that has the value; "": the conversation. The header exists only inside Envoy. Its name
    contains a digest of the key, because keys are case-sensitive and header names are not.
    """
    return f"x-glidepath-by-{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}" if key else _CONVERSATION


def copy_of_sticky_header(name: str) -> str:
    """Return the request header into which Envoy copies the value of a sticky header, if the value is not empty.

    A hash of the original header would send all requests with an empty value to one side.
    """
    return f"x-glidepath-of-{hashlib.blake2b(name.lower().encode(), digest_size=4).hexdigest()}"


_CONVERSATION = "x-glidepath-conversation"
HEADER_SERVED_BY = "x-glidepath-served-by"  # of answers to clients, with envoy.served_by: the backend that answered

PROBE_STICKY = "glidepath-probe"  # sticky value of all probes, so that they count as one user

# Header that exists only inside Envoy: the backend of the endpoint that Envoy has chosen for the current attempt.
HEADER_BACKEND = "x-glidepath-backend"

# The only request headers of the client that are copied to the other side. Envoy adds the credentials.
COPIED_HEADERS = (
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-encoding",
    "content-type",
    "inference-header-content-length",  # Triton: where the binary tensors begin
    "openai-beta",
    "traceparent",
    "tracestate",
    "x-request-id",
)
# The only headers of a client that reach a candidate whose credential Envoy adds, besides those of ``pass_headers``.
# The candidate is another party: a header of an unknown name can hold a credential, a session or a user's address.
PASSED_HEADERS = (
    *COPIED_HEADERS,
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "b3",
    "cache-control",
    "connection",
    "content-language",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "prefer",
    "priority",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-client-request-id",
    "x-goog-api-client",
)
PASSED_PREFIXES = ("grpc-", "x-b3-", "x-stainless-")
# The headers that extproc reads, besides the sticky headers. Envoy sends no other headers to extproc.
READ_REQUEST_HEADERS = (":method", ":path", *COPIED_HEADERS)
READ_RESPONSE_HEADERS = (":status", "content-encoding", "content-type", "retry-after")

# Headers with a credential, or with a proof of the caller's identity. They are never read, stored or copied. A side
# with no right to the client's credential does not get them.
CREDENTIAL_HEADERS = (
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "set-cookie",
    "x-amz-security-token",
    "apikey",
    "x-apikey",
    "x-api-token",
    "x-access-token",
    "x-auth-token",
    "x-authorization",
    "x-id-token",
    "x-secret-key",
    "x-csrf-token",
    "x-xsrf-token",
    "private-token",
    "dpop",
    "ocp-apim-subscription-key",
    "x-functions-key",
    "x-ms-token-aad-access-token",
    "x-ms-token-aad-id-token",
    "x-amzn-oidc-accesstoken",
    "x-amzn-oidc-data",
    "x-goog-iap-jwt-assertion",
    "x-goog-iam-authorization-token",
    "x-serverless-authorization",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "cf-access-client-id",
    "cf-access-client-secret",
    "cf-access-jwt-assertion",
    "cf-access-token",
    "cf-aig-authorization",
    "helicone-auth",
    "x-portkey-api-key",
    "x-portkey-virtual-key",
    "x-litellm-api-key",
    "x-rapidapi-key",
    "x-subscription-token",
    "x-vault-token",
)
# Query parameters with a credential, in lower case. They are removed for a baseline with its own credential. For
# storage, copies and candidates, glidepath.query_parameters decides instead.
CREDENTIAL_PARAMETERS = (
    "access-token",
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth",
    "auth_token",
    "authorization",
    "client_secret",
    "code",
    "credential",
    "id_token",
    "jwt",
    "key",
    "ocp-apim-subscription-key",
    "password",
    "private_token",
    "refresh_token",
    "secret",
    "session",
    "sig",
    "signature",
    "subscription-key",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-api-key",
    "x-goog-credential",
    "x-goog-signature",
)
