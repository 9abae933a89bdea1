"""The savings, the payback and the movable share of a report, against an example that was computed by hand."""

from __future__ import annotations

from decimal import Decimal

from glidepath.config import parse_config
from glidepath.history import HistoryPoint, SidePoint
from glidepath.movable_share import COPIES, movable_share
from glidepath.pricing.money_summary import WorkloadHistory, money_summary
from glidepath.side_traffic import Sent, SideTraffic
from glidepath.token_usage import TokenUsage
from glidepath_ops.report.report_facts import ReportFacts, WorkloadFacts
from glidepath_ops.report.to_markdown import to_markdown
from glidepath_ops.report.whole_report import whole_report

HOUR_MS = 3_600_000
T0 = 1_795_996_800_000 // (24 * HOUR_MS) * (24 * HOUR_MS)  # 2026-11-30 00:00 UTC
RAMP_S = 365 / 12 * 86_400 / 10  # a tenth of a month
CONFIG = """
costs: {currency: EUR, migration: 100}
backends:
  cloud: {url: "http://cloud.example", price: {input: 2, output: 10}}
  own: {url: "http://own.example", price: {gpu_hour: 0.1, gpus: 1}}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: own}
"""


def sent(requests: int) -> Sent:
    """Return requests of 1,000 tokens each, with answers of 200."""
    return Sent(requests, 0, (TokenUsage(1000 * requests, 200 * requests, answers=requests),))


def report() -> str:
    """Return the report of two days.

    In each hour, each side serves 100 requests and gets 10 copies. Of 1,000 requests, 100 need state.
    """
    config = parse_config(CONFIG)
    side = SidePoint(traffic=SideTraffic(sent(100), sent(10)))
    points = [HistoryPoint(T0 + hour * HOUR_MS, 3600, 50.0, "baking", side, side) for hour in range(48)]
    movable = movable_share({"needs_state": 100}, {}, {COPIES: 900})
    assert movable is not None
    history = WorkloadHistory("chat", points, 50.0, movable.share, Decimal(0), RAMP_S, "baking")
    workload, now_ms = config.workload("chat"), T0 + 48 * HOUR_MS
    facts = WorkloadFacts(
        "chat", workload, config.backends["cloud"], config.backends["own"], None, points=points, movable=movable
    )
    money = money_summary(config, [history], now_ms)
    return to_markdown(whole_report(ReportFacts(config, "0", now_ms, 0, [facts], money)))


def test_savings_payback_and_movable_share_equal_the_hand_computed_ones() -> None:
    """A request costs 1,000 · 2 / 1e6 + 200 · 10 / 1e6 = 0.004 at the cloud.

    - spent: 4,800 · 0.004 = 19.20; copies: 480 · 0.004 = 1.92; 48 h of a GPU at 0.10: 4.80; together 25.92
    - the cloud alone: 9,600 · 0.004 = 38.40, so 12.48 are saved
    - a month is 730 / 48 = 15.2083 times these two days: 394.20 now, and 584.00 at the cloud alone
    - at the target, 900 of 1,000 requests: 58.40 for those that stay, and 73.00 for the GPU: 131.40, so a month saves
      452.60
    - payback: 100 - 12.48 = 87.52 are missing. The ramp takes 0.1 month, in which 0.1 · (584.00 - 394.20) = 18.98 are
      saved; the other 68.54 take 68.54 / 452.60 = 0.1514 months: 0.2514 months are 7.65 days after 2 December
    """
    text = report()
    assert "| chat | cloud → own | – | – | no evidence yet | 90% | 12.48 | 452.60 |" in text
    assert "Paid off, at expected traffic: 2026-12-10." in text
    for row in (
        "| spent so far: both sides and the migration's running costs | 25.92 |",
        "| the baseline alone would have cost | 38.40 |",
        "| a month, now | 394.20 | 394.20 | 394.20 |",  # both days had the same traffic
        "| a month, without the migration | 584.00 | 584.00 | 584.00 |",
        "| a month, at the target share | 131.40 | 131.40 | 131.40 |",
    ):
        assert row in text, row
