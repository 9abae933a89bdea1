"""A file of pairs: every line gets a result, none an exception, and memory does not grow with the file."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from glidepath.config.comparison import ScoringSection
from glidepath_ops.cli.main import build_app
from scorer.scoring.embed import Span, Vectors
from scorer.scoring.files.file_scoring import (
    MAX_BATCH_BYTES,
    MAX_LINE_BYTES,
    BadLine,
    FilePair,
    FileScorer,
    ScoredLine,
    parse_pair,
    read_pairs,
)
from scorer.scoring.files.line_reader import PipeLines


class LetterCounts:
    """An embedder that counts letters: enough to tell texts apart, and it says what it was asked for."""

    name, dimensions, max_tokens = "letters", 26, 1000

    def __init__(self) -> None:
        self.asked: list[str] = []

    def spans(self, text: str) -> Sequence[Span]:
        return [(0, len(text))]

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        rows = np.array([[1e-6 + t.lower().count(chr(97 + i)) for i in range(26)] for t in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def chat(text: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def line(pair_id: object, baseline: object, candidate: object, **more: object) -> bytes:
    pair = {"id": pair_id, "request": {"messages": []}, "baseline": baseline, "candidate": candidate, **more}
    return json.dumps(pair).encode() + b"\n"


SSE = (
    'data: {"choices":[{"index":0,"delta":{"content":"It is "}}]}\n\n'
    'data: {"choices":[{"index":0,"delta":{"content":"5."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


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
    }
    assert isinstance(cut, ScoredLine)
    assert cut.flags == ("unusable:baseline_truncated",)
    assert len(engine.asked) == 2


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
def test_a_line_that_is_no_pair_says_why(text: str, problem: str) -> None:
    result = parse_pair(text.encode(), 7)
    assert isinstance(result, BadLine)
    assert problem in result.problem
    assert result.number == 7


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_line_raises(data: bytes) -> None:
    assert all(isinstance(one, FilePair | BadLine) for one in read_pairs(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (gzip.compress(b"{}"), "looks like gzip (zcat"),
        ("{}\n{}".encode("utf-16"), "looks like UTF-16 (iconv"),
        ("{}".encode("utf-16-le"), "looks like UTF-16"),
        (b"PK\x03\x04rest\n{}\n", "looks like a zip"),
        (b'{"id": "\xff"}', "is not UTF-8 at byte 8"),
    ],
)
def test_a_file_that_is_no_text_says_what_it_looks_like_once(data: bytes, told: str) -> None:
    results = list(read_pairs(io.BytesIO(data)))
    assert len(results) == 1
    assert isinstance(results[0], BadLine)
    assert told in results[0].problem


def test_a_byte_order_mark_is_no_part_of_the_first_pair() -> None:
    assert isinstance(parse_pair(b"\xef\xbb\xbf" + line("a", "x", "x"), 1), FilePair)


@pytest.mark.parametrize("digits", ["9" * 400, "9" * 5000, "1e999"])
def test_a_model_that_writes_digits_without_end_is_scored_and_costs_no_other_line(digits: str) -> None:
    right, said = (json.dumps(chat(f'{{"total": {number}}}')) for number in ("5", digits))
    called = '{"type": "message", "content": [{"type": "tool_use", "name": "f", "input": {"n": %s}}]}'
    wrong = [f'{{"id": 1, "request": {{}}, "baseline": {right}, "candidate": {said}}}']
    wrong += [f'{{"id": 2, "request": {{}}, "baseline": {called % 5}, "candidate": {called % digits}}}']
    results, _ = score("\n".join(wrong).encode() + b"\n" + line(3, "a", "a"))
    assert [r.agreement for r in results if isinstance(r, ScoredLine)] == [0.0, 0.5, 1.0]


def test_the_status_and_content_type_of_a_side_are_heeded() -> None:
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


def test_what_is_there_is_scored_while_the_next_line_is_not() -> None:
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


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 30))
def test_lines_of_a_pipe_are_those_of_the_file(pieces: list[bytes], limit: int) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        for piece in pieces:
            pipe.write(piece)
    lines, expected = PipeLines(reading), io.BytesIO(b"".join(pieces))
    while True:
        assert lines.ready()
        found = lines.readline(limit)
        assert found == expected.readline(limit)
        if not found:
            break
    os.close(reading)


def test_the_command_ends_with_a_summary(tmp_path: Path) -> None:
    file, told = tmp_path / "pairs.jsonl", tmp_path / "summary.json"
    pairs = [("spam", "spam")] * 8 + [("spam", "ham"), ("ham", "ham")]
    config = tmp_path / "glidepath.yaml"
    config.write_text(
        "backends: {a: {url: 'http://a.test'}, b: {url: 'http://b.test'}}\n"
        "workloads: {w: {match: {path: /v1/x}, task: classification, baseline: a, candidate: b}}\n"
    )
    file.write_bytes(
        b"".join(line(i, chat(a), chat(b)) for i, (a, b) in enumerate(pairs))
        + line("x", chat("a"), SSE[:80])
        + b"oops\n"
    )
    command = ["score", str(file), "-c", str(config), "--summary"]
    result = CliRunner().invoke(build_app("score"), [*command, str(told)])
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert "glidepath: 11 pairs, 1 without a score (candidate_truncated 1), 1 bad lines" in lines
    assert "glidepath: agreement 0.900 mean, 0.000 at the 10th percentile" in lines
    assert "glidepath: flags: label 1 (10.0%)" in lines
    assert "glidepath: class 'spam': 9 pairs, precision 100.0%, recall 88.9%" in lines
    summary = json.loads(told.read_text())["summary"]
    assert summary["classes"]["ham"] == {"pairs": 1, "precision": 0.5, "recall": 1.0}
    printed = CliRunner().invoke(build_app("score"), [*command, "-"]).stdout.splitlines()
    assert json.loads(printed[-1])["summary"] == summary


def test_an_evaluator_that_is_away_is_counted_and_told(tmp_path: Path) -> None:
    config = tmp_path / "glidepath.yaml"
    config.write_text(
        "backends: {a: {url: 'http://a.test'}, b: {url: 'http://b.test'}}\n"
        "workloads: {w: {match: {path: /v1/x}, task: chat, baseline: a, candidate: b, scoring: {evaluator: "
        "{url: 'http://127.0.0.1:1', model: m, between: [0, 1]}}}}\n"
    )
    pairs = line(1, "It is 5 degrees in Oslo.", "Rain is expected in Bergen.").decode()
    result = CliRunner().invoke(build_app("score"), ["score", "-", "-c", str(config)], input=pairs)
    assert result.exit_code == 0
    assert "glidepath: evaluator: 0 opinions, none for 1 (unreachable 1)" in result.stderr.splitlines()


class Endless(io.RawIOBase):
    """A line without end, and how much of it was asked for at once."""

    def __init__(self, size: int) -> None:
        self.left, self.largest = size, 0

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        self.largest = max(self.largest, size)
        take = min(size, self.left)
        self.left -= take
        return b"x" * take


def test_a_line_that_is_too_long_is_skipped_not_read_whole() -> None:
    source = Endless(2 * MAX_LINE_BYTES + 5)
    results = list(read_pairs(source))  # type: ignore[arg-type]
    assert results == [BadLine(1, f"is longer than {MAX_LINE_BYTES} bytes")]
    assert source.largest == MAX_LINE_BYTES


def test_lines_are_read_as_results_are_taken() -> None:
    stream = io.BytesIO(b"".join(line(i, chat("a"), chat("a")) for i in range(100)))
    results = FileScorer("auto", ScoringSection(), LetterCounts(), batch=4).score(stream)
    next(results)
    assert stream.tell() < len(stream.getvalue()) / 10


def test_the_command_prints_one_object_a_line_and_names_bad_lines(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(line("a", chat("It is 5."), chat("Sure! It is 5.")) + b"oops\n" + line(2, "plain", "plain"))
    result = CliRunner().invoke(build_app("score"), ["score", str(file), "--task", "chat"])
    assert result.exit_code == 2
    assert [json.loads(out) for out in result.stdout.splitlines()] == [
        {"id": "a", "agreement": 1.0, "flags": [], "signals": json.loads(result.stdout.splitlines()[0])["signals"]},
        {"id": 2, "agreement": 1.0, "flags": [], "signals": json.loads(result.stdout.splitlines()[1])["signals"]},
    ]
    assert "line 2 is not JSON" in result.stderr


def test_the_command_takes_settings_from_the_workload(tmp_path: Path, valid_yaml: str) -> None:
    config = tmp_path / "glidepath.yaml"
    config.write_text(valid_yaml.replace("task: chat", "task: classification"))
    pairs = json.dumps({"id": 1, "request": {}, "baseline": "Spam", "candidate": "spam."})
    result = CliRunner().invoke(build_app("score"), ["score", "-", "-c", str(config), "--explain"], input=pairs)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "id": 1,
        "agreement": 1.0,
        "flags": [],
        "signals": {"label": 0.0},
        "details": {},
    }
