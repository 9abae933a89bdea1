"""Streams have a time limit for the first byte, and other answers have a longer one: a real Envoy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from glidepath.config import parse_config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.insert_into_bootstrap import insert_glidepath
from tests.support.envoy_with_backends import BODY, PATH, envoy_with_backends
from tests.support.users_envoy import to_theirs, users_setup, users_table

STREAM = {**BODY, "stream": True}
CASES = pytest.mark.parametrize(
    ("body", "answer_timeout", "behaviour", "asks_the_baseline"),
    [
        (BODY, "8s", "json", False),  # slow, but within its limit
        (STREAM, "8s", "sse", True),
        (BODY, "600ms", "hang", True),
    ],
    ids=["whole and slow", "streamed and slow", "whole and hanging"],
)


@CASES
async def test_a_slow_whole_answer_is_awaited_and_a_slow_stream_is_retried_at_the_baseline(
    tmp_path: Path, body: dict[str, Any], answer_timeout: str, behaviour: Any, asks_the_baseline: bool
) -> None:
    onprem = {"first_byte_timeout": "300ms", "answer_timeout": answer_timeout}
    async with envoy_with_backends(tmp_path, onprem=onprem, chat={"start": 100}) as setup:
        setup.onprem.behaviour, setup.onprem.delay = behaviour, 2.0
        if body is STREAM:
            setup.cloud.behaviour = "sse"
        reply = await setup.post(body)
        assert reply.status == 200
        assert len(setup.onprem.received) == 1
        assert len(setup.cloud.received) == (1 if asks_the_baseline else 0)
        assert (b"cloud" if asks_the_baseline else b"onprem") in reply.body


@CASES
@pytest.mark.parametrize("is_theirs", [True, False], ids=["continued", "own"])
async def test_both_limits_hold_on_a_users_listener_too(
    tmp_path: Path, is_theirs: bool, body: dict[str, Any], answer_timeout: str, behaviour: Any, asks_the_baseline: bool
) -> None:
    table = users_table() if is_theirs else users_table(to_theirs({"prefix": "/other"}))
    onprem = {"first_byte_timeout": "300ms", "answer_timeout": answer_timeout}
    async with users_setup(tmp_path, table, onprem=onprem) as setup:
        if not is_theirs:
            setup.config["backends"]["cloud"] = {"url": setup.theirs.url}
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            setup.onprem.behaviour, setup.onprem.delay = behaviour, 2.0
            setup.theirs.behaviour = "sse" if body is STREAM else "json"
            async with setup.session.post(setup.live + PATH, json=body) as reply:
                assert reply.status == 200
                await reply.read()
            assert len(setup.onprem.received) == 1
            assert len(setup.theirs.received) == (1 if asks_the_baseline else 0)


@pytest.mark.parametrize(
    ("path", "body", "asks_the_baseline"),
    [
        ("/v1/models/m:streamGenerateContent?alt=sse", {"contents": []}, True),
        ("/v1/models/m:generateContent", {"contents": []}, False),
        ("/v1/model/m/converse-stream", {"messages": []}, True),
        ("/v1/api/chat", {"model": "m", "messages": []}, True),
        ("/v1/api/chat", {"model": "m", "messages": [], "stream": None}, True),
        ("/v1/api/chat", {"model": "m", "messages": [], "stream": False}, False),
    ],
)
async def test_a_stream_that_the_path_or_the_default_of_the_api_asks_for_has_the_limit_of_streams(
    tmp_path: Path, path: str, body: dict[str, Any], asks_the_baseline: bool
) -> None:
    onprem = {"first_byte_timeout": "300ms", "answer_timeout": "8s"}
    chat = {"match": {"path_prefix": "/v1"}, "start": 100}
    async with envoy_with_backends(tmp_path, onprem=onprem, chat=chat) as setup:
        setup.onprem.delay = 2.0
        reply = await setup.post(body, path=path)
        assert reply.status == 200
        assert (len(setup.onprem.received), len(setup.cloud.received)) == (1, int(asks_the_baseline))


async def test_a_users_route_that_ends_before_the_default_limit_keeps_the_limit_of_streams(tmp_path: Path) -> None:
    async with users_setup(tmp_path, users_table(to_theirs(action={"timeout": "60s"}))) as setup:
        del setup.config["workloads"]["chat"]["sticky"]  # so that Envoy reads the requests
        made = insert_glidepath(setup.text, parse_config(yaml.safe_dump(setup.config)), "e.yaml")
    assert set(re.findall(r"per-try-timeout-ms\D+(\d+)", made)) == {"30000"}


async def test_a_users_route_that_ends_before_a_declared_limit_is_refused(tmp_path: Path) -> None:
    onprem, table = {"answer_timeout": "90s"}, users_table(to_theirs(action={"timeout": "60s"}))
    async with users_setup(tmp_path, table, onprem=onprem) as setup:
        with pytest.raises(InputError, match=r"set backends\.onprem\.answer_timeout below 60s"):
            insert_glidepath(setup.text, parse_config(yaml.safe_dump(setup.config)), "e.yaml")
