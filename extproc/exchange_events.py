"""The events of an exchange, which ``ext_proc_messages.py`` reads from Envoy's messages, and its milestones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from extproc.exchange_transitions import Half


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """Event: the request headers have arrived.

    ``headers``: the allow-listed headers, with names in lower case.
    ``cluster``: Envoy's attribute xds.cluster_name.
    ``end``: True if no body follows.
    """

    headers: Mapping[str, str]
    cluster: str = ""
    end: bool = False


@dataclass(frozen=True, slots=True)
class ResponseHeaders:
    """Event: the headers of the answer have arrived.

    ``attempts``: Envoy's attribute upstream.request_attempt_count.
    ``details``: Envoy's attribute response.code_details.
    ``end``: True if no body follows.
    ``backend``: the backend that the metadata of the answering endpoint names, or "" if it names none.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0
    details: str = ""
    end: bool = False
    backend: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    half: Half
    data: bytes = b""
    end: bool = False


@dataclass(frozen=True, slots=True)
class Trailers:
    half: Half


@dataclass(frozen=True, slots=True)
class Closed:
    """Event: Envoy has half-closed the gRPC stream. No more messages follow."""


Event = RequestHeaders | ResponseHeaders | Chunk | Trailers | Closed


class Milestone(Enum):
    """The milestone that an event reached: none, a complete request, the start of the answer, or the exchange's end."""

    NONE = auto()
    REQUEST_COMPLETE = auto()  # copies may be sent
    ANSWER_BEGUN = auto()  # the headers of the final answer have arrived
    FINISHED = auto()  # the stream may be closed; ``Exchange.ending`` is set
