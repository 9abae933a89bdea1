"""The legal transitions: which messages are allowed in which state of a request and of its answer.

Every other message is an error. The theory is in ``exchange.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto


class _IdentityHashEnum(Enum):
    """An Enum whose members are hashed by identity, in C.

    This is faster than the hash of Enum, which matters because every message needs several lookups by member.
    """

    __hash__ = object.__hash__


class Half(_IdentityHashEnum):
    REQUEST = auto()
    RESPONSE = auto()


class HalfState(_IdentityHashEnum):
    WAITING = auto()
    OPEN = auto()
    DONE = auto()


class MessageKind(_IdentityHashEnum):
    """The kind of an ext_proc message.

    A kind that ends with ``_END`` has ``end_of_stream`` set. EMPTY and EMPTY_END are body chunks without bytes.
    """

    INFORMATIONAL = auto()  # headers of a 1xx answer
    HEADERS = auto()
    HEADERS_END = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    EMPTY = auto()
    EMPTY_END = auto()
    TRAILERS = auto()


# The rows of OPEN and DONE are the same for both halves.
_OPEN: Mapping[MessageKind, HalfState] = {
    MessageKind.CHUNK: HalfState.OPEN,
    MessageKind.CHUNK_END: HalfState.DONE,
    MessageKind.EMPTY: HalfState.OPEN,
    MessageKind.EMPTY_END: HalfState.DONE,
    MessageKind.TRAILERS: HalfState.DONE,
}
_DONE: Mapping[MessageKind, HalfState] = {
    MessageKind.EMPTY: HalfState.DONE,
    MessageKind.EMPTY_END: HalfState.DONE,
}

# All legal transitions.
TRANSITIONS: Mapping[Half, Mapping[HalfState, Mapping[MessageKind, HalfState]]] = {
    Half.REQUEST: {
        HalfState.WAITING: {
            MessageKind.HEADERS: HalfState.OPEN,
            MessageKind.HEADERS_END: HalfState.DONE,
        },
        HalfState.OPEN: _OPEN,
        HalfState.DONE: _DONE,
    },
    Half.RESPONSE: {
        HalfState.WAITING: {
            MessageKind.INFORMATIONAL: HalfState.WAITING,
            MessageKind.HEADERS: HalfState.OPEN,
            MessageKind.HEADERS_END: HalfState.DONE,
        },
        HalfState.OPEN: _OPEN,
        HalfState.DONE: _DONE,
    },
}
