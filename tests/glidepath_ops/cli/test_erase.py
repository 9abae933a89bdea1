"""The pairs that ``glidepath erase --user`` selects after a change of the configuration."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from extproc.workloads import build_workloads
from glidepath.config import Config, parse_config
from glidepath.redis_keys import WorkloadKeys
from glidepath_ops.cli.erase import erasure
from glidepath_ops.pairs.erase_pairs import digests_in_envoy
from tests.support.chat_config import CHAT_CONFIG
from tests.support.commands import run_cli

HEADER, BODY = "{header: x-user-id}", "{body: user}"


def config(sticky: str) -> Config:
    return parse_config(CHAT_CONFIG + f"    sticky: {sticky}\nextproc: {{sticky_key: {{env: STICKY_KEY}}}}\n")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STICKY_KEY", "a-secret-of-the-operator")


@pytest.mark.parametrize(("before", "now"), [(HEADER, BODY), (BODY, HEADER), (HEADER, "{random: true}")])
def test_a_user_is_found_by_the_value_of_a_header_and_of_a_body_whichever_is_sticky_now(before: str, now: str) -> None:
    value = "ann" if before == HEADER else next(iter(digests_in_envoy("ann")))
    stored = build_workloads(config(before))["chat"].sticky(value)
    which = erasure(config(now), "chat", "ann", "")
    assert which.covers("pair", stored)
    assert not erasure(config(now), "chat", "ben", "").covers("pair", stored)


@pytest.mark.parametrize("record", ["labels", "feedback_notes", "dead", "results"])
async def test_a_removed_workload_is_searched_whatever_redis_still_has_of_it(
    file: Path, redis_client: Any, record: str
) -> None:
    """Labels have no time limit, so they can be the last records of a workload."""
    key = getattr(WorkloadKeys("old"), record)
    await (redis_client.xadd(key, {"x": b""}) if record in ("dead", "results") else redis_client.hset(key, "p1", "{}"))
    out = await asyncio.to_thread(run_cli, "erase", "--request-id", "p1", "--json", "-c", str(file))
    assert set(json.loads(out)) == {"chat", "old"}


async def test_a_label_is_erased_by_request_id_after_its_pair_has_expired(file: Path, redis_client: Any) -> None:
    keys = WorkloadKeys("chat")
    await redis_client.hset(keys.labels, mapping={"p1": "{}", "p1~noise": "{}", "p10": "{}"})
    await redis_client.zadd(keys.label_times, {"p1": 1, "p1~noise": 1, "p10": 1})
    out = await asyncio.to_thread(run_cli, "erase", "--request-id", "p1", "--json", "-c", str(file))
    assert json.loads(out)["chat"]["labels"] == 2
    assert await redis_client.hkeys(keys.labels) == await redis_client.zrange(keys.label_times, 0, -1) == [b"p10"]
