"""The pauses of copies to a backend, and their ends."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from extproc.copy_cool_down import CoolDowns

UNIX_NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC).timestamp()


def test_a_backend_of_which_nothing_is_known_gets_copies() -> None:
    assert CoolDowns().allows("cloud", 0.0)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("30", 30),
        ("0.5", 0.5),
        ("9999", 300),
        ("000000000000000000000000000045", 45),
        ("", 10),
        ("-5", 10),
        ("1e9", 10),
        (".", 10),
        # Dates, in the three forms of RFC 9110, 5.6.7.
        ("Wed, 21 Oct 2026 07:28:40 GMT", 40),
        ("Wednesday, 21-Oct-26 07:28:40 GMT", 40),
        ("Wed Oct 21 07:28:40 2026", 40),
        ("Thu, 22 Oct 2026 07:28:00 GMT", 300),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 10),  # it has passed: one of the clocks may be wrong
        ("Wed, 99 Oct 2026 99:28:40 GMT", 10),
        ("Wed, 21 Oct 99999999999999999999 07:28:40 GMT", 10),
        ("soon", 10),
    ],
)
def test_a_429_pauses_the_copies_to_its_backend_only(retry_after: str, seconds: float) -> None:
    pauses = CoolDowns()
    pauses.rate_limited("cloud", retry_after, 100.0, UNIX_NOW)
    assert not pauses.allows("cloud", 100.0 + seconds - 0.01)
    assert pauses.pausing(100.0) == {"cloud": seconds}
    assert pauses.allows("onprem", 100.0)
    assert pauses.allows("cloud", 100.0 + seconds)


def test_each_further_429_doubles_the_pause_and_a_good_answer_ends_it() -> None:
    pauses, now = CoolDowns(), 0.0
    for seconds in (10, 20, 40, 80, 160, 300, 300):
        pauses.rate_limited("cloud", "", now, UNIX_NOW)
        pauses.rate_limited("cloud", "", now + 0.1, UNIX_NOW)  # of a copy that was in flight: no further pause
        assert pauses.pausing(now)["cloud"] == pytest.approx(seconds, abs=0.2)
        now += seconds + 1
    pauses.answered("cloud", now - 1)  # it was sent before the last 429
    assert not pauses.allows("cloud", now - 1)
    pauses.answered("cloud", now)
    pauses.rate_limited("cloud", "", now, UNIX_NOW)
    assert pauses.pausing(now) == {"cloud": 10}


def test_a_backend_that_fails_gets_one_copy_after_each_growing_pause() -> None:
    pauses, now, sent = CoolDowns(), 0.0, []
    while now < 120:
        if pauses.allows("onprem", now):
            sent.append(now)
            pauses.failed("onprem")
        now += 0.25
    assert sent[:6] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]
    gaps = [later - earlier for earlier, later in pairwise(sent[5:])]
    assert gaps == sorted(gaps)
    assert gaps[0] == 1.0
    assert gaps[-1] == 15.0


def test_one_good_answer_ends_the_pauses_of_a_backend_that_failed() -> None:
    pauses = CoolDowns()
    for _ in range(9):
        pauses.failed("onprem")
    assert pauses.allows("onprem", 0.0)
    assert not pauses.allows("onprem", 0.1)
    pauses.answered("onprem", 0.1)
    assert pauses.allows("onprem", 0.1)
