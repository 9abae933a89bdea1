"""`glidepath pairs` against a real Redis that holds pairs and results as extproc and the scorer write them."""

from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from extproc.workloads import build_workloads, digest_in_removed_workload
from glidepath.config import load_config
from glidepath.errors import GlidepathError, InputError, UnknownWorkloadError
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Pair, PairKind
from glidepath.protobuf_codec import encode_pair, encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath_ops.cli import pairs as pairs_command
from glidepath_ops.cli.steering_client import actor
from tests.support.answer_pairs import pair
from tests.support.commands import run_cli

CHAT = WorkloadKeys("chat")
OK = AnswerFacts(status=200)


class StoredPairs:
    """A configuration, its running Redis, and the command line."""

    def __init__(self, file: Path, client: Any) -> None:
        self.file, self.client = file, client

    async def add(self, stored: Pair, **changes: Any) -> None:
        entry = await self.client.xadd(CHAT.pairs, {"p": encode_pair(stored)})
        result = ScoredPair(stored.id, "chat", stored.kind, stored.captured_at_ms, 2, True, baseline=OK, candidate=OK)
        await self.client.xadd(CHAT.results, {"r": encode_scored(replace(result, **changes)), "e": entry})

    async def run(self, *arguments: str) -> str:
        return await asyncio.to_thread(run_cli, "pairs", *arguments, "-c", str(self.file))

    async def ids(self, *arguments: str) -> list[str]:
        out = await self.run("list", "--json", *arguments)
        return [json.loads(line)["pair_id"] for line in out.splitlines()]


@pytest.fixture
async def pairs(file: Path, redis_client: Any) -> StoredPairs:
    stored = StoredPairs(file, redis_client)
    await stored.add(pair("good", captured_at_ms=1000), agreement=0.99)
    await stored.add(pair("bad", captured_at_ms=2000), agreement=0.1, flags=("numbers",))
    refusal = replace(OK, faults=("refusal",))
    await stored.add(pair("refused", captured_at_ms=3000), agreement=0.5, candidate=refusal)
    down = replace(OK, status=503)
    unscored = {"scored": False, "unscored_reason": "candidate_status", "candidate": down}
    await stored.add(pair("down", captured_at_ms=4000), **unscored)
    await stored.add(pair("down~noise", captured_at_ms=4000, kind=PairKind.NOISE), agreement=1.0)
    return stored


async def test_pairs_are_listed_newest_first_or_worst_first(pairs: StoredPairs) -> None:
    assert await pairs.ids() == ["down", "refused", "bad", "good"]
    await pairs.add(pair("later", captured_at_ms=9000), agreement=0.7)
    assert await pairs.ids() == ["later", "down", "refused", "bad", "good"]
    assert await pairs.ids("--worst", "-n", "4") == ["down", "refused", "bad", "later"]
    assert await pairs.ids("--kind", "noise") == ["down~noise"]
    assert len(await pairs.ids("--kind", "all")) == 6


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--flag", "numbers"), ["bad"]),
        (("--fault", "refusal"), ["refused"]),
        (("--unscored", "candidate_status"), ["down"]),
        (("--side", "candidate"), ["down", "refused"]),
        (("--side", "baseline"), []),
        (("--status", "5xx"), ["down"]),
        (("--status", "200", "--side", "candidate"), ["refused", "bad", "good"]),
        (("--request", "down", "--kind", "noise"), ["down~noise"]),
        (("--until", "1970-01-01T00:00:02.500+00:00"), ["bad", "good"]),
        (("--since", "1970-01-01T00:00:02.500+00:00"), ["down", "refused"]),
        (("--since", "1h"), []),
        (("--look-back", "2", "--kind", "cross"), ["down"]),
    ],
)
async def test_each_option_selects(pairs: StoredPairs, options: tuple[str, ...], found: list[str]) -> None:
    assert await pairs.ids(*options) == found


async def test_a_sticky_key_is_found_by_its_value_and_by_its_digest(pairs: StoredPairs) -> None:
    digest = build_workloads(load_config(pairs.file))["chat"].sticky("user-7")
    await pairs.add(pair("mine"), sticky=digest)
    assert await pairs.ids("--sticky", "user-7") == await pairs.ids("--sticky", digest) == ["mine"]


async def test_the_list_says_how_much_was_searched(pairs: StoredPairs) -> None:
    out = await pairs.run("list", "--look-back", "3")
    assert "2 pairs of chat; 3 of 5 results searched" in out
    assert max(map(len, out.splitlines())) <= 80


async def test_a_list_reads_many_results_in_small_reads(pairs: StoredPairs) -> None:
    for number in range(1200):
        result = ScoredPair(f"x{number}", "chat", PairKind.CROSS, number, 2, True, flags=("vectors",))
        await pairs.client.xadd(CHAT.results, {"r": encode_scored(result)})
    await pairs.client.xadd(CHAT.results, {"r": b"\xff"})
    assert len(await pairs.ids("--flag", "vectors", "-n", "5000")) == 1200
    assert len(await pairs.ids("--flag", "numbers")) == 1


@pytest.mark.parametrize("wanted", ["bad", "down"])
async def test_a_pair_is_shown_by_its_id(pairs: StoredPairs, wanted: str) -> None:
    out = await pairs.run("show", wanted)
    assert f"pair {wanted}," in out
    assert "It is Paris." in out
    record = json.loads(await pairs.run("show", wanted, "--json"))
    assert (record["id"], record["right"]) == (wanted, "It is Paris.")


async def test_a_request_whose_pair_is_gone_shows_its_noise_pair(pairs: StoredPairs) -> None:
    await pairs.add(pair("solo~noise", kind=PairKind.NOISE))
    assert "pair solo~noise," in await pairs.run("show", "solo")


async def test_a_pair_that_was_set_aside_is_shown_with_the_reason(pairs: StoredPairs) -> None:
    await pairs.client.xadd(CHAT.dead, {"p": encode_pair(pair("dead")), "why": "crashed"})
    assert "set aside without a result: crashed" in await pairs.run("show", "dead")


async def test_a_pair_whose_bodies_are_gone_is_shown_without_them(pairs: StoredPairs) -> None:
    await pairs.client.delete(CHAT.pairs)
    assert "no longer stored" in await pairs.run("show", "bad")


async def test_an_id_that_is_a_part_of_another_names_only_its_own_pair(pairs: StoredPairs) -> None:
    await pairs.add(pair("ba"))
    assert "pair ba," in await pairs.run("show", "ba")
    with pytest.raises(InputError, match="no pair ad of chat"):
        await pairs.run("show", "ad")


async def test_an_unknown_pair_is_refused(pairs: StoredPairs) -> None:
    with pytest.raises(InputError, match="no pair none of chat is stored"):
        await pairs.run("show", "none")


async def test_a_label_is_stored_shown_selected_and_exported_with_the_texts(pairs: StoredPairs, tmp_path: Path) -> None:
    out = await pairs.run("label", "bad", "not", "--note", "another city")
    assert f"bad: not, by {actor()}" in out
    await pairs.run("label", "good", "acceptable")
    assert await pairs.ids("--labelled") == ["bad", "good"]
    assert await pairs.ids("--label", "not") == ["bad"]
    assert "another city" in await pairs.run("show", "bad")
    for key in (CHAT.pairs, CHAT.results):
        await pairs.client.delete(key)
    await pairs.run("export", "--labelled", "-o", str(tmp_path / "labels.jsonl"))
    assert sorted(await pairs.ids("--labelled")) == ["bad", "good"]  # their results have expired
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [(one["id"], one["label"], one["left"]) for one in lines] == [
        ("bad", "not", "Paris."),
        ("good", "acceptable", "Paris."),
    ]
    assert stat.S_IMODE((tmp_path / "labels.jsonl").stat().st_mode) == 0o600


async def test_a_label_can_be_printed_as_json(pairs: StoredPairs) -> None:
    label = json.loads(await pairs.run("label", "bad", "not", "--note", "another city", "--json"))
    assert (label["pair_id"], label["label"], label["note"]) == ("bad", "not", "another city")
    assert (label["bodies_kept"], label["labels_removed"]) == (True, 0)


async def test_a_labelled_pair_is_listed_however_many_newer_results_there_are(
    pairs: StoredPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_command, "DEFAULT_RESULTS", 2)
    await pairs.run("label", "good", "acceptable")
    assert await pairs.ids() == ["down"]
    assert await pairs.ids("--labelled") == await pairs.ids("--label", "acceptable") == ["good"]
    assert await pairs.ids("--labelled", "--look-back", "1") == []


async def test_the_note_of_a_label_is_redacted(pairs: StoredPairs) -> None:
    pairs.file.write_text(pairs.file.read_text() + "redaction: {builtin: [email]}\n")
    label = json.loads(await pairs.run("label", "bad", "not", "--note", "says bob@example.com", "--json"))
    assert label["note"] == "says [redacted]"
    assert b"bob" not in (await pairs.client.hvals(CHAT.labels))[0]


async def test_a_label_without_bodies_says_so(pairs: StoredPairs) -> None:
    await pairs.client.delete(CHAT.pairs)
    assert "cannot be exported with its texts" in await pairs.run("label", "bad", "unsure")


async def test_an_export_leaves_out_pairs_without_bodies(pairs: StoredPairs) -> None:
    await pairs.client.xtrim(CHAT.pairs, maxlen=1, approximate=False)
    out = await pairs.run("export", "--kind", "all")
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["down~noise"]


async def test_kept_pairs_and_labels_can_be_forgotten(pairs: StoredPairs) -> None:
    await pairs.run("label", "bad", "not")
    assert "1 kept pairs of chat" in await pairs.run("forget", "-w", "chat")
    assert await pairs.ids("--labelled") == []
    removed = json.loads(await pairs.run("forget", "-w", "chat", "--json"))
    assert removed == {"workload": "chat", "kept_pairs_removed": 0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--status", "abc"), "--status: must be a status such as 503, or 5xx"),
        (("--status", "٣٠٠"), "--status: must be"),
        (("--flag", "nonsense"), "--flag: no pair can have 'nonsense' .*numbers, .*neighbours"),
        (("--flag", "number"), "did you mean 'numbers'"),
        (("--fault", "nonsense"), "--fault: no pair can have 'nonsense' .*refusal, "),
        (("--kind", "x"), "--kind: must be cross, noise, all"),
        (("--since", "x"), "--since: must be an age such as 2h, or 2026-03-01T14:00"),
        (("--until", "2026-99-01"), "--until: must be an age such as 2h"),
        (("-w", "x"), "x"),
    ],
)
async def test_a_wrong_option_is_refused(pairs: StoredPairs, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(GlidepathError, match=message):
        await pairs.run("list", *options)


async def test_the_workload_is_needed_if_there_are_several(pairs: StoredPairs) -> None:
    data = yaml.safe_load(pairs.file.read_text())
    data["workloads"]["batch"] = data["workloads"]["chat"] | {"match": {"path": "/v1/batch"}}
    pairs.file.write_text(yaml.safe_dump(data))
    with pytest.raises(InputError, match="--workload: is needed"):
        await pairs.run("list")
    assert await pairs.ids("-w", "batch") == []


async def test_no_command_reads_all_of_redis(pairs: StoredPairs) -> None:
    await pairs.client.config_resetstat()
    await pairs.run("list", "--worst")
    await pairs.run("show", "bad")
    await pairs.run("label", "bad", "not")
    await pairs.run("export")
    used = {name.removeprefix("cmdstat_") for name in await pairs.client.info("commandstats")}
    assert "xrevrange" in used
    assert not used & {"keys", "scan", "smembers", "xread"}


@pytest.fixture
async def removed(pairs: StoredPairs, tmp_path: Path) -> StoredPairs:
    """Return the stored pairs of ``chat`` after the workload was renamed to ``other`` in the configuration."""
    data = yaml.safe_load(pairs.file.read_text())
    data["workloads"] = {"other": data["workloads"]["chat"]}
    data["extproc"] = {"sticky_key": {"file": str(tmp_path / "key")}}
    (tmp_path / "key").write_text("a-secret-of-the-operator")
    pairs.file.write_text(yaml.safe_dump(data))
    return pairs


async def test_pairs_of_a_removed_workload_are_listed_shown_and_exported(removed: StoredPairs) -> None:
    digest = digest_in_removed_workload(load_config(removed.file), "chat", "user-7")
    await removed.add(pair("mine"), sticky=digest, agreement=0.9)
    assert await removed.ids("-w", "chat", "--worst") == ["down", "refused", "bad", "mine", "good"]
    assert await removed.ids("-w", "chat", "--sticky", "user-7") == ["mine"]
    assert "pair bad," in await removed.run("show", "bad", "-w", "chat")
    [line] = (await removed.run("export", "-w", "chat", "--flag", "numbers")).splitlines()
    assert (json.loads(line)["id"], json.loads(line)["right"]) == ("bad", "It is Paris.")


async def test_kept_pairs_and_labels_of_a_removed_workload_can_be_forgotten(removed: StoredPairs) -> None:
    await removed.run("label", "bad", "not", "-w", "chat")
    await removed.client.delete(CHAT.pairs, CHAT.results)
    assert await removed.ids("-w", "chat", "--labelled") == ["bad"]
    assert "1 kept pairs of chat" in await removed.run("forget", "-w", "chat")
    with pytest.raises(UnknownWorkloadError, match="chat"):
        await removed.run("list", "-w", "chat")


async def test_an_unknown_workload_is_refused_with_the_names_of_removed_ones(removed: StoredPairs) -> None:
    with pytest.raises(UnknownWorkloadError, match=r"unknown workload 'x' .*other.*; removed, .* in Redis: chat$"):
        await removed.run("list", "-w", "x")
