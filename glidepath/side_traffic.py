"""What one side was sent and what it answered in a period, as far as it costs money: requests, tokens, bytes.

The history stores it (``history.py``), and the cost model reads it (``glidepath/pricing/``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glidepath.errors import InputError
from glidepath.token_usage import COUNTS, ServiceTier, TokenSource, TokenUsage, counts_of, merged


@dataclass(frozen=True, slots=True)
class Sent:
    """Requests that were answered, the bytes of their bodies, and the tokens of the answers that were captured."""

    requests: int = 0
    sent_bytes: int = 0
    usage: tuple[TokenUsage, ...] = ()

    def __add__(self, other: Sent) -> Sent:
        usage = merged((*self.usage, *other.usage)) if self.usage and other.usage else self.usage or other.usage
        return Sent(self.requests + other.requests, self.sent_bytes + other.sent_bytes, usage)

    @property
    def answers(self) -> int:
        """How many answers have known tokens."""
        return sum(usage.answers for usage in self.usage)

    @property
    def counted(self) -> int:
        """How many requests there were: those that the access log counted, or the known answers if they are more."""
        return max(self.requests, self.answers)

    @property
    def measured(self) -> int:
        """Of how many answers the backend itself stated the tokens."""
        return sum(usage.answers for usage in self.usage if usage.source is TokenSource.MEASURED)


NOTHING_SENT = Sent()
# In stored traffic, a source and a tier are their places here. New ones are appended.
_SOURCES = (TokenSource.MEASURED, TokenSource.COUNTED, TokenSource.ESTIMATED)
_TIERS = (ServiceTier.STANDARD, ServiceTier.BATCH, ServiceTier.PRIORITY)


@dataclass(frozen=True, slots=True)
class SideTraffic:
    """What one side was sent: clients' requests, and copies and probes."""

    live: Sent = NOTHING_SENT
    copies: Sent = NOTHING_SENT

    def __add__(self, other: SideTraffic) -> SideTraffic:
        return SideTraffic(self.live + other.live, self.copies + other.copies)


NO_TRAFFIC = SideTraffic()


def traffic_to_json(traffic: SideTraffic) -> list[Any]:
    return [_sent_to_json(traffic.live), _sent_to_json(traffic.copies)]


def traffic_from_json(raw: Any) -> SideTraffic:
    """Return the traffic in what ``traffic_to_json`` returned. Raises InputError."""
    try:
        live, copies = raw
        return SideTraffic(_sent_from_json(live), _sent_from_json(copies))
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"not the traffic of a period: {error}") from error


def _sent_to_json(sent: Sent) -> list[Any]:
    return [sent.requests, sent.sent_bytes, [_usage_to_json(one) for one in sent.usage]]


def _usage_to_json(usage: TokenUsage) -> list[int]:
    """Return the places of source and tier, the answers, and the counts without the zeros at their end."""
    counts = list(counts_of(usage))
    while counts and counts[-1] == 0:
        counts.pop()
    return [_SOURCES.index(usage.source), _TIERS.index(usage.tier), usage.answers, *counts]


def _sent_from_json(raw: Sequence[Any]) -> Sent:
    requests, sent_bytes, usage = raw
    return Sent(_count(requests), _count(sent_bytes), tuple(map(_usage_from_json, usage)))


def _usage_from_json(raw: Sequence[Any]) -> TokenUsage:
    source, tier, answers, *counts = map(_count, raw)
    if len(counts) > len(COUNTS) or source >= len(_SOURCES) or tier >= len(_TIERS):
        raise ValueError("more counts, sources or tiers than are known")
    tokens: dict[str, Any] = dict(zip(COUNTS, counts, strict=False))
    return TokenUsage(**tokens, source=_SOURCES[source], tier=_TIERS[tier], answers=answers)


def _count(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"{number!r} is no count")
    return number
