"""Builds the probe requests of a workload from its configured prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glidepath.config import Config
from glidepath.errors import InputError

MAX_FILE_BYTES = 16 * 2**20
MAX_LINES = 10_000
LABEL_CHARS = 60
ANTHROPIC_MAX_TOKENS = 1024  # the Messages API requires max_tokens
ANTHROPIC_VERSION = "2023-06-01"


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """One synthetic request. ``label``: the start of its prompt, which identifies it in messages."""

    path: str
    body: bytes
    label: str
    headers: Mapping[str, str] = field(default_factory=dict)


def probe_requests(config: Config, workload: str) -> tuple[ProbeRequest, ...]:
    """Return the requests for all prompts of a workload: first ``probes.prompts``, then the prompts in ``probes.file``.

    Raises InputError if the workload has no probes, if the file is unreadable or invalid, or if the path of a prompt
    belongs to an unknown API.
    """
    settings = config.workload(workload)
    probes = settings.probes
    path = (probes.path if probes else None) or settings.match.path
    if probes is None or path is None:
        raise InputError(f"workloads.{workload}: has no probes section, so there is nothing to send")
    model = probes.model or config.backends[settings.baseline].model or config.backends[settings.candidate].model
    lines: Sequence[Any] = (*probes.prompts, *(read_jsonl(Path(probes.file)) if probes.file else ()))
    return tuple(_request(path, line, model or "default") for line in lines)


def read_jsonl(file: Path) -> list[str | dict[str, Any]]:
    """Return the request bodies and prompts in a JSONL file, one for each non-empty line.

    Raises InputError if the file cannot be read or is too long, or if a line is invalid. The message gives the line
    number.
    """
    try:
        with file.open("rb") as source:
            raw = source.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"probes.file: {file}: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise InputError(f"probes.file: {file}: longer than {MAX_FILE_BYTES} bytes")
    lines = raw.decode("utf-8", "replace").splitlines()
    return [_line(file, number, text) for number, text in enumerate(lines[:MAX_LINES], 1) if text.strip()]


def _line(file: Path, number: int, text: str) -> str | dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"probes.file: {file}:{number}: is not JSON: {str(error)[:100]}") from error
    if not isinstance(value, str | dict):
        raise InputError(f"probes.file: {file}:{number}: must be a request body (an object) or a prompt (a text)")
    return value


def _request(path: str, line: str | dict[str, Any], model: str) -> ProbeRequest:
    headers = {"anthropic-version": ANTHROPIC_VERSION} if _last_segment(path) == "messages" else {}
    if isinstance(line, dict):
        return ProbeRequest(path, json.dumps(line).encode(), _label(json.dumps(line, ensure_ascii=False)), headers)
    return ProbeRequest(path, json.dumps(body_of(path, line, model)).encode(), _label(line), headers)


def _label(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LABEL_CHARS else flat[: LABEL_CHARS - 1] + "…"


def _last_segment(path: str) -> str:
    return path.partition("?")[0].rstrip("/").rpartition("/")[2]


def body_of(path: str, prompt: str, model: str) -> dict[str, Any]:
    """Return a request body that contains ``prompt``, for the API at ``path``. Raises InputError for an unknown API."""
    messages = [{"role": "user", "content": prompt}]
    plain, segment = path.partition("?")[0].rstrip("/"), _last_segment(path)
    if plain.endswith("/chat/completions"):
        return {"model": model, "messages": messages}
    if plain.endswith("/api/chat"):
        return {"model": model, "messages": messages, "stream": False}
    if plain.endswith("/api/generate"):
        return {"model": model, "prompt": prompt, "stream": False}
    forms: dict[str, dict[str, Any]] = {
        "completions": {"model": model, "prompt": prompt},
        "embeddings": {"model": model, "input": prompt},
        "responses": {"model": model, "input": prompt},
        "messages": {"model": model, "messages": messages, "max_tokens": ANTHROPIC_MAX_TOKENS},
        "generate": {"inputs": prompt},
    }
    if segment not in forms:
        known = ", ".join(f"…/{name}" for name in ("chat/completions", "api/chat", "api/generate", *forms))
        raise InputError(
            f"probes: cannot build a request from a prompt for {path} (known: {known}); use a file of bodies"
        )
    return forms[segment]
