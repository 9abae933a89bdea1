"""Tokens that are counted with a tokenizer of the model, where the backend states none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from extproc.answer_check import AnswerChecker, CheckedAnswer
from extproc.errors_missing_in_access_log import RefusedRequest
from extproc.outcome_classification import RequestOutcome
from extproc.token_counting import TokenCounters
from extproc.tokenized_texts import MOST_BYTES, answer_text, request_text
from extproc.traffic_counters import TrafficCounters
from glidepath.sides import Origin, Side
from glidepath.token_usage import TokenSource, TokenUsage
from tests.support.in_memory_extproc import capture_config
from tests.support.token_usages import sse
from tests.support.waiting import eventually

ASKED = {
    "model": "a model name",
    "messages": [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "two words"}, {"type": "image_url", "image_url": {"url": "x"}}],
        },
    ],
}
REQUEST = json.dumps(ASKED).encode()
STREAM = sse(
    {"choices": [{"delta": {"role": "assistant", "content": "one "}}]},
    {"choices": [{"delta": {"content": "two three"}, "finish_reason": "stop"}]},
)
KEY = ("chat", Side.CANDIDATE)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return the path of a tokenizer for which each word is a token."""
    made = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    return str(path)


@asynccontextmanager
async def checker(counters: TrafficCounters, files: TokenCounters) -> AsyncIterator[AnswerChecker]:
    made = AnswerChecker(counters, 10**6, wall=lambda: 1.0, tokens=files)
    yield made
    made.close()


async def counted(answer: CheckedAnswer, files: TokenCounters) -> tuple[TokenUsage, ...]:
    counters, request = TrafficCounters(), RefusedRequest("chat", Side.CANDIDATE, Origin.LIVE, "id")
    async with checker(counters, files) as made:
        made.check(request, answer)
        await eventually(lambda: made.totals.total() == 1)
    counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 1_000), "id")
    return counters.flush(2_000)[0].sides[0].usage


async def test_tokens_that_are_not_stated_are_counted(file: str) -> None:
    answer = CheckedAnswer(200, "text/event-stream", STREAM, request_bytes=len(REQUEST), request=REQUEST)
    assert await counted(answer, TokenCounters({KEY: file})) == (TokenUsage(4, 3, source=TokenSource.COUNTED),)


async def test_tokens_that_are_stated_are_not_counted_again(file: str) -> None:
    stated = STREAM + sse({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}})
    answer = CheckedAnswer(200, "text/event-stream", stated, request_bytes=len(REQUEST), request=REQUEST)
    assert await counted(answer, TokenCounters({KEY: file})) == (TokenUsage(9, 5),)


@pytest.mark.parametrize("content", [None, "{}", "no JSON"])
async def test_a_tokenizer_that_cannot_be_read_is_logged_once_and_tokens_are_estimated(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    files = TokenCounters({KEY: str(path)})
    with capture_logs() as logs:
        assert files.count(*KEY, REQUEST, STREAM) is None
        answer = CheckedAnswer(200, "text/event-stream", STREAM, request_bytes=400, request=REQUEST)
        assert await counted(answer, files) == (TokenUsage(100, 2, source=TokenSource.ESTIMATED),)
    assert [(log["event"], log["file"]) for log in logs] == [("tokenizer_not_loaded", str(path))]


def test_the_tokenizer_of_each_side_is_that_of_its_backend() -> None:
    config = capture_config()
    own = config.backends["onprem"].model_copy(update={"tokenizer": "/models/tokenizer.json"})
    files = TokenCounters.of(config.model_copy(update={"backends": {**config.backends, "onprem": own}}))
    assert files.knows("chat", Side.CANDIDATE)
    assert not files.knows("chat", Side.BASELINE)


def test_the_schemas_of_tools_are_part_of_the_request_and_arguments_of_the_answer() -> None:
    asked = request_text(json.dumps({"prompt": "go", "tools": [{"name": "find"}]}).encode())
    assert asked == 'go\n[{"name": "find"}]'
    call = {"tool_calls": [{"id": "1", "function": {"name": "find", "arguments": '{"a": 1}'}}]}
    assert answer_text(json.dumps({"choices": [{"message": call}]}).encode()) == '{"a": 1}'


@pytest.mark.parametrize("body", [b"", b"plain", b"[1, 2]", b"{", b"\xff", b"x" * (MOST_BYTES + 1), b"[" * 9000])
def test_what_is_no_request_has_no_text(body: bytes) -> None:
    assert request_text(body) is None


@given(st.one_of(st.binary(max_size=200), st.text(max_size=60).map(lambda t: ('data: {"choices": ' + t).encode())))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    assert isinstance(answer_text(body), str | None)
    assert isinstance(request_text(body), str | None)
