"""Parse the lines of a file of pairs: no line raises, and a bad line names its problem."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.scoring.files.pair_lines import MAX_LINE_BYTES, BadLine, FilePair, parse_lines, parse_pair
from tests.support.pair_files import line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1]", "must be an object"),
        ('{"id": 1}', "has no 'request'"),
        ('{"id": [], "request": {}, "baseline": "", "candidate": ""}', "id must be"),
        ('{"id": 1, "request": {}, "baseline": 5, "candidate": ""}', "baseline must be"),
        ('{"id": 1, "request": {}, "baseline": "", "candidate": "", "path": 3}', "path must be"),
        ("nonsense", "is not JSON"),
        ('{"id": 1, "request": {}, "baseline": "", "candidate": "", "candidate_status": "x"}', "candidate_status must"),
        ('{"id": 1, "request": {}, "baseline": "", "candidate": "", "baseline_content_type": 5}', "content_type must"),
        ("[" * 100_000, "nested too deeply"),
        ('{"id": 1, "request": ' + '{"a":' * 980 + "1" + "}" * 981, "nested too deeply"),
    ],
)
def test_a_line_that_is_not_a_pair_has_a_problem(text: str, problem: str) -> None:
    result = parse_pair(text.encode(), 7)
    assert isinstance(result, BadLine)
    assert problem in result.problem
    assert result.number == 7


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_parsed(data: bytes) -> None:
    assert all(isinstance(one, FilePair | BadLine | None) for one in parse_lines(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "likely_format"),
    [
        (gzip.compress(b"{}", mtime=0), "looks like gzip (zcat"),
        ("{}\n{}".encode("utf-16"), "looks like UTF-16 (iconv"),
        ("{}".encode("utf-16-le"), "looks like UTF-16"),
        (b"PK\x03\x04rest\n{}\n", "looks like a zip"),
        (b'{"id": "\xff"}', "is not UTF-8 at byte 8"),
    ],
)
def test_a_file_that_is_not_text_gives_one_bad_line_with_its_likely_format(data: bytes, likely_format: str) -> None:
    results = list(parse_lines(io.BytesIO(data)))
    assert len(results) == 1
    assert isinstance(results[0], BadLine)
    assert likely_format in results[0].problem


def test_a_byte_order_mark_is_ignored() -> None:
    assert isinstance(parse_pair(b"\xef\xbb\xbf" + line("a", "x", "x"), 1), FilePair)


class Endless(io.RawIOBase):
    """A file with one very long line. It records the largest number of bytes that were requested at once."""

    def __init__(self, size: int) -> None:
        self.left, self.largest = size, 0

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        self.largest = max(self.largest, size)
        take = min(size, self.left)
        self.left -= take
        return b"x" * take


def test_a_line_that_is_too_long_is_skipped_without_reading_it_whole() -> None:
    source = Endless(2 * MAX_LINE_BYTES + 5)
    results = list(parse_lines(source))  # type: ignore[arg-type]
    assert results == [BadLine(1, f"is longer than {MAX_LINE_BYTES} bytes")]
    assert source.largest == MAX_LINE_BYTES
