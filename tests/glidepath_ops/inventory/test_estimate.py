"""Estimates of groups from counts of all requests and of a sample: no request is lost or counted twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.call_classes import CallClass
from glidepath.inventory.callers import UNKNOWN
from glidepath.inventory.tally import GroupKey, Source, Tally
from glidepath_ops.inventory.estimate import CallKey, Traffic

CHAT = "/v1/chat/completions"
CALLERS, MODELS = ("a", "b", "c"), ("m", "n", "")
COUNTS = st.integers(0, 10_000)


def logged(caller: str, requests: int) -> tuple[GroupKey, Tally]:
    return GroupKey(Source.LOG, CHAT, CallClass.INFERENCE, "", caller), Tally(requests=requests)


def sampled(caller: str, model: str, requests: int, tokens: int = 0) -> tuple[GroupKey, Tally]:
    tally = Tally(requests=requests)
    tally.add_usage("measured/standard", [tokens, 0, 0, 0, 0, 0, 0, 0, requests])
    return GroupKey(Source.BODY, CHAT, CallClass.INFERENCE, model, caller), tally


def requests_of(traffic: Traffic) -> dict[tuple[str, str], int]:
    return {(key.caller, key.model): group.requests for key, group in traffic.groups.items()}


def traffic_of(*groups: tuple[GroupKey, Tally]) -> Traffic:
    traffic = Traffic()
    traffic.add_period(dict(groups))
    return traffic


def test_the_requests_of_a_caller_are_divided_as_its_sample_is() -> None:
    traffic = traffic_of(logged("a", 1000), sampled("a", "m", 30, tokens=300), sampled("a", "n", 70))
    assert requests_of(traffic) == {("a", "m"): 300, ("a", "n"): 700}
    assert traffic.groups[CallKey(CHAT, CallClass.INFERENCE, "m", "a")].tokens("input") == 3000


def test_a_whole_sample_is_exact() -> None:
    traffic = traffic_of(logged("a", 100), sampled("a", "m", 99, tokens=777), sampled("a", "n", 1))
    assert requests_of(traffic) == {("a", "m"): 99, ("a", "n"): 1}
    assert traffic.groups[CallKey(CHAT, CallClass.INFERENCE, "m", "a")].tokens("input") == 777


def test_requests_of_which_nothing_was_sampled_have_no_model() -> None:
    assert requests_of(traffic_of(logged("a", 5), sampled("b", "m", 3))) == {("a", ""): 5, ("b", "m"): 3}


def test_a_log_that_does_not_name_callers_is_divided_among_those_of_the_sample() -> None:
    traffic = traffic_of(logged(UNKNOWN, 100), sampled("a", "m", 6), sampled("b", "m", 4))
    assert requests_of(traffic) == {("a", "m"): 60, ("b", "m"): 40}


def test_periods_are_divided_each_by_itself() -> None:
    traffic = traffic_of(logged("a", 1000), sampled("a", "m", 10))
    traffic.add_period(dict([logged("a", 1000), sampled("a", "n", 500)]))
    assert requests_of(traffic) == {("a", "m"): 1000, ("a", "n"): 1000}


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from((*CALLERS, UNKNOWN)), COUNTS),
    st.dictionaries(st.tuples(st.sampled_from(CALLERS), st.sampled_from(MODELS)), st.integers(1, 10_000)),
)
def test_the_sum_is_the_larger_of_those_of_the_log_and_the_sample(
    log: dict[str, int], sample: dict[tuple[str, str], int]
) -> None:
    traffic = traffic_of(
        *(logged(caller, number) for caller, number in log.items()),
        *(sampled(caller, model, number) for (caller, model), number in sample.items()),
    )
    of_sample = {caller: sum(n for (who, _), n in sample.items() if who == caller) for caller in CALLERS}
    named = sum(max(log.get(caller, 0), of_sample[caller]) for caller in CALLERS if caller in log)
    unnamed = max(log.get(UNKNOWN, 0), sum(of_sample[caller] for caller in CALLERS if caller not in log))
    assert traffic.requests == named + unnamed
    assert all(group.requests >= group.sampled for group in traffic.groups.values())
