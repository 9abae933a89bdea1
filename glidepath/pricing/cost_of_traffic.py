"""What requests cost of which only a part of the answers has known tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from glidepath.pricing.price_of_tokens import Cost, price_of_all
from glidepath.pricing.price_tables import PriceTable
from glidepath.side_traffic import Sent

GIGABYTE = Decimal(10**9)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class TrafficCost:
    """The cost of answered requests at one side.

    - ``requests``: how many; ``known``: of how many answers the tokens are known; ``measured``: stated by the backend
    - ``amount``: the price of their tokens: the mean of the known answers times ``requests``
    - ``unpriced``: the requests whose price is unknown or lacks a part
    - ``of_known``: the price of the known answers alone, with what it lacks
    - ``egress``: the price of the bytes that were sent
    """

    requests: int = 0
    known: int = 0
    measured: int = 0
    amount: Decimal = ZERO
    unpriced: int = 0
    egress: Decimal = ZERO
    of_known: Cost = field(default_factory=Cost)

    @property
    def mean(self) -> Decimal | None:
        """What a request costs in the mean, without egress; None if that is not known."""
        if self.known > self.of_known.unpriced_answers:
            return self.of_known.amount / self.known
        return ZERO if self.requests and not self.unpriced else None  # a backend that costs by time only

    @property
    def is_unknown(self) -> bool:
        """Whether no request has a full price, so that the amount says nothing."""
        return self.requests > 0 and self.unpriced >= self.requests

    @property
    def mean_egress(self) -> Decimal:
        return self.egress / self.requests if self.requests else ZERO

    def __add__(self, other: TrafficCost) -> TrafficCost:
        return TrafficCost(
            self.requests + other.requests,
            self.known + other.known,
            self.measured + other.measured,
            self.amount + other.amount,
            self.unpriced + other.unpriced,
            self.egress + other.egress,
            self.of_known + other.of_known,
        )


def cost_of_traffic(sent: Sent, table: PriceTable, unseen: int = 0) -> TrafficCost:
    """Return what was sent to a side costs. ``unseen``: further requests of which nothing else is known."""
    cost = price_of_all(sent.usage, table)
    requests = sent.counted + unseen
    if not cost.answers:
        # Of a backend that costs only by time, no request has a price, so none is missing.
        unpriced = 0 if table.by_time and not table.tokens else requests
        return TrafficCost(requests, unpriced=unpriced, egress=_egress(sent, table, requests), of_known=cost)
    amount = cost.amount * requests / cost.answers
    unpriced = round(Decimal(cost.unpriced_answers) * requests / cost.answers)
    egress = _egress(sent, table, requests)
    return TrafficCost(requests, cost.answers, sent.measured, amount, unpriced, egress, cost)


def _egress(sent: Sent, table: PriceTable, requests: int) -> Decimal:
    bytes_sent = Decimal(sent.sent_bytes)
    if sent.requests:
        bytes_sent = bytes_sent * requests / sent.requests
    return table.egress * bytes_sent / GIGABYTE
