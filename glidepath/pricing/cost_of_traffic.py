"""The cost of requests if the tokens of only a part of the answers are known."""

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

    - ``requests``: the number of requests
    - ``known``, ``measured``: the number of answers with known tokens, and those whose tokens the backend stated
    - ``by_tokenizer``: the number of answers whose tokens the tokenizer of the model counted
    - ``amount``: the price of all tokens: the mean of the known answers times ``requests``
    - ``unpriced``: the number of requests whose price is unknown or incomplete
    - ``of_known``: the price of the known answers alone, and the tokens without a price
    - ``egress``: the price of the bytes that were sent
    """

    requests: int = 0
    known: int = 0
    measured: int = 0
    amount: Decimal = ZERO
    unpriced: int = 0
    egress: Decimal = ZERO
    of_known: Cost = field(default_factory=Cost)
    by_tokenizer: int = 0

    @property
    def mean(self) -> Decimal | None:
        """The mean cost of a request, without egress; None if it is unknown."""
        if self.known > self.of_known.unpriced_answers:
            return self.of_known.amount / self.known
        return ZERO if self.requests and not self.unpriced else None  # a backend that costs by time only

    @property
    def is_unknown(self) -> bool:
        """Whether no request has a complete price, so that ``amount`` is meaningless."""
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
            self.by_tokenizer + other.by_tokenizer,
        )


def cost_of_traffic(sent: Sent, table: PriceTable, unseen: int = 0) -> TrafficCost:
    """Return the cost of the traffic to a side. ``unseen``: the number of further requests without any other data."""
    cost = price_of_all(sent.usage, table)
    requests = sent.counted + unseen
    if not cost.answers:
        # If a backend costs only by time, its requests have no price, so no price is missing.
        unpriced = 0 if table.by_time and not table.tokens else requests
        return TrafficCost(requests, unpriced=unpriced, egress=_egress(sent, table, requests), of_known=cost)
    amount = cost.amount * requests / cost.answers
    unpriced = round(Decimal(cost.unpriced_answers) * requests / cost.answers)
    egress = _egress(sent, table, requests)
    return TrafficCost(requests, cost.answers, sent.measured, amount, unpriced, egress, cost, sent.by_tokenizer)


def _egress(sent: Sent, table: PriceTable, requests: int) -> Decimal:
    bytes_sent = Decimal(sent.sent_bytes)
    if sent.requests:
        bytes_sent = bytes_sent * requests / sent.requests
    return table.egress * bytes_sent / GIGABYTE
