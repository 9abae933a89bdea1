"""The leader keeps the pairs that decisions name, including decisions of a leader that died, in a real Redis."""

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


@pytest.mark.parametrize(("redaction", "left"), [("redaction: {excerpts: 80}\n", 1), ("", 2)])
async def test_results_with_texts_of_answers_are_removed_when_they_are_as_old_as_pairs_may_be(
    redis_client: Any, redaction: str, left: int
) -> None:
    keeper = WeighedPairsKeeper(parse_config(CHAT_CONFIG + redaction), redis_client, CollectorRegistry())
    seconds, _ = await redis_client.time()
    for age_s in (8 * 86400, 6 * 86400):
        await redis_client.xadd(CHAT.results, {"r": b"text"}, id=f"{(seconds - age_s) * 1000}-0")
    await keeper.follow("chat", expiring=True)
    assert await redis_client.xlen(CHAT.results) == left


async def test_results_with_texts_expire_if_nobody_removes_them_any_more(redis_client: Any) -> None:
    config = parse_config(CHAT_CONFIG + "redaction: {excerpts: 80}\n")
    await redis_client.xadd(CHAT.results, {"r": b"text"})
    await WeighedPairsKeeper(config, redis_client, CollectorRegistry()).follow("chat", expiring=True)
    assert 0 < await redis_client.pttl(CHAT.results) <= config.retention.age * 1000
