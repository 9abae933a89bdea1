"""Score files of pairs: every line gets a result, and memory does not grow with the file."""

from __future__ import annotations

import io
import json
import os

import pytest

from glidepath.config.comparison import ScoringSection
from scorer.scoring.files.file_scoring import MAX_BATCH_BYTES, FileScorer, ScoredLine
from scorer.scoring.files.line_reader import PipeLines
from scorer.scoring.files.pair_lines import BadLine
from tests.support.embedders import LetterCounts
from tests.support.pair_files import SSE, chat, line


def score(data: bytes, batch: int = 2) -> tuple[list[ScoredLine | BadLine], LetterCounts]:
    engine = LetterCounts()
    return list(FileScorer("auto", ScoringSection(), engine, batch=batch).score(io.BytesIO(data))), engine


def test_every_line_gets_a_result_in_order_and_equal_answers_are_not_embedded() -> None:
    data = (
        line("same", chat("It is 5."), chat("It is 5."))
        + b"\n"
        + line("stream", SSE, chat("It is 5."))
        + line("other", chat("It is 5 degrees in Oslo."), chat("It is 7 degrees in Oslo."))
        + b"{broken\n"
        + line("error", chat("x"), {"error": {"message": "overloaded", "type": "server_error"}})
        + line("cut", SSE[:80], chat("It is 5."))
    )
    results, engine = score(data)
    same, stream, other, broken, error, cut = results
    assert isinstance(same, ScoredLine)
    assert isinstance(stream, ScoredLine)
    assert (same.agreement, stream.agreement) == (1.0, 1.0)
    assert isinstance(other, ScoredLine)
    assert "numbers" in other.flags
    assert isinstance(broken, BadLine)
    assert broken.number == 5
    assert isinstance(error, ScoredLine)
    assert json.loads(error.to_json()) == {
        "id": "error",
        "agreement": None,
        "flags": ["unusable:candidate_error_body"],
        "signals": {},
        "faults": {"candidate": ["error_body"]},
    }
    assert isinstance(cut, ScoredLine)
    assert cut.flags == ("unusable:baseline_truncated",)
    assert len(engine.asked) == 2


@pytest.mark.parametrize("digits", ["9" * 400, "9" * 5000, "1e999"])
def test_an_answer_with_thousands_of_digits_is_scored_and_affects_no_other_line(digits: str) -> None:
    right, said = (json.dumps(chat(f'{{"total": {number}}}')) for number in ("5", digits))
    called = '{"type": "message", "content": [{"type": "tool_use", "name": "f", "input": {"n": %s}}]}'
    wrong = [f'{{"id": 1, "request": {{}}, "baseline": {right}, "candidate": {said}}}']
    wrong += [f'{{"id": 2, "request": {{}}, "baseline": {called % 5}, "candidate": {called % digits}}}']
    results, _ = score("\n".join(wrong).encode() + b"\n" + line(3, "a", "a"))
    assert [r.agreement for r in results if isinstance(r, ScoredLine)] == [0.0, 0.5, 1.0]


def test_the_status_and_content_type_of_a_side_are_used() -> None:
    page = "<html>\r\n<head><title>502 Bad Gateway</title></head></html>"
    data = (
        line("failed", chat("Yes."), "upstream error", candidate_status=503)
        + line("page", chat("Yes."), page)
        + line("typed", "Yes.", page, candidate_content_type="text/html")
        + line("asked for", page, page, baseline_content_type="text/plain", candidate_content_type="text/plain")
    )
    results, _ = score(data)
    assert [r.flags for r in results if isinstance(r, ScoredLine)] == [
        ("unusable:candidate_error_body",),
        ("unusable:candidate_unsupported",),
        ("unusable:candidate_unsupported",),
        (),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_every_result_can_be_printed_in_any_encoding(encoding: str) -> None:
    found = ScoredLine("\ud800 é", 0.5, details={"names": "“Åse” → “\udfff”"})
    printed = found.to_json(explain=True, encoding=encoding)
    assert json.loads(printed.encode(encoding).decode(encoding))["id"] == "\ud800 é"
    assert "é" in ScoredLine("é", 0.5).to_json()


def test_a_batch_is_bounded_by_bytes_too() -> None:
    big = "x " * (MAX_BATCH_BYTES // 4)
    stream = io.BytesIO(b"".join(line(i, big, big) for i in range(4)))
    results = FileScorer("chat", ScoringSection(), LetterCounts()).score(stream)
    next(results)
    assert stream.tell() <= len(stream.getvalue()) / 2


def test_available_lines_are_scored_while_the_next_line_is_not_available() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        results = FileScorer("chat", ScoringSection(), LetterCounts()).score(PipeLines(reading))
        for i in range(3):
            pipe.write(b"\n" + line(i, "a", "a") + b"\n" + line("half", "b", "b")[:20])
            found = next(results)
            assert isinstance(found, ScoredLine)
            assert found.id == i
            pipe.write(line("half", "b", "b")[20:])
            assert isinstance(next(results), ScoredLine)
        pipe.write(line("last", "c", "c").rstrip())
    assert [r.id for r in results if isinstance(r, ScoredLine)] == ["last"]
    os.close(reading)


def test_lines_are_read_only_as_results_are_consumed() -> None:
    stream = io.BytesIO(b"".join(line(i, chat("a"), chat("a")) for i in range(100)))
    results = FileScorer("auto", ScoringSection(), LetterCounts(), batch=4).score(stream)
    next(results)
    assert stream.tell() < len(stream.getvalue()) / 10
