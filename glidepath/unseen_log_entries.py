"""A record in Redis of the access log entries that Envoys wrote but no extproc received."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from glidepath.errors import InputError

RECENT_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class UnseenRecord:
    """Counts of access log entries from ``since_ms`` to ``at_ms`` (Unix milliseconds).

    ``produced``: the entries that all Envoys wrote or dropped, by their own counters.
    ``unseen``: the minimum number of them that reached no extproc. No gate knows their outcomes.
    ``silent``: the Envoys whose counters cannot be read, as text.
    ``lost_ms``: when ``unseen`` grew for the last time; 0 if this is unknown.
    """

    produced: int = 0
    unseen: int = 0
    since_ms: int = 0
    at_ms: int = 0
    silent: str = ""
    lost_ms: int = 0

    @property
    def text(self) -> str:
        """The number of unseen entries, and the time of the last loss if it is known."""
        last = datetime.fromtimestamp(self.lost_ms / 1000, UTC)
        when = f", the last at {last:%Y-%m-%d %H:%M} UTC" if self.lost_ms else ""
        return f"{self.unseen} of {self.produced} access log entries reached no extproc{when}"

    def is_recent(self) -> bool:
        """Return whether entries may have been lost in the day before the last count."""
        return not self.lost_ms or self.at_ms - self.lost_ms < RECENT_MS

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> UnseenRecord:
        """Return the record in a JSON text. Raises InputError for invalid text."""
        try:
            known = {one.name for one in fields(cls)}
            return cls(**{name: value for name, value in dict(json.loads(text)).items() if name in known})
        except (TypeError, ValueError) as error:
            raise InputError(f"not a record of unseen access log entries: {error}") from error
