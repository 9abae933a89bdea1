"""Commands sent to the API: the persons who may send them, the entries in the log, and the text of a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import being_cancelled, connect
from glidepath.status_and_decisions import Command, from_json
from tests.support.console_client import HOST, TOKEN, console_client, console_config
from tests.support.console_data import decision, status, store_decisions, store_status

WITH_TOKEN = "{{token: {{file: {token}}}}}"
BEARER = {"authorization": f"Bearer {TOKEN}"}
COMMANDS = "/api/workloads/chat/commands"
OWN = {"x-glidepath-console": "1", "origin": HOST}


@asynccontextmanager
async def answering_scorer(redis: Any, event: str = "") -> AsyncIterator[list[Command]]:
    """Answer each command with a decision, as a scorer does.

    ``event``: the event of every decision; "": the name of the command.
    """
    got: list[Command] = []

    async def answer() -> None:
        cursor, keys = "0", WorkloadKeys("chat")
        while not being_cancelled():
            for _, entries in await redis.xread({keys.commands: cursor}, block=20) or []:
                for entry, fields in entries:
                    cursor = entry.decode()
                    command = from_json(Command, fields[b"c"])
                    got.append(command)
                    details = {"command_id": cursor}
                    done = decision(event or command.kind.value, 1, actor=command.actor, details=details)
                    await store_decisions(redis, done)

    task = asyncio.create_task(answer())
    try:
        yield got
    finally:
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=60)
        assert done


async def test_a_command_by_token_reaches_the_scorer_with_its_actor(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _), answering_scorer(redis_client) as got:
        body = {"kind": "rollback", "percent": 5, "reason": "p99 rises", "who": "deploy-bot"}
        answer = await client.post(COMMANDS, json=body, headers=BEARER)
        assert answer.status_code == 200
        assert answer.json()["sentence"].startswith("chat: rollback")
        [sent] = got
        assert (sent.actor, sent.percent, sent.reason) == ("deploy-bot (console)", 5, "p99 rises")


async def test_the_first_command_after_redis_closed_the_connections_is_carried_out(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    await store_status(redis_client, status())
    own = connect(config.redis, again=True)  # as the console's own client
    try:
        async with console_client(config, own) as (client, _), answering_scorer(redis_client) as got:
            await redis_client.client_kill_filter(_id=await own.client_id())
            page = await client.get("/workloads/chat/confirm/rollback", headers=BEARER)
            assert (page.status_code, "Roll back chat" in page.text) == (200, True)
            await redis_client.client_kill_filter(_id=await own.client_id())
            answer = await client.post(COMMANDS, json={"kind": "rollback", "who": "pager"}, headers=BEARER)
            assert answer.status_code == 200, answer.text
            assert [command.kind.value for command in got] == ["rollback"]
    finally:
        await own.aclose()


async def test_a_session_names_the_actor_and_cannot_name_another(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _), answering_scorer(redis_client) as got:
        await client.post("/login", data={"name": "Ana", "token": TOKEN})
        answer = await client.post(COMMANDS, json={"kind": "hold", "who": "Bob"}, headers=OWN)
        assert answer.status_code == 200
        assert got[0].actor == "Ana (console)"


@pytest.mark.parametrize(
    "headers", [{}, {"origin": HOST}, {**OWN, "origin": "http://evil.example"}, {**OWN, "sec-fetch-site": "cross-site"}]
)
async def test_another_sites_page_cannot_use_a_session(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, headers: dict[str, str]
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _):
        await client.post("/login", data={"name": "Ana", "token": TOKEN})
        assert (await client.post(COMMANDS, json={"kind": "hold"}, headers=headers)).status_code == 403
        assert not await redis_client.xlen(WorkloadKeys("chat").commands)


async def test_another_sites_page_cannot_end_a_session(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _):
        await client.post("/login", data={"name": "Ana", "token": TOKEN})
        await client.post("/logout", headers={"sec-fetch-site": "cross-site"})
        assert (await client.get("/api/status")).status_code == 200
        await client.post("/logout", headers={"sec-fetch-site": "same-origin"})
        assert (await client.get("/api/status")).status_code == 401


async def test_a_token_in_the_address_is_no_token(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _):
        for name in ("token", "authorization", "access_token"):
            assert (await client.get("/api/status", params={name: f"Bearer {TOKEN}"})).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("x-forwarded-user", "root"), ("x-forwarded-user", "ana")],
        [("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer x")],
    ],
)
async def test_two_headers_of_one_name_name_nobody(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, headers: list[tuple[str, str]]
) -> None:
    section = "{{token: {{file: {token}}}, trusted_proxy: {{addresses: [127.0.0.1/32]}}}}"
    async with console_client(console_config(tmp_path, valid_yaml, redis_url, section), redis_client) as (client, _):
        assert (await client.get("/api/status", headers=headers[:1])).status_code == 200
        assert (await client.get("/api/status", headers=headers)).status_code == 401


@pytest.mark.parametrize("count", ["0", "-1", "9" * 5000, "0" * 11 + "1" + "9" * 5000, "x", "1e3", "٣"])
async def test_a_number_of_any_form_or_length_is_answered(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, count: str
) -> None:
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        answer = await client.get("/api/workloads/chat/log", params={"count": count})
        assert answer.status_code == 400
        assert "count: must be a number from 1 to 1000" in answer.json()["error"]


async def test_without_a_token_nobody_sends_a_command(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_status(redis_client, status())
    for console in ("", WITH_TOKEN):
        async with console_client(console_config(tmp_path, valid_yaml, redis_url, console), redis_client) as (
            client,
            _,
        ):
            for headers in ({}, OWN, {"authorization": "Bearer wrong"}):
                answer = await client.post(COMMANDS, json={"kind": "hold"}, headers=headers)
                assert answer.status_code in (401, 403)
            assert (await client.get("/workloads/chat/confirm/hold")).status_code in (303, 403)
    assert not await redis_client.xlen(WorkloadKeys("chat").commands)


async def test_a_refused_command_says_why(tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _), answering_scorer(redis_client, "refused"):
        answer = await client.post(COMMANDS, json={"kind": "promote"}, headers=BEARER)
        assert (answer.status_code, answer.json()["error"]) == (409, "promote chat: because")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "rollback", "percent": 101}, "percent"),
        ({"kind": "hold", "extra": 1}, "extra"),
        ({"kind": "annotate", "reason": "x"}, "target"),
        ({"kind": "annotate", "target": "1-0; DROP"}, "target"),
        ({"kind": "annotate", "target": "1-0", "reason": "x"}, "no decision 1-0 in the log of chat"),
        ({"kind": "annotate", "target": f"{10**19 * 9}-0", "reason": "x"}, "is not the id of a decision"),
        ({"kind": "hold", "reason": "x" * 3000}, "reason"),
        ({"kind": "hold", "who": "<b>"}, "who"),
    ],
)
async def test_a_wrong_body_is_named(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, body: dict[str, Any], said: str
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _):
        answer = await client.post(COMMANDS, json=body, headers=BEARER)
        assert answer.status_code == 400
        assert said in answer.json()["error"]


async def test_a_body_that_is_no_json_object_is_refused(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _):
        json_type = {**BEARER, "content-type": "application/json"}
        for data in (b"", b"[]", b"{", b"\xff", b"[" * 60_000):
            assert (await client.post(COMMANDS, content=data, headers=json_type)).status_code == 400
        assert (await client.post(COMMANDS, content=b"{" + b" " * 70_000, headers=json_type)).status_code == 413
        assert (await client.post(COMMANDS, data={"kind": "hold"}, headers=BEARER)).status_code == 400


async def test_an_unknown_workload_is_not_found(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _):
        path = "/api/workloads/nothing/commands"
        assert (await client.post(path, json={"kind": "hold"}, headers=BEARER)).status_code == 404


async def test_a_confirmation_says_the_effect(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_status(redis_client, status())
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _):
        text = (await client.get("/workloads/chat/confirm/rollback", headers=BEARER)).text
        assert "about 2.4 of 24 requests a second change side" in text
        assert (await client.get("/workloads/chat/confirm/explode", headers=BEARER)).status_code == 400


async def test_the_page_of_a_workload_has_its_gates_errors_and_log(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_status(redis_client, status())
    [one, _] = await store_decisions(redis_client, decision("promote", 1), decision("rollback", 2, reason="<script>"))
    await store_decisions(redis_client, decision("annotate", 3, reason="a bad cable", details={"target": one}))
    config = console_config(tmp_path, valid_yaml, redis_url)
    async with console_client(config, redis_client) as (client, _):
        text = (await client.get("/workloads/chat")).text
    for part in (
        "it needs about 820 more, 14 h",
        "http_503",
        "Root cause: a bad cable",
        "paired 6000",
        "&lt;script&gt;",
    ):
        assert part in text
    assert "<button" not in text


@pytest.mark.parametrize("reading", ["", ", open_reading: true"])
async def test_a_button_of_an_open_page_whose_login_has_ended_says_so(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, reading: str
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, WITH_TOKEN.replace("}}}}}}", f"}}}}{reading}}}}}"))
    await store_status(redis_client, status())
    async with console_client(config, redis_client) as (client, _):
        opened = await client.get("/workloads/chat/confirm/rollback", headers={"hx-request": "true"})
        sent = await client.post(COMMANDS, json={"kind": "rollback"}, headers=OWN)
        for answer in (opened, sent):
            assert answer.status_code in (401, 403)
            assert answer.json() == {"error": "your login has ended: reload the page and log in again"}
        # The refusal tells a program without a token how to send one.
        program = await client.post(COMMANDS, json={"kind": "rollback"})
        assert "Authorization: Bearer TOKEN" in program.json()["error"]
