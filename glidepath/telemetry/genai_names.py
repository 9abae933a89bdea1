"""The names of OpenTelemetry's GenAI conventions, and their values for a backend and a path. Pure.

Source: open-telemetry/semantic-conventions-genai, model/gen-ai (status: development).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from glidepath.call_classes import form_of_path
from glidepath.config import Config

DURATION = "gen_ai.client.operation.duration"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105 - not a secret
EVALUATION = "gen_ai.evaluation.result"
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
STREAM = "gen_ai.request.stream"
FIRST_CHUNK_OF_SPAN = "gen_ai.response.time_to_first_chunk"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - not a secret
EVALUATION_NAME = "gen_ai.evaluation.name"
SCORE = "gen_ai.evaluation.score.value"
SCORE_LABEL = "gen_ai.evaluation.score.label"
EXPLANATION = "gen_ai.evaluation.explanation"
ADDRESS, PORT = "server.address", "server.port"
STATUS, ERROR = "http.response.status_code", "error.type"
WORKLOAD, SIDE, ORIGIN = "glidepath.workload", "glidepath.side", "glidepath.origin"
BACKEND, PAIR, PAIR_KIND = "glidepath.backend", "glidepath.pair.id", "glidepath.pair.kind"
# The boundaries that the conventions advise, in seconds and in tokens.
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))

Attributes = dict[str, str | int | float | bool]

# By the end of the host's name. A private server is named by its API, as the conventions require.
_HOSTS = (
    ("openai.azure.com", "azure.ai.openai"),
    ("services.ai.azure.com", "azure.ai.inference"),
    ("openai.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("amazonaws.com", "aws.bedrock"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("cohere.com", "cohere"),
    ("cohere.ai", "cohere"),
    ("mistral.ai", "mistral_ai"),
    ("groq.com", "groq"),
    ("deepseek.com", "deepseek"),
    ("perplexity.ai", "perplexity"),
    ("x.ai", "x_ai"),
)
_PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "gemini": "gcp.gemini",
    "bedrock": "aws.bedrock",
}
_OPERATIONS = {
    "openai.completions": "text_completion",
    "ollama.generate": "text_completion",
    "tgi.generate": "text_completion",
    "llamacpp.completion": "text_completion",
    "openai.embeddings": "embeddings",
    "ollama.embed": "embeddings",
    "cohere.embed": "embeddings",
    "tei.embed": "embeddings",
    "gemini.generate_content": "generate_content",
}


def operation_of(path: str) -> str:
    """Return the value of gen_ai.operation.name for a request's path. Default: chat, the most frequent operation."""
    form = form_of_path(path)
    return _OPERATIONS.get(form.surface, "chat") if form is not None else "chat"


def provider_of(url: str, path: str) -> str:
    """Return the value of gen_ai.provider.name.

    It follows from the server's host name if this is a known provider's, else from the path.
    """
    host = urlsplit(url).hostname or ""
    for end, provider in _HOSTS:
        if host == end or host.endswith(f".{end}"):
            return provider
    form = form_of_path(path)
    return _PROVIDERS.get(form.surface.partition(".")[0], "openai") if form is not None else "openai"


def backend_attributes(config: Config, backend: str, path: str) -> Attributes:
    """Return the conventional attributes of a request to ``backend``: operation, provider, model and server."""
    settings = config.backends[backend]
    url = str(settings.url or "")
    parts = urlsplit(url)
    found: Attributes = {OPERATION: operation_of(path), PROVIDER: provider_of(url, path), BACKEND: backend}
    if settings.model:
        found[MODEL] = settings.model
    if parts.hostname:
        found[ADDRESS] = parts.hostname
        found[PORT] = parts.port or (443 if parts.scheme == "https" else 80)
    return found


def path_of_workload(config: Config, workload: str) -> str:
    """Return a typical path of the workload's requests, from which the operation is derived if no request is known."""
    settings = config.workload(workload)
    return settings.match.path or ("/v1/embeddings" if settings.task == "embeddings" else "/v1/chat/completions")


def span_name(attributes: Mapping[str, object]) -> str:
    """Return the name of a span as the conventions require it: operation and model."""
    return " ".join(str(attributes[name]) for name in (OPERATION, MODEL) if name in attributes)
