"""A file of answer pairs, scored as the worker scores: line by line, memory bounded by a batch and its longest line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from glidepath.config.scoring import ScoringSection, Task
from scorer.compare import Comparison, Unscorable, compare, texts_to_embed
from scorer.compare.evaluator import Doubt, in_doubt, with_opinion
from scorer.compare.evaluator_client import Evaluator
from scorer.embed import Embedder, VectorCache, embed_texts
from scorer.extract import CustomSurface, Expectation, Extracted, Unusable, expectation, extract

MAX_LINE_BYTES = 64 * 2**20
_KEYS = ("id", "request", "baseline", "candidate")


@dataclass(frozen=True, slots=True)
class FilePair:
    """One line: what was asked and both bodies, as bytes. ``path`` is the request's, where the line has one."""

    number: int
    id: str | int
    request: bytes
    baseline: bytes
    candidate: bytes
    path: str = ""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no pair, and why."""

    number: int
    problem: str


@dataclass(frozen=True, slots=True)
class Scored:
    """One line's result. ``agreement`` is None for a pair that has no score; the flags then say why."""

    id: str | int
    agreement: float | None
    flags: tuple[str, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def to_json(self, *, explain: bool = False) -> str:
        record: dict[str, object] = {
            "id": self.id,
            "agreement": None if self.agreement is None else round(self.agreement, 4),
            "flags": list(self.flags),
            "signals": {name: round(value, 4) for name, value in self.signals.items()},
        }
        if explain:
            record["details"] = self.details
        return json.dumps(record, ensure_ascii=False)


@dataclass(slots=True)
class FileScorer:
    """What scoring a file needs. Load the engine once; ``cache`` keeps the vectors of texts seen lately."""

    task: Task
    settings: ScoringSection
    embedder: Embedder
    path: str = ""
    batch: int = 32
    cache: VectorCache = field(default_factory=VectorCache)
    evaluator: Evaluator | None = None
    now_ms: Callable[[], int] = lambda: 0

    def score(self, lines: BinaryIO) -> Iterator[Scored | BadLine]:
        """One result a line that is not blank, in order. Raises UnreachableError (remote engine)."""
        parsed = read_pairs(lines)
        while batch := list(islice(parsed, self.batch)):
            yield from self._score_batch(batch)

    def _score_batch(self, batch: Sequence[FilePair | BadLine]) -> Iterator[Scored | BadLine]:
        read = [one if isinstance(one, BadLine) else self._read(one) for one in batch]
        texts = list(dict.fromkeys(t for one in read if isinstance(one, _Ready) for t in one.texts))
        vectors = dict(zip(texts, embed_texts(self.embedder, texts, self.cache), strict=True)) if texts else {}
        ready = {i: one for i, one in enumerate(read) if isinstance(one, _Ready)}
        results = {
            i: compare(self.task, self.settings, one.expected, one.baseline, one.candidate, vectors)
            for i, one in ready.items()
        }
        results = self._with_opinions(ready, results)
        for i, one in enumerate(read):
            yield _scored(one.id, results[i]) if isinstance(one, _Ready) else one

    def _with_opinions(
        self, ready: Mapping[int, _Ready], results: dict[int, Comparison | Unscorable]
    ) -> dict[int, Comparison | Unscorable]:
        """The results with what the evaluator says about those in doubt."""
        section = self.settings.evaluator
        if self.evaluator is None or section is None:
            return results
        known = {i: r for i, r in results.items() if isinstance(r, Comparison) and in_doubt(r, section)}
        doubts = [
            Doubt(f"{ready[i].id}#{i}", ready[i].expected.prompt, ready[i].baseline.text, ready[i].candidate.text)
            for i in known
        ]
        opinions = self.evaluator.consult(doubts, self.now_ms())
        for i, doubt in zip(known, doubts, strict=True):
            if (opinion := opinions.get(doubt.pair_id)) is not None:
                results[i] = with_opinion(known[i], opinion, self.settings)
        return results

    def _read(self, pair: FilePair) -> _Ready | Scored:
        path = pair.path or self.path
        custom = self.settings.answer
        sides: list[Extracted] = []
        for name, body in (("baseline", pair.baseline), ("candidate", pair.candidate)):
            answer = extract(
                path=path,
                content_type="",
                status=200,
                request_body=pair.request,
                response_body=body,
                custom=CustomSurface(custom.jsonpath, custom.done) if custom else None,
            )
            if isinstance(answer, Unusable):
                why = f"{answer.reason}: {answer.detail}".rstrip(": ")
                return Scored(pair.id, None, (f"unusable:{name}_{answer.reason}",), {}, {name: why})
            sides.append(answer)
        expected = expectation(path, pair.request)
        left, right = sides
        texts = texts_to_embed(self.task, self.settings, expected, left, right)
        return _Ready(pair.id, expected, left, right, texts)


@dataclass(frozen=True, slots=True)
class _Ready:
    id: str | int
    expected: Expectation
    baseline: Extracted
    candidate: Extracted
    texts: tuple[str, ...]


def _scored(pair_id: str | int, result: Comparison | Unscorable) -> Scored:
    if isinstance(result, Unscorable):
        return Scored(pair_id, None, (f"unusable:{result.reason}",), {}, {result.reason: result.detail})
    return Scored(pair_id, result.agreement, result.flags, dict(result.signals), dict(result.details))


def read_pairs(lines: BinaryIO) -> Iterator[FilePair | BadLine]:
    """Each line that is not blank, as a pair or as what is wrong with it. Never raises on what it reads."""
    for number, line in enumerate(_bounded_lines(lines), 1):
        if line is None:
            yield BadLine(number, f"is longer than {MAX_LINE_BYTES} bytes")
        elif line.strip():
            yield parse_pair(line, number)


def _bounded_lines(lines: BinaryIO) -> Iterable[bytes | None]:
    """Lines; None for one that is too long, whose rest is skipped."""
    while line := lines.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := lines.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield None
        else:
            yield line


def parse_pair(line: bytes, number: int) -> FilePair | BadLine:
    """``{"id", "request", "baseline", "candidate"}``; bodies are objects, or strings (an SSE body, plain text)."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadLine(number, f"is not JSON: {str(error).splitlines()[0]}")
    if not isinstance(raw, dict):
        return BadLine(number, f"must be an object with the keys {', '.join(_KEYS)}")
    missing = [key for key in _KEYS if key not in raw]
    if missing:
        return BadLine(number, f"has no {missing[0]!r} (needed: {', '.join(_KEYS)})")
    if isinstance(raw["id"], bool) or not isinstance(raw["id"], str | int):
        return BadLine(number, "id must be a string or a whole number")
    bodies = {key: _body(raw[key]) for key in _KEYS[1:]}
    wrong = [key for key, body in bodies.items() if body is None]
    if wrong:
        return BadLine(number, f"{wrong[0]} must be an object, a list, or a body as a string")
    path = raw.get("path", "")
    if not isinstance(path, str):
        return BadLine(number, "path must be a string such as /v1/chat/completions")
    return FilePair(number, raw["id"], path=path, **{key: body or b"" for key, body in bodies.items()})


def _body(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    if isinstance(value, dict | list):
        return json.dumps(value).encode()
    return b"" if value is None else None
