"""A file of answer pairs, scored as the worker scores: line by line, memory bounded by a batch and its longest line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from glidepath.config.comparison import ScoringSection, Task
from scorer.scoring.answers import CustomSurface, Expectation, Extracted, Unusable, expectation, extract
from scorer.scoring.answers.strict_json import integer, real
from scorer.scoring.compare import Comparison, Unscorable, compare, texts_to_embed
from scorer.scoring.compare.evaluator.evaluator_client import Evaluator
from scorer.scoring.compare.evaluator.questions import Doubt, in_doubt, with_opinion
from scorer.scoring.embed import Embedder, VectorCache, embed_texts
from scorer.scoring.files.line_reader import Lines, PipeLines

MAX_LINE_BYTES = 64 * 2**20
MAX_BATCH_BYTES = 8 * 2**20  # lines of together more than this are not held at once
_KEYS = ("id", "request", "baseline", "candidate")
_SIDES = ("baseline", "candidate")
_DECODER = json.JSONDecoder(parse_int=integer, parse_float=real)
_UTF_16 = "UTF-16 (iconv -f UTF-16 -t UTF-8 FILE | glidepath score -)"
_LOOKS_LIKE = (
    (b"\x1f\x8b", "gzip (zcat FILE | glidepath score -)"),
    (b"\x28\xb5\x2f\xfd", "zstd (zstdcat FILE | glidepath score -)"),
    (b"BZh", "bzip2 (bzcat FILE | glidepath score -)"),
    (b"\xfd7zXZ", "xz (xzcat FILE | glidepath score -)"),
    (b"PK\x03\x04", "a zip archive (unzip -p FILE | glidepath score -)"),
    (b"PAR1", "Parquet"),
    (b"\xff\xfe", _UTF_16),
    (b"\xfe\xff", _UTF_16),
)


@dataclass(frozen=True, slots=True)
class FilePair:
    """One line: what was asked and both bodies, as bytes. ``path`` is the request's, where the line has one.

    ``statuses`` and ``content_types``: of the baseline's and the candidate's response; 200 and "" where not told.
    """

    number: int
    id: str | int
    request: bytes
    baseline: bytes
    candidate: bytes
    path: str = ""
    statuses: tuple[int, int] = (200, 200)
    content_types: tuple[str, str] = ("", "")

    @property
    def size(self) -> int:
        return len(self.request) + len(self.baseline) + len(self.candidate)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no pair, and why."""

    number: int
    problem: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class ScoredLine:
    """One line's result. ``agreement`` is None for a pair that has no score; the flags then say why."""

    id: str | int
    agreement: float | None
    flags: tuple[str, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    asked: bool = False  # the evaluator's opinion is in it

    def to_json(self, *, explain: bool = False, encoding: str = "utf-8") -> str:
        """One line. What ``encoding`` has no characters for (half a surrogate pair: nothing has) is escaped."""
        record: dict[str, object] = {
            "id": self.id,
            "agreement": None if self.agreement is None else round(self.agreement, 4),
            "flags": list(self.flags),
            "signals": {name: round(value, 4) for name, value in self.signals.items()},
        }
        if explain:
            record["details"] = self.details
        line = json.dumps(record, ensure_ascii=False)
        try:
            line.encode(encoding)
        except UnicodeEncodeError:
            return json.dumps(record)
        return line


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

    def score(self, lines: Lines) -> Iterator[ScoredLine | BadLine]:
        """One result a line that is not blank, in order. Raises UnreachableError (remote engine).

        What has been read is scored when a batch is full, or when the next line is not there yet.
        """
        ready = lines.ready if isinstance(lines, PipeLines) else _always
        batch: list[FilePair | BadLine] = []
        for one in _entries(lines):
            batch += [one] if one is not None else []
            if batch and (len(batch) >= self.batch or sum(b.size for b in batch) >= MAX_BATCH_BYTES or not ready()):
                yield from self._score_batch(batch)
                batch = []
        yield from self._score_batch(batch)

    def _score_batch(self, batch: Sequence[FilePair | BadLine]) -> Iterator[ScoredLine | BadLine]:
        read = [one if isinstance(one, BadLine) else self._read(one) for one in batch]
        texts = list(dict.fromkeys(t for one in read if isinstance(one, _ExtractedPair) for t in one.texts))
        vectors = dict(zip(texts, embed_texts(self.embedder, texts, self.cache), strict=True)) if texts else {}
        ready = {i: one for i, one in enumerate(read) if isinstance(one, _ExtractedPair)}
        results = {
            i: compare(self.task, self.settings, one.expected, one.baseline, one.candidate, vectors)
            for i, one in ready.items()
        }
        results = self._with_opinions(ready, results)
        for i, one in enumerate(read):
            yield _scored(one.id, results[i]) if isinstance(one, _ExtractedPair) else one

    def _with_opinions(
        self, ready: Mapping[int, _ExtractedPair], results: dict[int, Comparison | Unscorable]
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

    def _read(self, pair: FilePair) -> _ExtractedPair | ScoredLine:
        path = pair.path or self.path
        custom = self.settings.answer
        sides: list[Extracted] = []
        bodies = (pair.baseline, pair.candidate)
        for name, body, status, kind in zip(_SIDES, bodies, pair.statuses, pair.content_types, strict=True):
            answer = extract(
                path=path,
                content_type=kind,
                status=status,
                request_body=pair.request,
                response_body=body,
                custom=CustomSurface(custom.jsonpath, custom.done) if custom else None,
            )
            if isinstance(answer, Unusable):
                why = f"{answer.reason}: {answer.detail}".rstrip(": ")
                return ScoredLine(pair.id, None, (f"unusable:{name}_{answer.reason}",), {}, {name: why})
            sides.append(answer)
        expected = expectation(path, pair.request)
        left, right = sides
        texts = texts_to_embed(self.task, expected, left, right)
        return _ExtractedPair(pair.id, expected, left, right, texts)


@dataclass(frozen=True, slots=True)
class _ExtractedPair:
    id: str | int
    expected: Expectation
    baseline: Extracted
    candidate: Extracted
    texts: tuple[str, ...]


def _scored(pair_id: str | int, result: Comparison | Unscorable) -> ScoredLine:
    if isinstance(result, Unscorable):
        return ScoredLine(pair_id, None, (f"unusable:{result.reason}",), {}, {result.reason: result.detail})
    signals = dict(result.signals)
    asked = "evaluator" in signals
    return ScoredLine(
        pair_id, result.agreement, result.flags, signals, dict(result.details), dict(result.labels), asked
    )


def read_pairs(lines: Lines) -> Iterator[FilePair | BadLine]:
    """Each line that is not blank, as a pair or as what is wrong with it. Never raises on what it reads."""
    return (one for one in _entries(lines) if one is not None)


def _entries(lines: Lines) -> Iterator[FilePair | BadLine | None]:
    """The same, with None for each blank line. A file that is no text at all ends at its first line."""
    for number, line in enumerate(_bounded_lines(lines), 1):
        if line is None:
            yield BadLine(number, f"is longer than {MAX_LINE_BYTES} bytes")
        elif number == 1 and (kind := _looks_like(line)):
            yield BadLine(number, f"is no JSON in UTF-8: the file looks like {kind}")
            return
        else:
            yield parse_pair(line, number) if line.strip() else None


def _looks_like(line: bytes) -> str:
    if line.count(0) * 3 > len(line):  # every other byte, where the letters are Latin
        return _UTF_16
    return next((name for mark, name in _LOOKS_LIKE if line.startswith(mark)), "")


def _always() -> bool:
    return True


def _bounded_lines(lines: Lines) -> Iterable[bytes | None]:
    """Lines; None for one that is too long, whose rest is skipped."""
    while line := lines.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := lines.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield None
        else:
            yield line


def parse_pair(line: bytes, number: int) -> FilePair | BadLine:
    """``{"id", "request", "baseline", "candidate"}``; bodies are objects, or strings (an SSE body, plain text).

    Optional: ``path``, and of each side ``baseline_status``, ``baseline_content_type`` and so on.
    """
    try:
        raw = _DECODER.decode(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return BadLine(number, f"is not UTF-8 at byte {error.start}")
    except json.JSONDecodeError as error:
        return BadLine(number, f"is not JSON: {error}")
    except RecursionError:
        return BadLine(number, "is JSON nested too deeply to be read")
    if not isinstance(raw, dict):
        return BadLine(number, f"must be an object with the keys {', '.join(_KEYS)}")
    missing = [key for key in _KEYS if key not in raw]
    if missing:
        return BadLine(number, f"has no {missing[0]!r} (needed: {', '.join(_KEYS)})")
    if isinstance(raw["id"], bool) or not isinstance(raw["id"], str | int):
        return BadLine(number, "id must be a string or a whole number")
    try:
        bodies = {key: _body(raw[key]) for key in _KEYS[1:]}
    except RecursionError:
        return BadLine(number, "holds a body nested too deeply to be read")
    wrong = [key for key, body in bodies.items() if body is None]
    if wrong:
        return BadLine(number, f"{wrong[0]} must be an object, a list, or a body as a string")
    path = raw.get("path", "")
    if not isinstance(path, str):
        return BadLine(number, "path must be a string such as /v1/chat/completions")
    responses = _responses(raw)
    if isinstance(responses, str):
        return BadLine(number, responses)
    statuses, kinds = responses
    said = {key: body or b"" for key, body in bodies.items()}
    return FilePair(number, raw["id"], path=path, statuses=statuses, content_types=kinds, **said)


def _responses(raw: Mapping[str, object]) -> tuple[tuple[int, int], tuple[str, str]] | str:
    """Status and content type of both sides, or what is wrong with them."""
    statuses: list[int] = []
    kinds: list[str] = []
    for side in _SIDES:
        status, kind = raw.get(f"{side}_status", 200), raw.get(f"{side}_content_type", "")
        if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
            return f"{side}_status must be an HTTP status such as 200"
        if not isinstance(kind, str):
            return f"{side}_content_type must be a string such as text/event-stream"
        statuses.append(status)
        kinds.append(kind)
    return (statuses[0], statuses[1]), (kinds[0], kinds[1])


def _body(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    if isinstance(value, dict | list):
        return json.dumps(value).encode()
    return b"" if value is None else None
