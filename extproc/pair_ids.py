"""The ids of pairs: those of requests, made unique."""

from __future__ import annotations

import uuid
from collections import OrderedDict

MAX_ID = 128  # characters; a longer id of a client is replaced
RECENT_IDS = 10_000  # ids of exchanges that are remembered, so that two pairs never have the same


class PairIds:
    """Gives each exchange of one process an id that none had lately. A client may give each attempt the same id."""

    def __init__(self) -> None:
        self._recent: OrderedDict[str, None] = OrderedDict()

    def unique(self, request_id: str) -> str:
        """Return the id for an exchange, with a suffix if another had it lately."""
        if request_id in self._recent:
            return f"{request_id}~{uuid.uuid4().hex[:8]}"
        self._recent[request_id] = None
        if len(self._recent) > RECENT_IDS:
            self._recent.popitem(last=False)
        return request_id


def usable_id(sent: str) -> str:
    """Return the id that a request has, or a new one if it is empty, too long or unprintable."""
    return sent if 0 < len(sent) <= MAX_ID and sent.isprintable() else str(uuid.uuid4())
