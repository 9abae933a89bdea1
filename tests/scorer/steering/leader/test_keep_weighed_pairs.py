"""The leader keeps the pairs that decisions name, also those of a leader that died, in a real Redis."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from glidepath.config import parse_config
from glidepath.kept_pairs import read_kept
from glidepath.redis_keys import WorkloadKeys
from glidepath.status_and_decisions import Decision, Verdict, WeighedPair, to_json
from scorer.steering.leader.keep_weighed_pairs import WeighedPairsKeeper, pairs_to_keep
from tests.support.chat_config import CHAT_CONFIG

CHAT = WorkloadKeys("chat")


def decision(*pairs: WeighedPair, trigger: str = "sameness") -> Decision:
    failing = Verdict("sameness", "fail", 0.1, 0.9, "agreement", 20, pairs=pairs)
    other = Verdict("defects", "fail", 0.1, 0.0, "share", 20, pairs=(WeighedPair("other", "1-0", 1.0),))
    return Decision(1, "chat", "rollback", 50, 10, "rolling_back", "", trigger, verdicts=(other, failing))


async def log(client: Any, one: Decision) -> None:
    await client.xadd(CHAT.log, {"d": to_json(one)})


async def stored(client: Any, pair_id: str) -> WeighedPair:
    entry = (await client.xadd(CHAT.pairs, {"p": pair_id.encode()})).decode()
    return WeighedPair(pair_id, entry, 1.0)


@pytest.fixture
def keeper(redis_client: Any) -> WeighedPairsKeeper:
    return WeighedPairsKeeper(parse_config(CHAT_CONFIG), redis_client, CollectorRegistry())


def test_only_the_pairs_of_the_gate_that_decided_are_kept_and_bad_entries_are_left_out() -> None:
    pair = WeighedPair("a", "1-0", 1.0)
    entries = [(b"1-0", {b"d": b"?"}), (b"2-0", {}), (b"3-0", {b"d": to_json(decision(pair)).encode()})]
    assert pairs_to_keep(entries) == {"a": pair}
    commanded = to_json(decision(pair, trigger="command:rollback")).encode()
    assert pairs_to_keep([(b"1-0", {b"d": commanded})]) == {}


async def test_the_pairs_of_a_former_leaders_decision_are_kept(redis_client: Any, keeper: WeighedPairsKeeper) -> None:
    await log(redis_client, decision(await stored(redis_client, "a")))
    await keeper.follow("chat")
    await redis_client.delete(CHAT.pairs)
    assert await read_kept(redis_client, "chat", "a") == b"a"


async def test_later_decisions_are_followed(redis_client: Any, keeper: WeighedPairsKeeper) -> None:
    await log(redis_client, decision())
    await keeper.follow("chat")
    for pair_id in ("a", "b"):
        await log(redis_client, decision(await stored(redis_client, pair_id)))
    await keeper.follow("chat")
    assert [await read_kept(redis_client, "chat", one) for one in ("a", "b", "other")] == [b"a", b"b", None]


async def test_a_pair_that_is_gone_already_is_counted(redis_client: Any) -> None:
    registry = CollectorRegistry()
    keeper = WeighedPairsKeeper(parse_config(CHAT_CONFIG), redis_client, registry)
    await log(redis_client, decision(WeighedPair("a", "1-1", 1.0), await stored(redis_client, "b")))
    await keeper.follow("chat")
    labels = {"workload": "chat"}
    assert registry.get_sample_value("glidepath_weighed_pairs_gone_total", labels) == 1
    assert registry.get_sample_value("glidepath_kept_pairs", labels) == 1


async def test_expired_pairs_are_removed(redis_client: Any, keeper: WeighedPairsKeeper) -> None:
    await log(redis_client, decision(await stored(redis_client, "a")))
    await keeper.follow("chat")
    await redis_client.zadd(CHAT.kept_times, {"a": 1})
    await keeper.follow("chat")
    assert await read_kept(redis_client, "chat", "a") == b"a"
    await keeper.follow("chat", expiring=True)
    assert await read_kept(redis_client, "chat", "a") is None
