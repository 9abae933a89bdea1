"""The answers of the fault BODY: all have status 200, but their bodies are useless."""

from __future__ import annotations

import random

from glidepath_ops.demo.openai_api import DONE, ChatRequest, chunks, error

LOGIN_PAGE = b"<!DOCTYPE html><html><body>Please sign in to continue.</body></html>"
JSON, STREAM, HTML = "application/json", "text/event-stream", "text/html"


def broken_body(request: ChatRequest, model: str, rng: random.Random) -> tuple[str, bytes]:
    """Return the content type and the body of a broken answer.

    A streamed answer has an error event, ends too early, or contains only ``[DONE]``. Any other answer is a web page,
    an error message, or empty.
    """
    if not request.stream:
        return rng.choice([(HTML, LOGIN_PAGE), (JSON, error("the engine died", "server_error")), (JSON, b"")])
    begun = b"".join(list(chunks("chatcmpl-0", 0, model, request, "The answer begins, and then"))[:-1])
    failed = b"data: " + error("the engine died", "server_error") + b"\n\n"
    return STREAM, rng.choice([begun + failed + DONE, begun, DONE])
