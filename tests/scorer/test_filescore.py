"""A file of pairs: every line gets a result, none an exception, and memory does not grow with the file."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from glidepath.cli.main import build_app
from glidepath.config.scoring import ScoringSection
from scorer.embed import Span, Vectors
from scorer.filescore import MAX_LINE_BYTES, BadLine, FilePair, FileScorer, Scored, parse_pair, read_pairs


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


def score(data: bytes, batch: int = 2) -> tuple[list[Scored | BadLine], LetterCounts]:
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
    assert isinstance(same, Scored)
    assert isinstance(stream, Scored)
    assert (same.agreement, stream.agreement) == (1.0, 1.0)
    assert isinstance(other, Scored)
    assert "numbers" in other.flags
    assert isinstance(broken, BadLine)
    assert broken.number == 5
    assert isinstance(error, Scored)
    assert json.loads(error.to_json()) == {
        "id": "error",
        "agreement": None,
        "flags": ["unusable:candidate_error_body"],
        "signals": {},
    }
    assert isinstance(cut, Scored)
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
        ("[" * 100_000, "is not JSON"),
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
