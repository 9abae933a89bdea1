"""The record in Redis of access log entries that Envoys produced and that reached no extproc."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from glidepath.errors import InputError


@dataclass(frozen=True, slots=True)
class UnseenRecord:
    """Counts since ``since_ms`` (Unix time), at ``at_ms``.

    ``produced``: entries that all Envoys wrote or dropped, by their own counters. ``unseen``: of these, at least so
    many reached no extproc, so no gate knows the outcomes. ``silent``: Envoys whose counters cannot be read, in words.
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
