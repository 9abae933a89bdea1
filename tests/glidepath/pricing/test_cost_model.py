"""The cost model, against an example that was computed by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.prices import BackendPrice
from glidepath.movable_share import movable_share
from glidepath.pricing.cost_model import WorkloadCosts, WorkloadTraffic, costs_of
from glidepath.pricing.forecast import MonthlyCosts, forecast, payback
from glidepath.pricing.price_tables import NO_PRICES, price_table
from glidepath.pricing.traffic_range import TrafficRange, traffic_range
from glidepath.side_traffic import Sent, SideTraffic
from glidepath.token_usage import TokenSource, TokenUsage

DAY = 86_400_000
T0 = 1_795_996_800_000 // DAY * DAY  # 2026-11-30 00:00 UTC
CLOUD = price_table(BackendPrice(input=2, cached_read=1, output=8, egress=0.1))
OWN = price_table(BackendPrice(gpu_hour=2, gpus=1, utilisation="50%", monthly=73))


def example() -> WorkloadTraffic:
    """Ten days of 1,000 requests a day: 8,000 at the baseline, 2,000 at the candidate.

    Of the baseline's requests, one in ten was captured: 800 answers with 800,000 input tokens (200,000 of them cached)
    and 100,000 output tokens. Each request has a body of 4,000 bytes. 1,000 copies went to the candidate, and 100 to
    the baseline, all of which were captured.
    """
    seen = TokenUsage(800_000, 100_000, cached_read=200_000, answers=800)
    noise = TokenUsage(100_000, 12_500, cached_read=25_000, answers=100)
    return WorkloadTraffic(
        "chat",
        "cloud",
        "own",
        T0,
        T0 + 10 * DAY,
        SideTraffic(Sent(8_000, 32_000_000, (seen,)), Sent(100, 400_000, (noise,))),
        SideTraffic(Sent(2_000, 8_000_000, (TokenUsage(1_000, 900, answers=2),)), Sent(1_000, 4_000_000)),
        baseline_prices=CLOUD,
        candidate_prices=OWN,
        evaluator=Decimal("0.75"),
    )


def costs() -> WorkloadCosts:
    return costs_of([example()])[0]


def test_spent_and_saved_amounts_equal_the_hand_computed_ones() -> None:
    """A request costs (600,000 · 2 + 200,000 · 1 + 100,000 · 8) / 1e6 / 800 = 0.00275 at the baseline.

    - baseline: 8,000 · 0.00275 = 22.00; copies to it: 100 · 0.00275 = 0.275; egress: 32.4 MB · 0.1 / GB = 0.00324
    - candidate: 240 h · 1 GPU · 2 · 50 % = 240.00, and 73 · 240 / 730 = 24.00
    - spent: 22.00 + 0.275 + 0.75 (evaluator) + 0.00324 + 264.00 = 287.02824
    - without: 22.00 + 0.0032 + 2,000 · 0.00275 + 8 MB · 0.1 / GB = 27.504
    """
    found = costs()
    assert found.baseline.amount == Decimal("22.00")
    assert found.copies["baseline"].amount == Decimal("0.275")
    assert found.egress == Decimal("0.00324")
    assert (found.candidate.amount, found.candidate_fixed, found.baseline_fixed) == (0, 264, 0)
    assert found.spent == Decimal("287.02824")
    assert found.without == Decimal("27.504")
    assert found.saved == Decimal("-259.52424")
    assert (found.moved_by, found.unpriced_share) == ("requests", 0.0)


def test_the_forecast_of_a_month_equals_the_hand_computed_one() -> None:
    """A month of 730 h has 730 / 240 = 3.041667 times the ten days.

    - without: 27.504 · 3.041667 = 83.658
    - at 80 % of the requests: 83.658 · 0.2 + 264 · 3.041667 = 16.7316 + 803 = 819.7316
    """
    found = forecast(costs(), TrafficRange(0.5, 1.5, 10), 0.8)
    assert found is not None
    assert found.expected.without is not None
    assert found.expected.target is not None
    assert round(found.expected.without, 4) == Decimal("83.6580")
    assert round(found.expected.target, 4) == Decimal("819.7316")
    assert found.low.target is not None
    assert round(found.low.target, 4) == Decimal("811.3658")  # half the traffic: half of 16.7316; the GPUs stay


def test_the_payback_equals_the_hand_computed_one() -> None:
    """The migration cost 12,000 once, and has saved 2,000. A month saves 1,000 now, and 3,000 at the target.

    In 73 days (2.4 months of 30.4167 days) to the target, 2,400 are saved; the other 7,600 take 2.5333 months: 4.9333
    months, or 150.06 days, after 30 November.
    """
    monthly = MonthlyCosts(now=Decimal(4_000), without=Decimal(5_000), target=Decimal(2_000))
    found = payback(Decimal(2_000), Decimal(12_000), monthly, 73, T0)
    assert (found.net, found.on) == (-10_000, date(2027, 4, 30))


@pytest.mark.parametrize(
    ("saved", "monthly", "reason"),
    [
        (
            Decimal(0),
            MonthlyCosts(Decimal(5), Decimal(4), Decimal(4)),
            "never: at the target share, a month saves nothing",
        ),
        (Decimal(0), MonthlyCosts(Decimal(5), Decimal(4), None), "the saving at the target share is not known"),
        (Decimal(0), MonthlyCosts(Decimal(5), Decimal(4), Decimal("3.999")), "not within a hundred years"),
        (None, MonthlyCosts(Decimal(5), None, None), "the savings so far are not known"),
    ],
)
def test_without_a_payback_the_reason_is_said(saved: Decimal | None, monthly: MonthlyCosts, reason: str) -> None:
    found = payback(saved, Decimal(100), monthly, None, T0)
    assert (found.on, found.reason) == (None, reason)


def test_a_migration_that_has_saved_its_cost_has_paid_off() -> None:
    found = payback(Decimal(120), Decimal(100), MonthlyCosts(Decimal(1), Decimal(2), Decimal(1)), None, T0)
    assert (found.net, found.on) == (20, date(2026, 11, 30))


def test_the_movable_share_equals_the_hand_computed_one() -> None:
    """The candidate refused 10 of 200 copies. 30 more requests were too long for its context and were not copied.

    So 190 of 230 requests can move: 82.61 %. Envoy keeps 100 of 1,000 requests at the baseline, and splits 900:
    82.61 % · 0.9 = 74.35 %.
    """
    found = movable_share(
        {"ineligible_context": 30, "pinned_store": 100},
        {"candidate shadow capability": 10},
        {"candidate copies": 200, "baseline requests": 700, "candidate requests": 200},
    )
    assert found is not None
    assert found.share == pytest.approx((1 - 40 / 230) * 0.9)


def test_without_the_baselines_answers_the_candidates_tokens_are_priced_at_the_baseline() -> None:
    one = replace(example(), baseline=SideTraffic())
    found = costs_of([one])[0]
    assert found.moved_by == "tokens"
    assert found.moved_at_baseline == Decimal("9.2008")  # 2,000 · (500 · 2 + 450 · 8) / 1e6 + 8 MB · 0.1 / GB


def test_without_prices_nothing_is_saved_or_spent_and_this_is_said() -> None:
    one = replace(example(), baseline_prices=NO_PRICES, candidate_prices=NO_PRICES)
    found = costs_of([one])[0]
    assert (found.without, found.saved, found.unpriced_share) == (None, None, 1.0)
    monthly = forecast(found, TrafficRange(), 1.0)
    assert monthly is not None
    assert monthly.expected.saving_target is None


def test_a_candidate_that_costs_by_time_needs_no_known_tokens() -> None:
    one = replace(example(), candidate=SideTraffic(Sent(2_000, 8_000_000)))
    monthly = forecast(costs_of([one])[0], TrafficRange(), 1.0)
    assert monthly is not None
    assert monthly.expected.target is not None
    assert round(monthly.expected.target, 4) == 803


def test_savings_and_payback_of_a_candidate_without_prices_are_unknown() -> None:
    found = costs_of([replace(example(), candidate_prices=NO_PRICES)])[0]
    assert (found.without, found.saved, found.is_known) == (Decimal("27.504"), None, False)
    monthly = forecast(found, TrafficRange(), 1.0)
    assert monthly is not None
    assert (monthly.expected.now, monthly.expected.target, monthly.expected.saving_now) == (None, None, None)
    assert payback(found.saved, Decimal(0), monthly.expected, None, T0).on is None


def test_requests_that_envoy_keeps_at_the_baseline_cost_what_the_others_cost() -> None:
    pinned = costs_of([replace(example(), pinned=1_000)])[0]
    assert pinned.baseline.amount == Decimal("24.75")


def test_estimated_tokens_are_priced_and_counted_apart() -> None:
    usage = (TokenUsage(10, answers=1), TokenUsage(10, answers=3, source=TokenSource.ESTIMATED))
    one = WorkloadTraffic(
        "chat",
        "cloud",
        "own",
        T0,
        T0 + DAY,
        SideTraffic(Sent(8, 0, usage)),
        baseline_prices=CLOUD,
        candidate_prices=OWN,
    )
    found = costs_of([one])[0]
    assert (found.measured_share, found.baseline.known) == (0.125, 4)


def test_the_time_of_a_backend_is_divided_among_its_workloads_by_tokens() -> None:
    small = replace(example(), workload="small", candidate=SideTraffic(Sent(1, 0, (TokenUsage(280, 20, answers=1),))))
    large = replace(example(), candidate=SideTraffic(Sent(2, 0, (TokenUsage(700, 200, answers=2),))))
    idle = replace(example(), workload="idle", candidate=SideTraffic())
    found = [one.candidate_fixed for one in costs_of([small, large, idle])]
    assert found == [66, 198, 0]
    assert sum(one.candidate_fixed for one in costs_of([idle, replace(idle, workload="too")])) == 264


def test_the_range_of_traffic_equals_the_hand_computed_one() -> None:
    """Days of 90, 100 and 110: mean 100, standard deviation 10.

    The error of a month is 1.645 · 10 · sqrt(30.4167 + 30.4167² / 3) / (30.4167 · 100) = 0.09955.
    """
    found = traffic_range([90, 100, 110])
    assert (found.low, found.high) == (pytest.approx(0.90045, abs=1e-5), pytest.approx(1.09955, abs=1e-5))
    assert traffic_range([100]).reason == "needs 2 whole days (UTC) of traffic, has 1"
    assert traffic_range([0, 0]).factors == (1, 1, 1)


SENT = st.builds(
    Sent,
    st.integers(0, 10**6),
    st.integers(0, 10**9),
    st.tuples(st.builds(TokenUsage, st.integers(0, 10**9), st.integers(0, 10**9), answers=st.integers(1, 10**5))),
)
TRAFFIC = st.builds(
    WorkloadTraffic,
    st.just("chat"),
    st.just("cloud"),
    st.just("own"),
    st.just(T0),
    st.integers(T0, T0 + 30 * DAY),
    st.builds(SideTraffic, SENT, SENT),
    st.builds(SideTraffic, SENT, SENT),
    st.integers(0, 1000),
    st.just(CLOUD),
    st.sampled_from([OWN, CLOUD]),
)


@given(TRAFFIC)
def test_each_amount_of_money_is_in_exactly_one_line(one: WorkloadTraffic) -> None:
    [found] = costs_of([one])
    lines = (found.baseline.amount, found.candidate.amount, found.of_copies, found.egress, found.evaluator)
    assert abs(found.spent - sum(lines, found.baseline_fixed + found.candidate_fixed)) < Decimal("1e-12")
    assert found.without is not None
    assert found.saved == found.without - found.spent
    assert min(*lines, found.without) >= 0
