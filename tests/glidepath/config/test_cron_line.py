"""Cron lines: valid and invalid ones, and their matches around the changes to and from daylight saving time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.cron_line import latest_match, parse_cron, parse_zone

HOUR = 3_600_000
# Zones without daylight saving, northern, southern, with half an hour, with changes at midnight, and the easternmost.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Pacific/Kiritimati",
)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def matches(cron: str, zone: str, start: str, end: str) -> list[str]:
    """Return every match between two instants (UTC), found by looking back each minute."""
    found = {latest_match(cron, zone, now, 60_000) for now in range(ms(start), ms(end), 60_000)}
    return [f"{datetime.fromtimestamp(at / 1000, UTC):%d %H:%M}" for at in sorted(at for at in found if at is not None)]


@pytest.mark.parametrize(
    "text",
    ["0 17 * * FRI", "*/5 8-18 * * 1-5", "0 0 29 2 *", "0 0 L * *", "0 0 * * MON#2", "0 0 31 1,2 *", "5 4 * * sun"],
)
def test_five_fields_that_match_some_day_are_a_cron_line(text: str) -> None:
    assert parse_cron(text).text == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 0 30 2 *", "never matches"),
        ("0 0 31 4,6 *", "never matches"),
        ("* * */20 * 1L", "never matches"),
        ("0 0 32 * *", "must be five cron fields"),
        ("0 0 30 13 *", "must be five cron fields"),
        ("0 0 30 2 8", "must be five cron fields"),
        ("@daily", "must be five cron fields such as .*, found 1"),
        ("0 0 0 * * *", "must be five cron fields such as .*, found 6"),
        ("R R * * *", "must be five cron fields"),
        ("H H * * *", "must be five cron fields"),
        ("", "must be five cron fields"),
        ("*/0 * * * *", "must be five cron fields"),
        ("1," * 200 + "1 * * * *", "at most 200 characters"),
    ],
)
def test_an_invalid_cron_line_is_an_error_that_says_what_is_allowed(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_cron(text)


@given(st.text(alphabet="0123456789*/,-#LWRHJANMOnSU ²@", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_cron_line_or_a_value_error(text: str) -> None:
    assert re.match(r"[0-9]|must be five cron fields|never matches", _read(text))


def _read(text: str) -> str:
    try:
        cron = parse_cron(text)
    except ValueError as error:
        return str(error)
    return str(cron.minutes[0] + cron.hours[0])


@pytest.mark.parametrize(
    "name", ["Europe", "", "../etc/passwd", "/etc/passwd", "x" * 5000, "Europe/Berlin\0", "Mars/Base", "."]
)
def test_an_invalid_time_zone_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="must be an IANA time zone"):
        parse_zone(name)


def test_a_time_that_the_clock_repeats_happens_once() -> None:
    found = matches("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00")
    assert found == ["25 00:30", "26 01:30"]


def test_a_time_that_the_clock_skips_happens_at_the_end_of_the_gap() -> None:
    found = matches("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T12:00")
    assert found == ["29 01:00", "30 00:30"]


def test_an_hourly_line_happens_in_the_repeated_hour_too_and_not_in_the_skipped_one() -> None:
    found = matches("30 * * * *", "Europe/Berlin", "2026-10-25T00:00", "2026-10-25T04:00")
    assert found == ["25 00:30", "25 01:30", "25 02:30", "25 03:30"]
    found = matches("*/30 2-3 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T04:00")
    assert found == ["29 01:00", "29 01:30"]


def test_a_match_on_a_day_that_the_clock_comes_back_to_is_found() -> None:
    # Santiago: Sunday 00:00 becomes Saturday 23:00, so Saturday's last hour happens twice.
    found = matches("30 * * * SAT", "America/Santiago", "2026-04-05T02:00", "2026-04-05T05:00")
    assert found == ["05 02:30", "05 03:30"]


def test_a_match_longer_ago_than_within_ms_is_not_found() -> None:
    noon = ms("2026-06-01T12:00")
    assert latest_match("0 12 * * *", "UTC", noon + HOUR, HOUR) is None
    assert latest_match("0 12 * * *", "UTC", noon + HOUR - 1, HOUR) == noon
    assert latest_match("0 12 * * *", "UTC", noon - 1, HOUR) is None


_NUMBERS = st.integers(0, 23).map(str)
CRONS = st.tuples(
    st.sampled_from(("0", "30", "59", "*/15", "*", "1,31", "10-12")),
    st.one_of(_NUMBERS, st.sampled_from(("*", "*/2", "0-3", "22,23"))),
    st.sampled_from(("*", "1", "L", "29", "*/2")),
    st.sampled_from(("*", "3", "4", "9,10", "2")),
    st.sampled_from(("*", "SUN", "SAT", "1-5", "0#1")),
).map(" ".join)


@given(
    CRONS,
    st.sampled_from(ZONES),
    st.integers(ms("2024-01-01T00:00") // 60_000, ms("2030-01-01T00:00") // 60_000),
    st.integers(60_000, 40 * 24 * HOUR),
)
def test_the_latest_match_equals_that_of_a_search_minute_by_minute(
    cron: str, zone: str, minute: int, within: int
) -> None:
    now = minute * 60_000
    start = datetime.fromtimestamp((now - within) / 1000, UTC) - timedelta(days=2)
    last = None
    for at in CronSim(cron, start.astimezone(ZoneInfo(zone))):
        moment = round(at.timestamp() * 1000)
        if moment > now:
            break
        last = moment
    expected = last if last is not None and now - last < within else None
    assert latest_match(cron, zone, now, within) == expected
