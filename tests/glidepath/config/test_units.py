"""Parsing of durations, sizes, shares and addresses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.units import (
    format_duration,
    format_percent,
    format_share,
    format_size,
    parse_address,
    parse_duration,
    parse_fraction,
    parse_percent,
    parse_share,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("48h", 172800), ("250ms", 0.25), ("1.5s", 1.5), ("30d", 2592000), (0, 0), ("0", 0), ("5 m", 300)],
)
def test_durations(text: str | int, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"), [("4MiB", 4 * 2**20), ("1GB", 10**9), ("512B", 512), (0, 0), ("64 KiB", 65536)]
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "share"), [("0.5%", 0.005), ("0.005%", 0.00005), ("100%", 1), (0, 0)])
def test_shares(text: str | float, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("parse", [parse_duration, parse_size, parse_share, parse_percent, parse_fraction])
@pytest.mark.parametrize("value", [True, None, "", "-1", "1x", "1e3", [1], {}, "48 hours", "١٢"])
def test_an_invalid_quantity_is_an_error_with_an_example(parse: object, value: object) -> None:
    with pytest.raises(ValueError, match=r"must be a .*such as"):
        parse(value)  # type: ignore[operator]


@pytest.mark.parametrize(("value", "percent"), [(50, 50), ("50%", 50), (100, 100), (1, 1), ("0.5%", 0.5), (0, 0)])
def test_percents(value: object, percent: float) -> None:
    assert parse_percent(value) == percent


@pytest.mark.parametrize(("value", "fraction"), [(0.75, 0.75), ("75%", 0.75), (1, 1), ("1%", 0.01), (1e-6, 1e-6)])
def test_fractions(value: object, fraction: float) -> None:
    assert parse_fraction(value) == fraction


@pytest.mark.parametrize(
    ("parse", "value", "ways"),
    [
        (parse_duration, 48, "48s, 48m or 48h"),
        (parse_duration, "0.5", "0.5s, 0.5m or 0.5h"),
        (parse_size, 4, "4B, 4KiB or 4MiB"),
        (parse_share, 0.5, "0.5% or 50%"),
        (parse_share, 5, "such as 5%"),
        (parse_percent, 0.5, "0.5% or 50%"),
    ],
)
def test_a_number_that_needs_a_unit_is_refused_and_the_error_shows_how_to_write_it(
    parse: Callable[[object], float], value: object, ways: str
) -> None:
    with pytest.raises(ValueError, match=ways):
        parse(value)


@pytest.mark.parametrize(
    ("parse", "value"),
    [(parse_share, "150%"), (parse_share, 101), (parse_percent, 101), (parse_percent, "101%"), (parse_fraction, 75)],
)
def test_a_value_above_the_whole_is_refused(parse: Callable[[object], float], value: object) -> None:
    with pytest.raises(ValueError, match=r"100%|from 0 to 1|from 0 to 100"):
        parse(value)


@pytest.mark.parametrize("value", ["127.0.0.1:80", "unix:/run/x.sock", "[::1]:8080", "envoy.mesh:15000"])
def test_valid_addresses_are_accepted(value: str) -> None:
    assert parse_address(value) == value


@pytest.mark.parametrize("value", ["", "80", ":80", "host:", "host:0", "host:70000", "unix:x", "unix:/" + "x" * 107])
def test_invalid_addresses_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be HOST:PORT"):
        parse_address(value)


@given(st.floats(0, 3e8))
def test_a_formatted_duration_reads_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-9)


@given(st.integers(0, 2**53))
def test_a_formatted_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.floats(0, 1))
def test_a_formatted_share_reads_back_exactly(share: float) -> None:
    assert parse_share(format_share(share)) == share


@given(st.floats(0, 100))
def test_a_formatted_percent_reads_back_exactly(percent: float) -> None:
    assert parse_percent(format_percent(percent)) == percent
