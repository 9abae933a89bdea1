"""Chooses which copies of a request are sent, and to which backends.

All extproc processes make the same choice for the same request.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from extproc.content_coding import decode
from extproc.copyable_bodies import reason_not_to_copy
from extproc.exchange import Exchange
from extproc.extproc_errors import DecodeError
from extproc.opt_out import sides_kept_out
from extproc.requests_with_credentials import gives_a_credential
from extproc.workloads import WorkloadInfo
from glidepath.call_classes import is_grpc_content_type, may_be_copied
from glidepath.outcome_summaries import Coverage
from glidepath.pairs import PairKind
from glidepath.sides import Side


@dataclass(frozen=True, slots=True)
class PlannedCopy:
    """A copy to send: the side and the backend that get it."""

    kind: PairKind
    side: Side
    backend: str


def share_of(request_id: str, salt: str) -> float:
    """Return a number in [0, 100) that depends only on the request id and the salt.

    A request belongs to a sample of P percent if this number is below P.
    """
    digest = hashlib.blake2b(f"{salt}:{request_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") * 100 / 2**64


def readable_body(exchange: Exchange) -> bytes | None:
    """Return the body of a request without its content encoding, or None if it cannot be decoded completely."""
    body, request = exchange.request_body, exchange.request
    encoding = request.headers.get("content-encoding", "") if request else ""
    if not encoding:
        return body.value()
    try:
        decoded = decode(body.value(), encoding, body.limit)
    except DecodeError:
        return None
    return None if decoded.cut else decoded.data


def plan_copies(
    workload: WorkloadInfo, exchange: Exchange, request_id: str
) -> tuple[tuple[PlannedCopy, ...], Coverage | None]:
    """Return a tuple: the copies to send for a request, and the reason why no CROSS copy is among them.

    The reason is None if there is a CROSS copy.
    """
    request = exchange.request
    served = workload.clusters.get(request.cluster) if request else None
    if request is None or served is None or not exchange.request_complete:
        return (), Coverage.NOT_TEED
    path, method = request.headers.get(":path", ""), request.headers.get(":method", "")
    if not may_be_copied(method, path, workload.settings.match.path):
        return (), Coverage.NOT_TEED
    if is_grpc_content_type(request.headers.get("content-type", "")):
        return (), Coverage.GRPC
    shadow = workload.settings.shadow
    kept_out = sides_kept_out(shadow.opt_out, request.headers)
    sampled_out = served is Side.CANDIDATE and share_of(request_id, "reverse") >= shadow.reverse
    if sampled_out and served.other not in kept_out:
        return (), Coverage.SAMPLED_OUT  # before the body is searched: most of the candidate's requests may end here
    body = readable_body(exchange)
    if body is None or gives_a_credential(body):
        return (), Coverage.GIVES_CREDENTIAL
    limited = workload.limited_candidate if served is Side.BASELINE else None
    refusal = reason_not_to_copy(body, limited, stateless=workload.settings.stateless)
    if refusal is not None:
        return (), refusal
    planned_copies: list[PlannedCopy] = []
    reason: Coverage | None = None
    if served.other in kept_out:
        reason = Coverage.OPTED_OUT
    else:
        planned_copies.append(PlannedCopy(PairKind.CROSS, served.other, workload.backend(served.other)))
    # The noise floor compares the baseline with itself; the candidate is never compared with itself.
    noise = served is Side.BASELINE and served not in kept_out
    if noise and share_of(request_id, "same-side") < shadow.same_side:
        planned_copies.append(PlannedCopy(PairKind.NOISE, served, workload.backend(served)))
    return tuple(planned_copies), reason
