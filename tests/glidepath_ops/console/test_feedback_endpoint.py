"""``POST /feedback`` with a real Redis: the senders that are allowed, the feedback that counts, and refusals."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.clock import unix_ms
from glidepath.config.connections import RedisSection
from glidepath.config.user_feedback import FeedbackSection
from glidepath.feedback import FeedbackMatch, decode_feedback
from glidepath.feedback_intake import FeedbackStore, ServedRequest
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import connect
from glidepath.sides import Side
from glidepath_ops.console import feedback_endpoint
from glidepath_ops.console.feedback_endpoint import RateLimit
from tests.support.console_client import HOST, TOKEN, console_client, console_config
from tests.support.console_data import pair, scored, store_pairs

OWN_TOKEN = "a-token-for-feedback"
BOTH = "{{token: {{file: {token}}}, feedback_token: {{file: {token}2}}}}"
BEARER = {"authorization": f"Bearer {OWN_TOKEN}"}


def config_of(folder: Path, text: str, redis_url: str, console: str = BOTH, more: str = "") -> Any:
    (folder / "token2").write_text(OWN_TOKEN)
    text = text.replace("    task: chat\n", "    task: chat\n    feedback: {}\n")
    return console_config(folder, text + "extproc: {flush: 10ms}\n" + more, redis_url, console)


async def remember(redis: Any, *names: str, side: Side = Side.CANDIDATE) -> None:
    served = [ServedRequest(name, side, unix_ms()) for name in names]
    await FeedbackStore(redis, "chat", FeedbackSection()).remember(served, unix_ms())


async def counted(redis: Any) -> list[FeedbackMatch]:
    return [decode_feedback(f[b"f"]).match for _, f in await redis.xrange(WorkloadKeys("chat").feedback)]


async def test_an_application_with_the_token_for_feedback_gives_feedback_and_does_nothing_else(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await remember(redis_client, "r1", "r2")
    async with console_client(config_of(tmp_path, valid_yaml, redis_url), redis_client) as (client, console):
        sent = [{"request_id": "r1", "thumbs": "down", "user": "ann"}, {"request_id": "r1", "score": 1}]
        sent.append({"request_id": "r2", "label": "rude", "workload": "chat"})
        answers = [await client.post("/feedback", json=one, headers=BEARER) for one in sent]
        assert [one.status_code for one in answers] == [200, 200, 200]
        assert [one.json()["result"] for one in answers] == ["candidate", "repeated", "noted"]
        assert (await client.get("/api/status", headers=BEARER)).status_code == 401
        command = await client.post("/api/workloads/chat/commands", json={"kind": "hold"}, headers=BEARER)
        assert command.status_code == 401
        assert console.metrics.feedback.labels("candidate")._value.get() == 1
    assert await counted(redis_client) == [FeedbackMatch.CANDIDATE, FeedbackMatch.REPEATED]


async def test_the_token_and_a_session_of_the_console_may_give_feedback_too(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await remember(redis_client, "r1", "r2")
    async with console_client(config_of(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        body = {"request_id": "r1", "success": True}
        answer = await client.post("/feedback", json=body, headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.json() == {"result": "candidate"}
        await client.post("/login", data={"name": "Ana", "token": TOKEN})
        body = {"request_id": "r2", "success": True}
        assert (await client.post("/feedback", json=body)).status_code == 403  # as another site's page could send it
        own = {"x-glidepath-console": "1", "origin": HOST}
        assert (await client.post("/feedback", json=body, headers=own)).json() == {"result": "candidate"}


@pytest.mark.parametrize(
    ("console", "status", "said"),
    [
        (BOTH, 401, "feedback needs the token of console.feedback_token"),
        ("{{feedback_token: {{file: {token}2}}}}", 401, "feedback needs the token of console.feedback_token"),
        ("{{}}", 403, "this console takes no feedback: set console.feedback_token"),
    ],
)
async def test_nobody_else_gives_feedback(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, console: str, status: int, said: str
) -> None:
    await remember(redis_client, "r1")
    async with console_client(config_of(tmp_path, valid_yaml, redis_url, console), redis_client) as (client, _):
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}):
            answer = await client.post("/feedback", json={"request_id": "r1", "score": 1}, headers=headers)
            assert answer.status_code == status
            assert said in answer.json()["error"]
        assert (await client.get("/feedback", headers=BEARER)).status_code == 405
    assert await counted(redis_client) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"score": 1}, "request_id: is missing"),
        ({"request_id": "r1"}, "score: is missing"),
        ({"request_id": "r1", "score": 2}, "score: must be a number from 0 to 1"),
        ({"request_id": "r1", "thumbs": "sideways"}, "thumbs: must be up or down"),
        ({"request_id": "r1", "score": 1, "side": "baseline"}, "side: unknown key (allowed: request_id"),
        ({"request_id": "r1", "score": 1, "workload": "sql"}, "workload: 'sql' has no feedback section"),
    ],
)
async def test_a_wrong_body_is_named_with_what_is_allowed(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, body: dict[str, Any], said: str
) -> None:
    async with console_client(config_of(tmp_path, valid_yaml, redis_url), redis_client) as (client, console):
        answer = await client.post("/feedback", json=body, headers=BEARER)
        assert answer.status_code in (400, 404)
        assert said in answer.json()["error"]
        assert console.metrics.feedback.labels("invalid")._value.get() == 1
        long = await client.post("/feedback", json={"request_id": "r", "label": "x" * 70_000}, headers=BEARER)
        assert (long.status_code, "longer than 65536 bytes" in long.json()["error"]) == (413, True)
        assert (await client.post("/feedback", content=b"{", headers=BEARER)).status_code == 400


async def test_a_request_that_extproc_stores_a_moment_later_counts_and_one_that_nobody_made_is_not_found(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    async with console_client(config_of(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        giving = asyncio.create_task(client.post("/feedback", json={"request_id": "r1", "score": 1}, headers=BEARER))
        nobody = asyncio.create_task(client.post("/feedback", json={"request_id": "no", "score": 1}, headers=BEARER))
        await asyncio.sleep(0)
        while not giving.done():
            await remember(redis_client, "r1")
            await asyncio.sleep(0.02)
        assert (await giving).json() == {"result": "candidate"}
        answer = await nobody
        assert (answer.status_code, answer.json()["result"]) == (404, "unknown")
        assert "no request with this id is remembered" in answer.json()["error"]


async def test_more_than_the_rate_is_refused_with_the_time_to_wait(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await remember(redis_client, "r1", "r2", "r3")
    console = "{{feedback_token: {{file: {token}2}}, feedback_rate: 0.5}}"
    async with console_client(config_of(tmp_path, valid_yaml, redis_url, console), redis_client) as (client, _):
        answers = [
            await client.post("/feedback", json={"request_id": name, "score": 1}, headers=BEARER)
            for name in ("r1", "r2")
        ]
        assert [one.status_code for one in answers] == [200, 429]
        assert 1 <= int(answers[1].headers["retry-after"]) <= 2
        assert "console.feedback_rate" in answers[1].json()["error"]
    assert await counted(redis_client) == [FeedbackMatch.CANDIDATE]


async def test_only_so_many_wait_for_requests_that_are_not_known_yet(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_endpoint, "MOST_WAITING", 2)
    async with console_client(config_of(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        bodies = [{"request_id": f"no{i}", "score": 1} for i in range(6)]
        answers = await asyncio.gather(*(client.post("/feedback", json=one, headers=BEARER) for one in bodies))
        codes = [one.status_code for one in answers]
        assert sorted(codes) == [404] * 2 + [429] * 4


async def test_a_file_without_a_feedback_section_is_named(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    (tmp_path / "token2").write_text(OWN_TOKEN)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url, BOTH), redis_client) as (client, _):
        answer = await client.post("/feedback", json={"request_id": "r1", "score": 1}, headers=BEARER)
        assert (answer.status_code, "workloads.NAME.feedback: {}" in answer.json()["error"]) == (400, True)


async def test_the_page_of_a_pair_and_its_record_show_the_feedback_on_its_request(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    one = pair("r1", "The fee is 40 euros.", "The fee is 45 euros.")
    await store_pairs(redis_client, (one, scored(one, 0.4)))
    await remember(redis_client, "r1")
    config = config_of(tmp_path, valid_yaml, redis_url, more="redaction: {builtin: [email]}\n")
    bearer = {"authorization": f"Bearer {TOKEN}"}
    async with console_client(config, redis_client) as (client, _):
        before = await client.get("/workloads/chat/pair", params={"id": "r1"}, headers=bearer)
        assert "Feedback" not in before.text
        body = {"request_id": "r1", "thumbs": "down", "label": "<b>wrong</b>, ann@example.com"}
        assert (await client.post("/feedback", json=body, headers=BEARER)).status_code == 200
        page = await client.get("/workloads/chat/pair", params={"id": "r1"}, headers=bearer)
        assert "thumbs down, “&lt;b&gt;wrong&lt;/b&gt;, [redacted]”, on the candidate&#39;s answer" in page.text
        record = (await client.get("/api/workloads/chat/pair", params={"id": "r1"}, headers=bearer)).json()
        assert record["feedback"]["score"] == 0.0
        assert (record["feedback"]["side"], record["feedback"]["kind"]) == ("candidate", "thumbs")


async def test_without_redis_the_answer_says_so(tmp_path: Path, valid_yaml: str, redis_client: Any) -> None:
    class Absent:
        async def eval(self, *_: object) -> None:
            raise ConnectionRefusedError("connection refused")

    absent: Any = Absent()
    config = config_of(tmp_path, valid_yaml, "redis://127.0.0.1:1/0")
    async with console_client(config, absent) as (client, _):
        answer = await client.post("/feedback", json={"request_id": "r1", "score": 1}, headers=BEARER)
        assert (answer.status_code, "Redis does not answer" in answer.json()["error"]) == (503, True)


@given(st.floats(0.1, 50), st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_no_more_pass_than_the_rate_and_one_seconds_burst(rate: float, gaps: list[float]) -> None:
    limit, now, passed = RateLimit(rate, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        wait = limit.wait_s(now)
        passed += wait == 0
        assert 0 <= wait <= 1 / rate + 1e-6
    assert passed <= now * rate + max(rate, 1.0) + 1e-6


async def test_a_burst_of_feedback_is_matched_and_leaves_redis_to_the_pages(
    tmp_path: Path, valid_yaml: str, redis_url: str
) -> None:
    redis = connect(RedisSection(url=redis_url))
    names = [f"r{i}" for i in range(150)]
    await remember(redis, *names)
    rate = BOTH.replace("{token}2}}}}", "{token}2}}, feedback_rate: 1000}}")
    async with console_client(config_of(tmp_path, valid_yaml, redis_url, rate), redis) as (client, _):
        sent = [client.post("/feedback", json={"request_id": one, "score": 1}, headers=BEARER) for one in names]
        answers = await asyncio.gather(*sent)
        assert {answer.status_code for answer in answers} == {200}
    await redis.aclose()
