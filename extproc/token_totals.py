"""The tokens of all captured answers since the start of a process, and their cost.

The totals grow with each flush, and the cost is computed at a scrape, so no request waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from extproc.latency_totals import Key
from glidepath.config import Config
from glidepath.metric_families import Family, FamilyTable, MetricDefinition
from glidepath.outcome_summaries import Outcomes
from glidepath.pricing.price_of_tokens import price_of_all
from glidepath.pricing.price_tables import price_table
from glidepath.sides import Side
from glidepath.token_usage import COUNTS, TokenUsage, counts_of, merged

_PLACE = ("workload", "side", "origin")


def _counter(name: str, meaning: str, *labels: str) -> MetricDefinition:
    return MetricDefinition(f"glidepath_extproc_{name}_total", "counter", meaning, (*_PLACE, *labels))


TOKENS = _counter(
    "tokens",
    "Tokens of captured answers; input and output contain the tokens of all other types",
    "type",
)
ANSWERS = _counter("token_answers", "Captured answers whose tokens are counted, by the source of the count", "source")
SPEND = _counter(
    "spend", "What the tokens of captured answers cost (backends.X.price), without GPUs and fixed amounts", "currency"
)
UNPRICED = _counter("unpriced_answers", "Captured answers with tokens that have no price")
DEFINITIONS = (TOKENS, ANSWERS, SPEND, UNPRICED)


class TokenTotals:
    """The tokens by workload, side and origin, subdivided by source and tier."""

    def __init__(self) -> None:
        self.usage: dict[Key, tuple[TokenUsage, ...]] = {}

    def add(self, flushed: Iterable[Outcomes]) -> None:
        for flush in flushed:
            for one in flush.sides:
                if one.usage:
                    key = (flush.workload, one.side, one.origin)
                    self.usage[key] = merged((*self.usage.get(key, ()), *one.usage))

    def families(self, config: Config) -> Iterator[Family]:
        table = FamilyTable(DEFINITIONS)
        for (workload, side, origin), usages in sorted(self.usage.items()):
            place = (workload, side.value, origin.value)
            for kind, number in zip(COUNTS, map(sum, zip(*map(counts_of, usages), strict=True)), strict=True):
                if number or kind in ("input", "output"):
                    table.add(TOKENS.name, (*place, kind), number)
            for source in sorted({one.source for one in usages}):
                answers = sum(one.answers for one in usages if one.source is source)
                table.add(ANSWERS.name, (*place, source.value), answers)
            _add_spend(table, place, _backend(config, workload, side), usages, config)
        yield from table


def _add_spend(
    table: FamilyTable, place: tuple[str, str, str], backend: str, usages: Iterable[TokenUsage], config: Config
) -> None:
    cost = price_of_all(usages, price_table(config.backends[backend].price))
    table.add(SPEND.name, (*place, config.costs.currency), float(cost.amount))
    table.add(UNPRICED.name, place, cost.unpriced_answers)


def _backend(config: Config, workload: str, side: Side) -> str:
    settings = config.workload(workload)
    return settings.baseline if side is Side.BASELINE else settings.candidate
