"""A record in Redis of the access log entries that Envoys wrote but no extproc received."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from glidepath.errors import InputError


@dataclass(frozen=True, slots=True)
class UnseenRecord:
    """Counts of access log entries from ``since_ms`` to ``at_ms`` (Unix milliseconds).

    ``produced``: the entries that all Envoys wrote or dropped, by their own counters.
    ``unseen``: the minimum number of them that reached no extproc. No gate knows their outcomes.
    ``silent``: the Envoys whose counters cannot be read, as text.
    """

    produced: int = 0
    unseen: int = 0
    since_ms: int = 0
    at_ms: int = 0
    silent: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> UnseenRecord:
        """Return the record in a JSON text. Raises InputError for invalid text."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise InputError(f"not a record of unseen access log entries: {error}") from error
