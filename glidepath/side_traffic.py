"""The requests, tokens and bytes of one side in a period, from which its costs are computed.

The history stores this record (``history.py``), and the cost model reads it (``glidepath/pricing/``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glidepath.errors import InputError
from glidepath.token_usage import COUNTS, ServiceTier, TokenSource, TokenUsage, counts_of, merged


@dataclass(frozen=True, slots=True)
class Sent:
    """Answered requests, the length of their bodies, and the tokens of the captured answers."""

    requests: int = 0
    sent_bytes: int = 0
    usage: tuple[TokenUsage, ...] = ()

    def __add__(self, other: Sent) -> Sent:
        usage = merged((*self.usage, *other.usage)) if self.usage and other.usage else self.usage or other.usage
        return Sent(self.requests + other.requests, self.sent_bytes + other.sent_bytes, usage)

    @property
    def answers(self) -> int:
        """The number of answers with known tokens."""
        return sum(usage.answers for usage in self.usage)

    @property
    def counted(self) -> int:
        """The number of requests in the access log, or the number of answers with known tokens if that is larger."""
        return max(self.requests, self.answers)

    @property
    def measured(self) -> int:
        """The number of answers whose tokens the backend itself stated."""
        return self._answers_by(TokenSource.MEASURED)

    @property
    def by_tokenizer(self) -> int:
        """The number of answers whose tokens the tokenizer of the model counted."""
        return self._answers_by(TokenSource.COUNTED)

    def _answers_by(self, source: TokenSource) -> int:
        return sum(usage.answers for usage in self.usage if usage.source is source)


NOTHING_SENT = Sent()
# Stored traffic contains the index of a source or tier in these tuples, so new ones may only be appended.
_SOURCES = (TokenSource.MEASURED, TokenSource.COUNTED, TokenSource.ESTIMATED)
_TIERS = (ServiceTier.STANDARD, ServiceTier.BATCH, ServiceTier.PRIORITY)


@dataclass(frozen=True, slots=True)
class SideTraffic:
    """The traffic to one side: clients' requests (``live``), and copies and probes (``copies``)."""

    live: Sent = NOTHING_SENT
    copies: Sent = NOTHING_SENT

    def __add__(self, other: SideTraffic) -> SideTraffic:
        return SideTraffic(self.live + other.live, self.copies + other.copies)


NO_TRAFFIC = SideTraffic()


def traffic_to_json(traffic: SideTraffic) -> list[Any]:
    return [_sent_to_json(traffic.live), _sent_to_json(traffic.copies)]


def traffic_from_json(raw: Any) -> SideTraffic:
    """Return the traffic from the JSON values that ``traffic_to_json`` returned. Raises InputError for other values."""
    try:
        live, copies = raw
        return SideTraffic(_sent_from_json(live), _sent_from_json(copies))
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"not the traffic of a period: {error}") from error


def _sent_to_json(sent: Sent) -> list[Any]:
    return [sent.requests, sent.sent_bytes, [_usage_to_json(one) for one in sent.usage]]


def _usage_to_json(usage: TokenUsage) -> list[int]:
    """Return the indices of source and tier, the number of answers, and the counts. Zeros at the end are left out."""
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
        raise ValueError(f"{number!r} is not a count")
    return number
