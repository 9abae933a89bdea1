"""Decides whether a backend can serve a request, from the declarations in its section of ``glidepath.yaml``.

A request that the candidate cannot serve stays at the baseline, is not copied, and is counted. A declaration may be
missing or wrong: if the candidate then refuses the request, Envoy sends it to the baseline (ADR 0312).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from glidepath.config.backends import Backend, Modality

OTHER_THAN_TEXT: tuple[Modality, ...] = ("audio", "file", "image", "video")
BYTES_PER_TOKEN = 4  # of text; a rough number is enough, because a refused request is rescued
FOREIGN_REASONING = "foreign_reasoning"  # why a request with reasoning signed by the baseline is not split
GRPC_MODEL = "grpc_model"  # why a gRPC call is not split: the candidate needs another name of the model (ADR 0590)
_DEEPEST = 12

# The types of parts of a message in the APIs of OpenAI, Anthropic, Cohere and vLLM.
_PARTS: Mapping[str, Modality] = {
    "image": "image", "image_url": "image", "input_image": "image", "input_audio": "audio", "audio_url": "audio",
    "audio": "audio", "video": "video", "video_url": "video", "input_video": "video", "input_file": "file",
    "file": "file", "document": "file",
}  # fmt: skip
_MIME_TYPES = ("mimeType", "mime_type", "media_type")
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_TURNS = ("messages", "input", "contents")


class Ineligible(StrEnum):
    """The reason why a backend cannot serve a request."""

    MAX_BODY = "max_body"
    CONTEXT = "context"
    MODALITIES = "modalities"
    TOOLS = "tools"


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The facts that decide whether a backend can serve a request.

    ``tokens``: an estimate of the tokens of the prompt and of the longest answer that the request allows.
    """

    body_bytes: int
    tokens: int = 0
    modalities: frozenset[Modality] = frozenset()
    tools: bool = False


def ineligible(backend: Backend, facts: RequestFacts) -> Ineligible | None:
    """Return the declaration of ``backend`` that excludes a request, or None if there is none."""
    if backend.max_body is not None and facts.body_bytes > backend.max_body:
        return Ineligible.MAX_BODY
    if backend.context is not None and facts.tokens > backend.context:
        return Ineligible.CONTEXT
    if backend.modalities is not None and not facts.modalities <= {*backend.modalities, "text"}:
        return Ineligible.MODALITIES
    return Ineligible.TOOLS if facts.tools and not backend.tools else None


def declares(backend: Backend) -> bool:
    """Return whether a backend declares that it cannot serve certain requests."""
    limits = (backend.max_body, backend.context, backend.modalities)
    return not backend.tools or any(limit is not None for limit in limits)


def facts_of(document: object, text_bytes: int, body_bytes: int) -> RequestFacts:
    """Return the facts about a request from its body: ``document`` is the parsed JSON.

    ``text_bytes``: the length of the body without pictures and other long strings that are not text.
    """
    if not isinstance(document, dict):
        return RequestFacts(body_bytes, text_bytes // BYTES_PER_TOKEN)
    answer = max((limit for name in _LIMITS if isinstance(limit := document.get(name), int)), default=0)
    modalities: set[Modality] = set()
    for name in _TURNS:
        _collect(document.get(name), modalities, 0)
    for name in document.get("modalities") or () if isinstance(document.get("modalities"), list) else ():
        if isinstance(name, str) and name in _PARTS:
            modalities.add(_PARTS[name])
    tools = bool(document.get("tools") or document.get("functions") or document.get("toolConfig"))
    return RequestFacts(body_bytes, text_bytes // BYTES_PER_TOKEN + max(answer, 0), frozenset(modalities), tools)


def _collect(value: object, found: set[Modality], depth: int) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for one in value:
            _collect(one, found, depth + 1)
    elif isinstance(value, dict):
        kind = value.get("type")
        if isinstance(kind, str) and kind in _PARTS:
            found.add(_PARTS[kind])
        for name in _MIME_TYPES:
            if isinstance(mime := value.get(name), str):
                found.add(_PARTS.get(mime.partition("/")[0], "file" if not mime.startswith("text/") else "text"))
        if value.get("images"):  # Ollama
            found.add("image")
        for name, inner in value.items():
            if name in ("image", "video", "document", "audio") and isinstance(inner, dict):  # Bedrock
                found.add(_PARTS[name])
            _collect(inner, found, depth + 1)
