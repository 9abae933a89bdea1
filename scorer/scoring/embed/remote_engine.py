"""The remote engine: a client of an OpenAI-compatible ``/v1/embeddings`` endpoint (TEI, vLLM, Ollama, a cloud API).

It sends one request at a time, so its throughput adapts to the server. If the server is slow, pairs wait in Redis. If
the server does not answer, the engine repeats the request with growing pauses. If all attempts fail, ``embed`` raises
an error, and the score loop tries the batch again.
"""

from __future__ import annotations

import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glidepath.config.processes import EmbedderSection
from glidepath.errors import UnreachableError, error_text
from glidepath.redisio import read_secret
from scorer.scoring.embed.engine_protocol import Span, Vectors
from scorer.scoring.embed.token_estimate import approximate_spans
from scorer.scoring.embed.valid_unicode import well_formed

MAX_REPLY_BYTES = 64 * 2**20
_DEFAULT_BATCH = 32  # larger than a local batch, because each request has a fixed cost
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


class RemoteEmbedder:
    """Sends texts to the configured embedding server. ``dimensions`` is 0 until the first reply."""

    max_tokens = 254  # the limit of the smallest common model (MiniLM); the token estimate is too high, so it is safe

    def __init__(
        self,
        section: EmbedderSection,
        *,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the client, but do not connect yet. Raises ConfigError if the credential is missing.

        Only tests set ``pause`` (sleep for a few seconds) and ``clock`` (return the current time in seconds).
        """
        base = str(section.url)
        self._url = f"{base if base.endswith('/v1') else f'{base}/v1'}/embeddings"
        self._model = section.model
        self._batch = section.batch if "batch" in section.model_fields_set else _DEFAULT_BATCH
        self._timeout = section.timeout
        self._credential = read_secret(section.credential) if section.credential else None
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._pause, self._clock = pause, clock
        self.name = f"remote:{section.model}"
        self.dimensions = 0

    def spans(self, text: str) -> Sequence[Span]:
        return approximate_spans(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one vector for each text, in order.

        Raises UnreachableError with the URL and the last failure: after about 2 × ``timeout`` without success, or at
        once after a failure that a further attempt would repeat.
        """
        deadline = self._clock() + 2 * self._timeout
        parts = [self._ask(texts[start : start + self._batch], deadline) for start in range(0, len(texts), self._batch)]
        return np.concatenate(parts) if parts else np.empty((0, self.dimensions), np.float32)

    def _ask(self, texts: Sequence[str], deadline: float) -> Vectors:
        """Return the vectors of one batch. After a failure that may be temporary, try again until ``deadline``.

        At least one attempt is made. Raises UnreachableError if no attempt succeeds.
        """
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return self._once(texts)
            except ReplyError as failure:
                left = deadline - self._clock()
                wait = max(failure.retry_after, pause * random.uniform(0.5, 1.0))
                if not failure.retryable or wait >= left:
                    raise UnreachableError(f"scorer.embedder.url: {self._url}: {failure}") from failure
            self._pause(wait)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _once(self, texts: Sequence[str]) -> Vectors:
        inputs = [well_formed(text) or " " for text in texts]  # servers reject a whole batch for one empty text
        body = json.dumps({"model": self._model, "input": inputs, "encoding_format": "float"}).encode()
        headers = {"content-type": "application/json"}
        if self._credential is not None:
            headers["authorization"] = f"Bearer {self._credential}"
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310 - http or https by the configuration
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                raw = response.read(MAX_REPLY_BYTES + 1)
        except urllib.error.HTTPError as error:
            retry_after = _seconds(error.headers.get("retry-after"))
            raise ReplyError(f"HTTP {error.code}", retryable=error.code in _RETRIED, retry_after=retry_after) from error
        except (OSError, http.client.HTTPException) as error:  # URLError, timeout, reset, incomplete reply
            raise ReplyError(error_text(_cause(error)), retryable=True) from error
        vectors = read_reply(raw, len(texts))
        self.dimensions = vectors.shape[1]
        return vectors


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Handles a redirect as an error, because following the redirect could send the credential to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


class ReplyError(Exception):
    """A request failed. ``retryable`` is True if a repeated request may succeed."""

    def __init__(self, message: str, *, retryable: bool, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retryable, self.retry_after = retryable, retry_after


def read_reply(raw: bytes, count: int) -> Vectors:
    """Return the ``count`` vectors in a reply, scaled to length 1, in the order of the request's texts.

    Raises ReplyError if the reply is invalid.
    """
    if len(raw) > MAX_REPLY_BYTES:
        raise ReplyError(f"a reply of more than {MAX_REPLY_BYTES} bytes", retryable=False)
    try:
        data = json.loads(raw)["data"]
        rows: list[Any] = [None] * count
        for position, item in enumerate(data):
            rows[int(item.get("index", position))] = item["embedding"]
        vectors = np.asarray(rows, np.float32)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise ReplyError(f"the reply is not a list of {count} embeddings", retryable=False) from error
    if vectors.ndim != 2 or vectors.shape[1] == 0 or len(data) != count:
        raise ReplyError(f"the reply has {len(data)} embeddings for {count} texts", retryable=False)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise ReplyError("the reply has a vector of length 0 or with a value that is not finite", retryable=False)
    unit: Vectors = vectors / norms
    return unit


def _cause(error: Exception) -> BaseException:
    """Return the error that urllib's URLError wraps, or the error itself."""
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, BaseException) else error


def _seconds(value: str | None) -> float:
    return min(float(value), _LONGEST_PAUSE_S * 4) if value and value.isdecimal() else 0.0
