"""Makes unique pair ids from the ids of requests."""

from __future__ import annotations

import uuid
from collections import OrderedDict

MAX_ID = 128  # characters; a longer id of a client is replaced
RECENT_IDS = 10_000  # ids of exchanges that are remembered, so that two pairs never have the same id


class PairIds:
    """Gives each exchange of one process an id that differs from recent ids. (A client may repeat a request's id.)"""

    def __init__(self) -> None:
        self._recent: OrderedDict[str, None] = OrderedDict()

    def unique(self, request_id: str) -> str:
        """Return the request's id, with a random suffix if another recent exchange has the same id."""
        if request_id in self._recent:
            return f"{request_id}~{uuid.uuid4().hex[:8]}"
        self._recent[request_id] = None
        if len(self._recent) > RECENT_IDS:
            self._recent.popitem(last=False)
        return request_id


def usable_id(sent: str) -> str:
    """Return the id that the client sent, or a new id if it is empty, too long or unprintable."""
    return sent if 0 < len(sent) <= MAX_ID and sent.isprintable() else str(uuid.uuid4())
