"""The classes of calls to an AI server: one table for Envoy's routes, for extproc and for the extractors of answers.

- ``inference``: a POST that computes an answer. It is split, and copied if the extractors can read the answer.
- ``stateful``: a call about state that the server keeps, such as threads. It goes to the baseline and is never copied.
- ``management``: files, batches, models and other changes of a server. Such a call goes to the baseline, and is not
  renamed, retried or copied.
- ``upgrade``: a WebSocket, even on an inference path. It is passed through to the baseline.
- ``unknown``: all other calls. They go to the baseline and are never copied.

The patterns use only syntax that RE2 (Envoy) and Python read alike. See ADR 0300.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class CallClass(StrEnum):
    """The class of a call to an AI server."""

    INFERENCE = "inference"
    STATEFUL = "stateful"
    MANAGEMENT = "management"
    UPGRADE = "upgrade"
    UNKNOWN = "unknown"


class CallForm(NamedTuple):
    """A form of inference call: the end of its paths, and the API format (``Surface``) of its answers.

    ``surface``: BY_BODY if the format depends on the model that the path names; "" if no extractor reads the answers.
    """

    pattern: str
    surface: str


BY_BODY = "by_body"

# The first form that fits a path is its form.
CALL_FORMS: tuple[CallForm, ...] = (
    CallForm(r"/chat/completions", "openai.chat"),
    CallForm(r"/completions", "openai.completions"),
    CallForm(r"/(completion|infill)", "llamacpp.completion"),
    CallForm(r"/responses", "openai.responses"),
    CallForm(r"/messages", "anthropic.messages"),
    CallForm(r"/api/chat", "ollama.chat"),
    CallForm(r"/api/generate", "ollama.generate"),
    CallForm(r"/api/embed(dings)?", "ollama.embed"),
    CallForm(r"/embeddings", "openai.embeddings"),
    CallForm(r"/v2/models/[^/?]+(/versions/[^/?]+)?/(infer|generate|generate_stream)", "kserve.infer"),
    CallForm(r"/generate(_stream)?", "tgi.generate"),
    CallForm(r"/v[12]/rerank", "cohere.rerank"),
    CallForm(r"/rerank", "tei.rerank"),
    CallForm(r"/v[12]/embed", "cohere.embed"),
    CallForm(r"/embed(_all|_sparse)?", "tei.embed"),
    CallForm(r"/pipeline/feature-extraction", "tei.embed"),  # Hugging Face's Inference Providers
    CallForm(r"/predict", "tei.predict"),
    CallForm(r"/v1/models/[^/:?]+(/(versions|labels)/[^/:?]+)?:predict", "tfserving.predict"),  # KServe v1 too
    CallForm(r"/v[12]/chat", "cohere.chat"),
    CallForm(r":(generateContent|streamGenerateContent)", "gemini.generate_content"),
    CallForm(r"/model/[^/?]+/converse(-stream)?", "bedrock.converse"),
    CallForm(r"/invoke(-with-response-stream)?", BY_BODY),
    CallForm(r":(rawPredict|streamRawPredict)", BY_BODY),
    CallForm(r"/invocations", BY_BODY),  # SageMaker, Databricks, MLflow
    CallForm(r"/(score|classify)", BY_BODY),  # vLLM; Azure ML, whose users define the format
    CallForm(r"/invocations-response-stream", ""),
    CallForm(r"/interactions", ""),  # Gemini
    CallForm(r"/complete", ""),  # Anthropic's API before Messages
    CallForm(r"/(moderations|classifications|ocr)", ""),
    CallForm(r"/infer", ""),
    CallForm(r":(predict|serverStreamingPredict|embedContent|batchEmbedContents)", ""),
    CallForm(r"/audio/(speech|transcriptions|translations)", ""),
    CallForm(r"/images/(generations|edits|variations)", ""),
)
# The ends of the paths of calls that are always answered with a stream, and of those that are answered with a stream
# unless the body says ``"stream": false`` (Ollama). All other calls ask for a stream by ``"stream": true``.
STREAMED_CALLS = (
    "/generate_stream",
    ":streamGenerateContent",
    ":streamRawPredict",
    "/converse-stream",
    "/invoke-with-response-stream",
    "/invocations-response-stream",
    ":serverStreamingPredict",
)
STREAMED_BY_DEFAULT = ("/api/chat", "/api/generate")
# The ends of paths whose requests are forms with a file (multipart), in which Envoy does not replace the model.
MULTIPART_CALLS = ("/audio/transcriptions", "/audio/translations", "/images/edits", "/images/variations")
# The path of a gRPC method, by its usual form: /package.Service/Method. A service without a package is not recognised,
# because its path could be that of any HTTP API.
_GRPC_METHOD = re.compile(r"/([A-Za-z_]\w*\.)+[A-Z]\w*/[A-Z]\w*")
# The ends of the paths of calls whose answers the server stores unless the body says ``"store": false``: OpenAI's
# Responses, and Gemini's Interactions. Calls below these paths are about a stored answer.
STORED_BY_DEFAULT = ("/responses", "/interactions")
# The same, and calls that can need other state of one server: of Ollama (``context``), and of the first version of
# Cohere's API (``conversation_id``). Other calls rarely need such state.
CALLS_WITH_STATE = (*STORED_BY_DEFAULT, "/api/generate", "/v1/chat")
# A path with one of these segments changes something on the server, or reads what such a call has left there.
MANAGEMENT_SEGMENTS = (
    "batches",
    "batchPredictionJobs",
    "cachedContents",
    "evals",
    "files",
    "fine-tunes",
    "fine_tunes",
    "fine_tuning",
    "organization",
    "uploads",
)
# A path with one of these segments belongs to a conversation that the server keeps.
STATEFUL_SEGMENTS = ("assistants", "containers", "conversations", "runs", "threads", "vector_stores")
# A prompt that Amazon Bedrock keeps, in place of the model. Only this account and region have it.
_STORED_PROMPT = r"[^?]*/model/[^/?]*(:|%3[aA])prompt(/|%2[fF])[^?]*"
# Anthropic's count of tokens on Vertex AI. Its path has the form of an inference call.
_COUNT_OF_TOKENS = r"[^?]*/models/count-tokens:rawPredict/*"

_ENDINGS = "|".join(form.pattern for form in CALL_FORMS)
# Paths of inference calls, with or without a query; a path must also not match NOT_INFERENCE.
INFERENCE_PATHS = rf"[^?]*({_ENDINGS})/*(\?.*)?"
_OTHER_SEGMENTS = rf"[^?]*/({'|'.join(MANAGEMENT_SEGMENTS + STATEFUL_SEGMENTS)})(/[^?]*)?"
NOT_INFERENCE = rf"({_OTHER_SEGMENTS}|{_STORED_PROMPT}|{_COUNT_OF_TOKENS})(\?.*)?"

_FORMS = tuple((re.compile(rf"{form.pattern}$"), form) for form in CALL_FORMS)
_ANY_FORM = re.compile(INFERENCE_PATHS)
_PROMPT_PATH, _COUNTING_PATH = re.compile(_STORED_PROMPT), re.compile(_COUNT_OF_TOKENS)
_OLLAMA_MANAGEMENT = re.compile(r"/api/(pull|push|create|copy|delete|blobs/[^/]*)$")
_CHANGES = ("DELETE", "PUT", "PATCH")


def form_of_path(path: str) -> CallForm | None:
    """Return the form of inference call that the end of ``path`` shows, or None. ``path`` must not contain a query."""
    bare = _bare(path)
    return next((form for pattern, form in _FORMS if pattern.search(bare)), None)


def is_grpc_method(path: str) -> bool:
    """Return whether a path has the usual form of a gRPC method."""
    return _GRPC_METHOD.fullmatch(path) is not None


def is_grpc_content_type(content_type: str) -> bool:
    """Return whether a content type is one of gRPC's, or of gRPC-Web's."""
    return content_type.lower().startswith("application/grpc")


@lru_cache(1024)
def has_known_answers(path: str) -> bool:
    """Return whether the end of a request's path shows an answer format that the extractors can read."""
    form = form_of_path(path)
    return form is not None and form.surface not in ("", BY_BODY)


def asks_for_stream(path: str, wanted: object) -> bool:
    """Return whether a call asks for a streamed answer. ``wanted``: the member ``stream`` of its body, or None."""
    bare = _bare(path)
    by_default = wanted is None and bare.endswith(STREAMED_BY_DEFAULT)
    return wanted is True or by_default or bare.endswith(STREAMED_CALLS)


@lru_cache(1024)
def call_class(method: str, path: str, exact: str | None = None, *, upgrade: bool = False) -> CallClass:
    """Return the class of a call. ``path`` may have a query.

    ``exact``: the workload's ``match.path``. A POST to this path is inference, even if the path has no known form.
    ``upgrade``: whether the call asks for another protocol (WebSocket).
    """
    if upgrade:
        return CallClass.UPGRADE
    bare = _bare(path)
    segments = set(bare.split("/"))
    if not segments.isdisjoint(MANAGEMENT_SEGMENTS) or _OLLAMA_MANAGEMENT.search(bare):
        return CallClass.MANAGEMENT
    if not segments.isdisjoint(STATEFUL_SEGMENTS) or any(f"{stored}/" in bare for stored in STORED_BY_DEFAULT):
        return CallClass.STATEFUL
    if _PROMPT_PATH.fullmatch(bare):
        return CallClass.STATEFUL
    if method in _CHANGES:
        return CallClass.MANAGEMENT
    if method != "POST" or not path.startswith("/") or _COUNTING_PATH.fullmatch(bare):
        return CallClass.UNKNOWN
    declared = exact is not None and bare == exact.rstrip("/")
    return CallClass.INFERENCE if declared or _ANY_FORM.fullmatch(path) else CallClass.UNKNOWN


def may_be_copied(method: str, path: str, exact: str | None = None) -> bool:
    """Return whether a call may be copied in order to compare the answers.

    It must be an inference call whose answers the extractors can read. A call whose path is ``exact`` and has no known
    form may be copied as well. The format of its answers is then recognised from their bodies.
    """
    if call_class(method, path, exact) is not CallClass.INFERENCE:
        return False
    form = form_of_path(path)
    return form is None or bool(form.surface)


def _bare(path: str) -> str:
    return path.partition("?")[0].rstrip("/")
