"""Reads the token usage that a backend states in its answer, in the format of any provider.

The work is bounded: a few searches through the body, and the parsing of a few small JSON objects. Providers count
differently, and this module converts their numbers to one form (``TokenUsage``):

- OpenAI's ``prompt_tokens`` and ``input_tokens``, and Gemini's ``promptTokenCount``, include the cached tokens.
  Anthropic's ``input_tokens`` and Bedrock's ``inputTokens`` do not: cached tokens have fields of their own.
- OpenAI's ``completion_tokens`` includes the reasoning tokens. Gemini's ``candidatesTokenCount`` does not.

Sources: platform.openai.com/docs/api-reference/chat and /responses, docs.anthropic.com/en/api/messages and
/prompt-caching, ai.google.dev/api/generate-content (UsageMetadata), docs.aws.amazon.com/bedrock (TokenUsage),
docs.cohere.com/reference/chat, docs/api.md of github.com/ollama/ollama, and the documentation of TGI and of llama.cpp.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from glidepath.token_usage import MOST_TOKENS, ServiceTier, TokenSource, TokenUsage

BYTES_PER_TOKEN = 4
_FIRST, _LAST = 2, 4  # objects that are read from the beginning and from the end of a body
_WINDOW = 8 * 1024  # bytes of the largest usage object
# SGLang's own format has the numbers in meta_info.
_NAMES = (b'"usage"', b'"usageMetadata"', b'"billed_units"', b'"amazon-bedrock-invocationMetrics"', b'"meta_info"')
# An event of Bedrock's InvokeModelWithResponseStream has the model's own event in base64.
_WRAPPED, _CHUNK = b'"bytes"', re.compile(rb'\s*:\s*"([A-Za-z0-9+/]{1,16384}={0,2})"')
_OBJECT = re.compile(rb"\s*:\s*(?=\{)")
_TIER = re.compile(rb'"service_tier"\s*:\s*"(\w{1,20})"')
_TIERS = {"batch": ServiceTier.BATCH, "flex": ServiceTier.BATCH, "priority": ServiceTier.PRIORITY}
# Ollama, TGI and llama.cpp write these numbers among other keys, not in a usage object.
_LOOSE = {
    "prompt_eval_count": re.compile(rb'"prompt_eval_count"\s*:\s*(\d{1,9})\b'),
    "eval_count": re.compile(rb'"eval_count"\s*:\s*(\d{1,9})\b'),
    "input_length": re.compile(rb'"input_length"\s*:\s*(\d{1,9})\b'),
    "generated_tokens": re.compile(rb'"generated_tokens"\s*:\s*(\d{1,9})\b'),
    "tokens_evaluated": re.compile(rb'"tokens_evaluated"\s*:\s*(\d{1,9})\b'),
    "tokens_predicted": re.compile(rb'"tokens_predicted"\s*:\s*(\d{1,9})\b'),
}
_DECODER = json.JSONDecoder()


def token_usage(request_bytes: int, answer: bytes) -> TokenUsage:
    """Return the tokens that an answer states, or an estimate if it states none. ``answer`` has no content encoding."""
    return read_usage(answer) or estimated_usage(request_bytes, answer)


def read_usage(answer: bytes) -> TokenUsage | None:
    """Return the token usage that an answer states. Return None if it states none, or only zeros.

    A stream may state it several times: the numbers grow, or later events add missing numbers. A later number that is
    not zero replaces an earlier one.
    """
    found: dict[str, Any] = {}
    answer = _unwrapped(answer)
    for one in _objects(answer):
        found |= {key: value for key, value in one.items() if value}
    usage = usage_from(found) or _loose_usage(answer)
    if usage is None:
        return None
    tier = _tier(answer)
    return usage if tier is ServiceTier.STANDARD else replace(usage, tier=tier)


def estimated_usage(request_bytes: int, answer: bytes) -> TokenUsage:
    """Return an estimate of the tokens, from the length of the bodies.

    Four bytes of the request count as a token. An event of the answer counts as a token; without events, four bytes do.
    """
    events = answer.count(b"\ndata:") + answer.startswith(b"data:") or answer.count(_WRAPPED + b':"')
    output = events or len(answer) // BYTES_PER_TOKEN
    return TokenUsage(request_bytes // BYTES_PER_TOKEN, output, source=TokenSource.ESTIMATED)


def usage_from(found: Mapping[str, Any]) -> TokenUsage | None:
    """Return the usage in a provider's usage object, or None if it has no known number above zero."""
    if isinstance(found.get("billed_units"), dict):  # Cohere: the tokens that it charges for
        found = found["billed_units"]
    for names, read in _FORMS:
        if found.keys().isdisjoint(names):
            continue
        usage = read(found)
        if usage.input or usage.output:
            return usage
    return None


def _openai_or_anthropic(found: Mapping[str, Any]) -> TokenUsage:
    inside = _details(found, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    written = _details(found, "completion_tokens_details", "output_tokens_details", "output_token_details")
    output = _count(found, "completion_tokens", "output_tokens")
    reasoning = _count(written, "reasoning_tokens", "thinking_tokens")
    read, write, write_1h = _anthropic_cache(found)
    if "prompt_tokens" in found or "input_tokens" not in found:
        total = _count(found, "prompt_tokens")  # includes cached tokens, even from proxies that rename Anthropic's keys
        if reasoning and _count(found, "total_tokens") == total + output + reasoning:
            output += reasoning  # xAI does not include reasoning in the completion
    else:
        total = _count(found, "input_tokens") + read + write + write_1h
    return TokenUsage(
        total,
        output,
        read or _count(inside, "cached_tokens") or _count(found, "prompt_cache_hit_tokens", "cached_tokens"),
        write or _count(inside, "cache_write_tokens", "cache_creation_tokens"),
        write_1h,
        _not_cached(_count(inside, "audio_tokens"), _count(_details(inside, "cached_tokens_details"), "audio_tokens")),
        min(reasoning, output),
        _count(written, "audio_tokens"),
    )


def _anthropic_cache(found: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the tokens read from the cache, written for five minutes, and written for an hour."""
    write = _count(found, "cache_creation_input_tokens")
    long = min(_count(_details(found, "cache_creation"), "ephemeral_1h_input_tokens"), write)
    return _count(found, "cache_read_input_tokens"), write - long, long


def _gemini(found: Mapping[str, Any]) -> TokenUsage:
    thoughts = _count(found, "thoughtsTokenCount")
    return TokenUsage(
        _count(found, "promptTokenCount") + _count(found, "toolUsePromptTokenCount"),
        _count(found, "candidatesTokenCount", "responseTokenCount") + thoughts,
        _count(found, "cachedContentTokenCount"),
        audio_input=_not_cached(
            _of_audio(found.get("promptTokensDetails")), _of_audio(found.get("cacheTokensDetails"))
        ),
        reasoning=thoughts,
        audio_output=_of_audio(found.get("candidatesTokensDetails") or found.get("responseTokensDetails")),
    )


def _not_cached(audio: int, cached: int) -> int:
    """Return the audio tokens that were not read from the cache: each token has only one kind, and so one price."""
    return max(0, audio - cached)


def _of_audio(details: object) -> int:
    """Return the audio tokens in Gemini's list of tokens by modality."""
    entries = details[:16] if isinstance(details, list) else []
    return sum(_count(one, "tokenCount") for one in entries if isinstance(one, dict) and one.get("modality") == "AUDIO")


def _bedrock(found: Mapping[str, Any]) -> TokenUsage:
    read, write = _count(found, "cacheReadInputTokens"), _count(found, "cacheWriteInputTokens")
    details = found.get("cacheDetails")
    entries = [one for one in details[:16] if isinstance(one, dict)] if isinstance(details, list) else []
    long = min(sum(_count(one, "inputTokens") for one in entries if one.get("ttl") == "1h"), write)
    total = _count(found, "inputTokens") + read + write
    return TokenUsage(total, _count(found, "outputTokens"), read, write - long, long)


def _invocation_metrics(found: Mapping[str, Any]) -> TokenUsage:
    read, write = _count(found, "cacheReadInputTokenCount"), _count(found, "cacheWriteInputTokenCount")
    total = _count(found, "inputTokenCount") + read + write
    return TokenUsage(total, _count(found, "outputTokenCount"), read, write)


# For each form: the numbers that it must have at least one of, and the function that reads it. The first match counts.
_FORMS: tuple[tuple[tuple[str, ...], Callable[[Mapping[str, Any]], TokenUsage]], ...] = (
    (
        (
            "promptTokenCount",
            "toolUsePromptTokenCount",
            "candidatesTokenCount",
            "responseTokenCount",
            "thoughtsTokenCount",
        ),
        _gemini,
    ),
    (("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"), _bedrock),
    (("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"), _openai_or_anthropic),
    (
        ("inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"),
        _invocation_metrics,
    ),
)


def _unwrapped(answer: bytes) -> bytes:
    """Return the model's events near the start and the end of a Bedrock stream, without their base64 encoding.

    Return any other answer unchanged.
    """
    if _WRAPPED not in answer:
        return answer
    chunks = [_CHUNK.match(answer, place) for place in sorted(set(_places(answer, _WRAPPED)))]
    texts = []
    for chunk in chunks:
        with suppress(ValueError):
            texts.append(base64.b64decode(chunk[1], validate=True) if chunk is not None else b"")
    return b"\n".join(texts) if any(text.startswith(b"{") for text in texts) else answer


def _loose_usage(answer: bytes) -> TokenUsage | None:
    """Return the usage that an answer of Ollama, TGI or llama.cpp states outside a usage object, or None."""
    numbers = {name: _last_number(answer, name, pattern) for name, pattern in _LOOSE.items()}
    read = numbers["prompt_eval_count"] or numbers["input_length"] or numbers["tokens_evaluated"]
    written = numbers["eval_count"] or numbers["generated_tokens"] or numbers["tokens_predicted"]
    return TokenUsage(read, written) if read or written else None


def _last_number(answer: bytes, name: str, pattern: re.Pattern[bytes]) -> int:
    at = answer.rfind(b'"%s"' % name.encode())
    found = pattern.match(answer, at) if at >= 0 else None
    return int(found[1]) if found else 0


def _objects(answer: bytes) -> Iterator[dict[str, Any]]:
    """Yield the usage objects near the start and near the end of a body, in order."""
    for place in sorted({place for name in _NAMES for place in _places(answer, name)}):
        start = _OBJECT.match(answer, place)
        if start is None:  # "usage": null, in each event but the last
            continue
        text = answer[start.end() : start.end() + _WINDOW].decode("utf-8", "replace")
        try:
            value, _ = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            continue
        yield value


def _places(answer: bytes, name: bytes) -> Iterator[int]:
    """Yield the end positions of the first and the last occurrences of a key."""
    at = answer.find(name)
    for _ in range(_FIRST):
        if at < 0:
            return
        yield at + len(name)
        at = answer.find(name, at + 1)
    at = answer.rfind(name)
    for _ in range(_LAST):
        if at < 0:
            return
        yield at + len(name)
        at = answer.rfind(name, 0, at)


def _tier(answer: bytes) -> ServiceTier:
    at = answer.rfind(b'"service_tier"')
    found = _TIER.match(answer, at) if at >= 0 else None
    return _TIERS.get(found[1].decode(), ServiceTier.STANDARD) if found else ServiceTier.STANDARD


def _details(found: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = found.get(name)
        if isinstance(value, dict):
            return value
    return {}


def _count(found: Mapping[str, Any], *names: str) -> int:
    """Return the value of the first of ``names`` that is a number of tokens above zero, or 0 if there is none."""
    for name in names:
        value = found.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MOST_TOKENS:
            return int(value)
    return 0
