"""Says what the status of a gRPC answer in an access log entry means, as an HTTP status does for other answers.

The HTTP status of a gRPC answer is 200 even if the call failed. The status of the call is in the trailers, or in the
headers if the answer has no message.
"""

from __future__ import annotations

from enum import IntEnum

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from glidepath.call_classes import is_grpc_content_type

STATUS = "grpc-status"


class GrpcStatus(IntEnum):
    """The statuses of gRPC calls (https://grpc.io/docs/guides/status-codes/)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


DENIED = frozenset({GrpcStatus.PERMISSION_DENIED, GrpcStatus.UNAUTHENTICATED})
# The client's fault, as a 4xx is.
GRPC_REFUSALS = DENIED | {
    GrpcStatus.INVALID_ARGUMENT,
    GrpcStatus.NOT_FOUND,
    GrpcStatus.ALREADY_EXISTS,
    GrpcStatus.FAILED_PRECONDITION,
    GrpcStatus.OUT_OF_RANGE,
}
# The server had no time, or too many requests, or stopped the call. (A client that cancels a call leaves: the entry
# then shows that it left, and no status of a server.)
WITHOUT_CAPACITY = frozenset(
    {
        GrpcStatus.CANCELLED,
        GrpcStatus.DEADLINE_EXCEEDED,
        GrpcStatus.RESOURCE_EXHAUSTED,
        GrpcStatus.UNAVAILABLE,
    }
)


def logged_grpc_status(entry: HTTPAccessLogEntry) -> GrpcStatus | None:
    """Return the status of a gRPC answer, or None if the answer is not gRPC, or has no known status."""
    response = entry.response
    if not is_grpc_content_type(response.response_headers.get("content-type", "")):
        return None
    text = response.response_trailers.get(STATUS) or response.response_headers.get(STATUS) or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= max(GrpcStatus)):
        return None
    return GrpcStatus(int(text))


def error_of_grpc_status(status: GrpcStatus | None, *, denies_own_credential: bool) -> str:
    """Return the kind of error that a status of the side means, or "" if it is not an error by itself.

    ``denies_own_credential``: whether the backend never gets the client's own credential, so that to deny it is the
    side's error.
    """
    if status is None or status is GrpcStatus.OK:
        return ""
    if status in GRPC_REFUSALS and not (status in DENIED and denies_own_credential):
        return ""
    return f"grpc_{status.name.lower()}"
