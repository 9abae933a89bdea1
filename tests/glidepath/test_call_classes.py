"""Tests of the table of call classes, which Envoy, extproc and the extractors share."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.call_classes import (
    BY_BODY,
    CALL_FORMS,
    INFERENCE_PATHS,
    NOT_INFERENCE,
    CallClass,
    asks_for_stream,
    call_class,
    may_be_copied,
)
from scorer.scoring.answers.answer import Surface
from scorer.scoring.answers.request_expectation import surface_of_path

READ = [
    "/v1/chat/completions",
    "/v1/chat/completions?api-version=2024-10-21",
    "/openai/deployments/gpt/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
    "/generate",
    "/generate_stream",
    "/completion",
    "/infill",
    "/chat/completions",
    "/openai/v1/responses",
    "/v1/fim/completions",
    "/invocations",
    "/endpoints/e/invocations",
    "/serving-endpoints/e/invocations",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/api/embeddings",
    "/v1/rerank",
    "/v2/chat",
    "/v2/embed",
    "/embed_all",
    "/predict",
    "/v2/models/bert/infer",
    "/v2/models/llm/generate_stream",
    "/v1/models/bert:predict",
    "/v1/models/bert/versions/3:predict",
    "/hf-inference/models/org/e5/pipeline/feature-extraction",
    "/score",
    "/v1/score",
    "/classify",
    "/api/v0/chat/completions",
    "/openai/deployments/gpt/embeddings?api-version=2024-10-21",
    "/openai/v1/chat/completions",
    "/v2/models/bert/versions/3/generate",
    "/v1beta/models/gemini:generateContent",
    "/v1beta/tunedModels/ours:generateContent",
    "/v1beta/tunedModels/ours:streamGenerateContent?alt=sse",
    "/model/claude/converse-stream",
    "/model/claude/invoke",
    "/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:rawPredict",
    "/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:streamRawPredict",
]
UNREAD = [
    "/v1/moderations",
    "/v1/chat/classifications",
    "/v1/ocr",
    "/v1/complete",
    "/v1beta/interactions",
    "/endpoints/e/invocations-response-stream",
    "/v1/audio/transcriptions",
    "/v1/images/generations",
    "/v1/projects/p/endpoints/e:predict",
    "/v1beta/models/imagen-4:predict",
    "/v1/projects/p/endpoints/e:serverStreamingPredict",
]
MANAGEMENT = [
    ("POST", "/v1/files"),
    ("GET", "/v1/files/f1/content"),
    ("POST", "/v1/batches"),
    ("POST", "/v1/messages/batches"),
    ("POST", "/v1/fine_tuning/jobs"),
    ("POST", "/api/pull"),
    ("DELETE", "/api/delete"),
    ("DELETE", "/v1/models/m"),
    ("DELETE", "/v1beta/tunedModels/ours"),
    ("PUT", "/v1/chat/completions"),
]
STATEFUL = [
    ("POST", "/v1/threads/t1/messages"),
    ("POST", "/v1/threads/t1/runs"),
    ("POST", "/v1/assistants"),
    ("POST", "/v1/responses/r1/cancel"),
    ("GET", "/v1/responses/r1"),
    ("POST", "/v1beta/interactions/i1/cancel"),
    ("DELETE", "/v1/responses/r1"),
    ("POST", "/v1/conversations/c1/responses"),
    ("POST", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprompt%2FABC%3A1/converse"),
    ("POST", "/model/arn:aws:bedrock:us-east-1:1:prompt/ABC:1/converse-stream"),
]
UNKNOWN = [
    ("POST", "/admin/reload"),
    ("POST", "/"),
    ("POST", "*"),
    ("POST", ""),
    ("POST", "http://elsewhere/v1/chat/completions"),
    ("GET", "/v1/models"),
    ("GET", "/v1/responses"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict"),
    ("POST", "/api/v1/models/load"),
    ("POST", "/tokenize"),
    ("POST", "/endpoints/e/async-invocations"),
    ("POST", "/async-invoke"),
    ("POST", "/v2/repository/models/m/load"),
    ("POST", "/pooling"),
    ("POST", "/v1beta/tunedModels"),
    ("GET", "/v1beta/tunedModels/ours"),
    ("POST", "/v1beta/tunedModels/ours:transferOwnership"),
    ("OPTIONS", "/v1/chat/completions"),
]


@pytest.mark.parametrize("path", READ)
def test_an_inference_call_whose_answer_the_extractors_read_may_be_copied(path: str) -> None:
    assert call_class("POST", path) is CallClass.INFERENCE
    assert may_be_copied("POST", path)
    assert not may_be_copied("GET", path)


@pytest.mark.parametrize("path", UNREAD)
def test_an_inference_call_whose_answer_nothing_reads_is_split_and_not_copied(path: str) -> None:
    assert call_class("POST", path) is CallClass.INFERENCE
    assert not may_be_copied("POST", path)
    assert not may_be_copied("POST", path, exact=path)


@pytest.mark.parametrize(
    ("found", "calls"),
    [(CallClass.MANAGEMENT, MANAGEMENT), (CallClass.STATEFUL, STATEFUL), (CallClass.UNKNOWN, UNKNOWN)],
)
def test_other_calls_are_never_copied(found: CallClass, calls: list[tuple[str, str]]) -> None:
    for method, path in calls:
        assert call_class(method, path) is found, (method, path)
        assert not may_be_copied(method, path)


def test_a_call_that_asks_for_another_protocol_is_an_upgrade() -> None:
    assert call_class("GET", "/v1/responses", upgrade=True) is CallClass.UPGRADE
    assert call_class("POST", "/v1/chat/completions", upgrade=True) is CallClass.UPGRADE


def test_the_exact_path_of_a_workload_is_inference_unless_it_is_known_to_be_something_else() -> None:
    assert may_be_copied("POST", "/predict-churn/?v=2", "/predict-churn")
    assert not may_be_copied("POST", "/predict-churn/?v=2", None)
    assert not may_be_copied("POST", "/v1/files", "/v1/files")


def test_the_extractors_know_every_form_of_the_table() -> None:
    known = {form.surface for form in CALL_FORMS} - {"", BY_BODY}
    assert known <= set(Surface)
    assert surface_of_path("/v1/chat/completions?x=1") is Surface.OPENAI_CHAT
    assert surface_of_path("/model/claude/invoke") is Surface.UNKNOWN


def test_every_format_of_the_extractors_has_a_form_in_the_table() -> None:
    on_paths_of_others = {Surface.SGLANG_GENERATE, Surface.VLLM_SCORE, Surface.VLLM_CLASSIFY}
    without_path = {Surface.CUSTOM, Surface.UNKNOWN, Surface.PLAIN_TEXT}
    assert set(Surface) - {form.surface for form in CALL_FORMS} == on_paths_of_others | without_path


@pytest.mark.parametrize(
    ("path", "wanted", "is_stream"),
    [
        ("/v1/chat/completions", True, True),
        ("/v1/chat/completions", None, False),
        ("/v1/chat/completions", False, False),
        ("/v1/chat/completions", "true", False),
        ("/v1beta/models/g:streamGenerateContent?alt=sse", None, True),
        ("/v1beta/models/g:generateContent", None, False),
        ("/v1/models/c:streamRawPredict", None, True),
        ("/model/c/converse-stream/", None, True),
        ("/model/c/invoke-with-response-stream", None, True),
        ("/generate_stream", None, True),
        ("/endpoints/e/invocations-response-stream", None, True),
        ("/invocations", True, True),
        ("/invocations", None, False),
        ("/generate", None, False),
        ("/api/chat", None, True),
        ("/api/chat", True, True),
        ("/api/chat", False, False),
        ("/api/generate?x=/api/chat", None, True),
        ("/api/embed?x=/api/chat", None, False),
    ],
)
def test_the_path_or_the_body_of_a_call_asks_for_a_stream(path: str, wanted: object, *, is_stream: bool) -> None:
    assert asks_for_stream(path, wanted) is is_stream


PIECES = st.sampled_from(
    [
        *("/", "?", "v1", "files", "chat", "completions", "responses", "messages", "generate", ":predict"),
        *("model/arn:prompt/A", "arn%3aprompt%2fA/converse", "models/count-tokens", ":rawPredict"),
    ]
)


@given(st.lists(PIECES, max_size=8).map(lambda pieces: "/" + "".join(pieces)))
def test_envoys_conditions_admit_exactly_the_inference_calls(path: str) -> None:
    admitted = re.fullmatch(INFERENCE_PATHS, path) is not None and re.fullmatch(NOT_INFERENCE, path) is None
    inference = call_class("POST", path) is CallClass.INFERENCE
    # What lies below the Responses API's path ends like an inference call only by an odd id, and Envoy splits it.
    assert admitted == inference or "/responses/" in path or "/interactions/" in path
