"""What is teed, and where to: pure, and the same answer for the same request on every extproc."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode

from extproc.exchange import Exchange
from extproc.workloads import Lane
from glidepath import keys
from glidepath.domain import Coverage, PairKind, Side

# The last segments of paths that compute an answer and change nothing.
INFERENCE = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/messages",
    "/moderations",
    "/generate",
    "/generate_stream",
    "/infer",
    "/predict",
    "/rerank",
    "/score",
    "/classify",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/invoke",
    "/converse",
    "/invoke-with-response-stream",
    "/converse-stream",
    ":generateContent",
    ":streamGenerateContent",
    ":embedContent",
    ":batchEmbedContents",
    ":predict",
)
# A path with one of these segments keeps something on the server, whatever it ends in.
STATEFUL = frozenset(
    {
        "assistants",
        "batches",
        "containers",
        "conversations",
        "files",
        "fine_tuning",
        "fine-tunes",
        "runs",
        "threads",
        "uploads",
        "vector_stores",
    }
)
# Query parameters that carry a credential; never kept, never sent on.
SECRET_PARAMETERS = frozenset(keys.CREDENTIAL_PARAMETERS)


@dataclass(frozen=True, slots=True)
class Order:
    """One copy to send: to ``backend``, which stands for ``side``."""

    kind: PairKind
    side: Side
    backend: str


@lru_cache(1024)
def is_idempotent_inference(method: str, path: str, exact: str | None) -> bool:
    """Whether a request may be sent twice: POST to a known inference path, or to the workload's own exact one."""
    bare = path.partition("?")[0].rstrip("/")
    if method != "POST" or not path.startswith("/") or not STATEFUL.isdisjoint(bare.split("/")):
        return False
    return bare.endswith(INFERENCE) or (exact is not None and bare == exact.rstrip("/"))


def share_of(request_id: str, salt: str) -> float:
    """A number in [0, 100) that depends on the id and the salt only."""
    digest = hashlib.blake2b(f"{salt}:{request_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") * 100 / 2**64


def plan(lane: Lane, exchange: Exchange, request_id: str) -> tuple[tuple[Order, ...], Coverage | None]:
    """The copies to send once the request is complete, and why there is no CROSS one among them (None: there is)."""
    request = exchange.request
    served = lane.clusters.get(request.cluster) if request else None
    if request is None or served is None or not exchange.request_complete:
        return (), Coverage.NOT_TEED
    path, method = request.headers.get(":path", ""), request.headers.get(":method", "")
    if not is_idempotent_inference(method, path, lane.workload.match.path):
        return (), Coverage.NOT_TEED
    shadow = lane.workload.shadow
    orders: list[Order] = []
    reason: Coverage | None = None
    if served is Side.BASELINE or share_of(request_id, "reverse") < shadow.reverse:
        orders.append(Order(PairKind.CROSS, served.other, lane.backend(served.other)))
    else:
        reason = Coverage.SAMPLED_OUT
    # The noise floor is how far the *baseline* agrees with itself (STATISTICS: S₀); the candidate's own is not asked.
    if served is Side.BASELINE and share_of(request_id, "same-side") < shadow.same_side:
        orders.append(Order(PairKind.NOISE, served, lane.backend(served)))
    return tuple(orders), reason


def without_secrets(path: str) -> str:
    """The path with its query, less the parameters that are credentials."""
    bare, mark, query = path.partition("?")
    if not mark:
        return path
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name.lower() not in SECRET_PARAMETERS]
    if len(kept) == len(pairs):
        return path
    return f"{bare}?{urlencode(kept, quote_via=quote)}" if kept else bare
