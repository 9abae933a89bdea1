"""Parse the lines of a file of answer pairs. Each line becomes a FilePair, or a BadLine with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scorer.scoring.answers.strict_json import integer, real
from scorer.scoring.files.line_reader import Lines

MAX_LINE_BYTES = 64 * 2**20
SIDES = ("baseline", "candidate")
_KEYS = ("id", "request", "baseline", "candidate")
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
    """One pair of a file: the bodies of the request and of both responses, as bytes.

    ``number``: the number of the line.
    ``path``: the path of the request, or "" if the line has none.
    ``statuses``: the HTTP statuses of the baseline's and the candidate's response, by default 200.
    ``content_types``: the content types of the baseline's and the candidate's response, by default "".
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
    """A line that is not a valid pair. ``number`` is its line number, and ``problem`` is the reason."""

    number: int
    problem: str
    size: int = 0


def parse_lines(lines: Lines) -> Iterator[FilePair | BadLine | None]:
    """Yield one item for each line: a FilePair, a BadLine, or None for a blank line. A bad line raises no error.

    If the first line shows that the file is not UTF-8 text, yield a BadLine for this line and read no other lines.
    """
    for number, line in enumerate(_bounded_lines(lines), 1):
        if line is None:
            yield BadLine(number, f"is longer than {MAX_LINE_BYTES} bytes")
        elif number == 1 and (kind := _looks_like(line)):
            yield BadLine(number, f"is not JSON in UTF-8: the file looks like {kind}")
            return
        else:
            yield parse_pair(line, number) if line.strip() else None


def _looks_like(line: bytes) -> str:
    kind = next((name for mark, name in _LOOKS_LIKE if line.startswith(mark)), "")
    if not kind and line.count(0) * 3 > len(line):  # in UTF-16, every second byte of Latin text is 0
        return _UTF_16
    return kind


def _bounded_lines(lines: Lines) -> Iterable[bytes | None]:
    """Yield each line, or None in place of a line that is longer than MAX_LINE_BYTES."""
    while line := lines.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := lines.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield None
        else:
            yield line


def parse_pair(line: bytes, number: int) -> FilePair | BadLine:
    """Parse one line: a JSON object with the keys ``id``, ``request``, ``baseline`` and ``candidate``.

    Each of the last three is a body: an object, a list, or a string (SSE or plain text). Optional keys are ``path``,
    ``baseline_status``, ``baseline_content_type``, ``candidate_status`` and ``candidate_content_type``.
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
        return BadLine(number, "has a body that is nested too deeply to be read")
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
    found = {key: body or b"" for key, body in bodies.items()}
    return FilePair(number, raw["id"], path=path, statuses=statuses, content_types=kinds, **found)


def _responses(raw: Mapping[str, object]) -> tuple[tuple[int, int], tuple[str, str]] | str:
    """Return a tuple: the statuses of both sides and the content types of both sides.

    If one of them is invalid, return a description of the problem instead.
    """
    statuses: list[int] = []
    kinds: list[str] = []
    for side in SIDES:
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
