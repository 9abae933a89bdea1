"""Parsing of durations, sizes, shares and addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.units import format_duration, parse_address, parse_duration, parse_share, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"), [("48h", 172800), ("250ms", 0.25), ("1.5s", 1.5), ("30d", 2592000), (7, 7), ("5 m", 300)]
)
def test_durations(text: str | int, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "size"), [("4MiB", 4 * 2**20), ("1GB", 10**9), (512, 512), ("64 KiB", 65536)])
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "share"), [("0.5%", 0.005), (0.005, 0.005), ("100%", 1), (0, 0)])
def test_shares(text: str | float, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("parse", [parse_duration, parse_size, parse_share])
@pytest.mark.parametrize("value", [True, None, "", "-1", "1x", "1e3", [1], {}, "48 hours", "١٢"])
def test_an_invalid_quantity_is_an_error_with_an_example(parse: object, value: object) -> None:
    with pytest.raises(ValueError, match=r"must be a .* such as"):
        parse(value)  # type: ignore[operator]


@pytest.mark.parametrize("value", [1.5, "150%", 5])
def test_a_share_above_one_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="between 0% and 100%"):
        parse_share(value)


@pytest.mark.parametrize("value", ["127.0.0.1:80", "unix:/run/x.sock", "[::1]:8080", "envoy.mesh:15000"])
def test_valid_addresses_are_accepted(value: str) -> None:
    assert parse_address(value) == value


@pytest.mark.parametrize("value", ["", "80", ":80", "host:", "host:0", "host:70000", "unix:x", "unix:/" + "x" * 107])
def test_invalid_addresses_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be HOST:PORT"):
        parse_address(value)


@given(st.integers(1, 10**7))
def test_a_formatted_duration_reads_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)
