"""The tallies of the current hours and days: limits, written groups, and forgotten periods."""

from __future__ import annotations

from glidepath.call_classes import CallClass
from glidepath.inventory.period_tallies import DAYS, HOUR_MS, HOURS, MOST_WAITING, Period, PeriodTallies
from glidepath.inventory.tally import OTHER, GroupKey, Source

NOON = 40 * 24 * HOUR_MS + 12 * HOUR_MS


def key(path: str = "/v1/chat/completions", call: CallClass = CallClass.INFERENCE) -> GroupKey:
    return GroupKey(Source.LOG, path, call, "", "none")


def count(tallies: PeriodTallies, one: GroupKey, at_ms: int = NOON) -> None:
    for tally in tallies.tallies(one, at_ms):
        tally.requests += 1


def test_a_request_counts_in_its_hour_and_in_its_day() -> None:
    tallies = PeriodTallies(10)
    count(tallies, key())
    count(tallies, key(), NOON + HOUR_MS)
    found = {g.period: g.tallies[key()].requests for g, _ in tallies.take_changed()}
    hour, day = HOURS.number(NOON), DAYS.number(NOON)
    assert found == {Period(HOURS, hour): 1, Period(HOURS, hour + 1): 1, Period(DAYS, day): 2}


def test_further_groups_count_together() -> None:
    tallies = PeriodTallies(10)
    for number in range(15):
        count(tallies, key(f"/v{number}/chat/completions"))
    groups = tallies.take_changed()[0][0].tallies
    others = groups[GroupKey(Source.LOG, OTHER, CallClass.INFERENCE, "", OTHER)]
    assert (len(groups), others.requests, tallies.overflow) == (11, 5, 5)
    assert sum(one.requests for one in groups.values()) == 15


def test_other_calls_leave_room_for_inference() -> None:
    tallies = PeriodTallies(12)
    for number in range(30):
        count(tallies, key(f"/page{number}", CallClass.UNKNOWN))
    count(tallies, key())
    groups = tallies.take_changed()[0][0].tallies
    assert groups[key()].requests == 1
    assert sum(one.call is CallClass.UNKNOWN for one in groups) == 4  # three, and all others together


def test_only_what_has_changed_is_written() -> None:
    tallies = PeriodTallies(10)
    count(tallies, key())
    assert len(tallies.take_changed()) == 2
    assert tallies.take_changed() == []
    count(tallies, key("/v1/messages"))
    assert [keys for _, keys in tallies.take_changed()] == 2 * [[key("/v1/messages")]]


def test_what_redis_did_not_take_is_written_later() -> None:
    tallies = PeriodTallies(10)
    count(tallies, key())
    tallies.put_back(tallies.take_changed())
    assert [keys for _, keys in tallies.take_changed()] == 2 * [[key()]]


def test_a_closed_period_is_forgotten_once_it_is_written() -> None:
    tallies = PeriodTallies(10)
    count(tallies, key())
    tallies.forget_closed(NOON + 40 * HOUR_MS)
    assert len(tallies.take_changed()) == 2  # it was not written
    tallies.forget_closed(NOON + 40 * HOUR_MS)
    count(tallies, key())
    assert {groups.part for groups, _ in tallies.take_changed()} == {3, 4}  # so it replaces nothing that was written


def test_an_outage_of_redis_costs_the_oldest_hours_and_no_memory() -> None:
    tallies = PeriodTallies(10)
    for hour in range(12):
        count(tallies, key(), NOON + hour * HOUR_MS - 12 * HOUR_MS)
    groups = tallies.take_changed()
    assert len(groups) == MOST_WAITING
    assert max(g.tallies[key()].requests for g, _ in groups if g.period.level is DAYS) == 12
    assert tallies.dropped == 13 - MOST_WAITING
