"""Tests of `glidepath decommission` against a real Redis."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from glidepath.config.retention import RetentionSection
from glidepath.errors import InputError
from glidepath.kept_pairs import keep_pairs
from glidepath.pair_labels import Judgement, PairLabel, store_label
from glidepath.pair_scores import ScoredPair
from glidepath.protobuf_codec import encode_pair, encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.status_and_decisions import Decision, WorkloadStatus, from_json, to_json
from tests.support.answer_pairs import pair
from tests.support.commands import run_cli, run_process

CHAT = WorkloadKeys("chat")


class DecommissionCommand:
    """`glidepath decommission` with a configuration and a running Redis, and a client of this Redis."""

    def __init__(self, file: Path, client: Any) -> None:
        self.file, self.client = file, client

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        return await run_process("decommission", *arguments, config=self.file)

    async def set_status(self, phase: str, percent: float) -> None:
        status = WorkloadStatus("chat", phase, percent, 6, (1, 100), 1, 1, agreement=0.9)
        await self.client.set(CHAT.status, to_json(status))

    async def log(self) -> list[Decision]:
        return [from_json(Decision, fields[b"d"]) for _, fields in await self.client.xrange(CHAT.log)]


@pytest.fixture
def cli(file: Path, redis_client: Any) -> DecommissionCommand:
    return DecommissionCommand(file, redis_client)


async def test_an_unfinished_workload_is_refused_and_nothing_is_written(
    cli: DecommissionCommand, tmp_path: Path
) -> None:
    await cli.set_status("baking", 50)
    status, out, _ = await cli("chat", "--archive", str(tmp_path / "end.tar.gz"))
    assert status == 1
    assert "50 % at the candidate" in out
    assert "blocked" in out
    assert not (tmp_path / "end.tar.gz").exists()
    assert await cli.log() == []


async def test_a_finished_workload_is_archived_and_logged(cli: DecommissionCommand, tmp_path: Path) -> None:
    await cli.set_status("completed", 100)
    earlier = Decision(1, "chat", "promote", 0, 100, "validating", "all gates pass")
    await cli.client.xadd(CHAT.log, {"d": to_json(earlier)})
    status, out, error = await cli("chat", "--archive", str(tmp_path / "end.tar.gz"), "--json")
    assert status == 0, error
    assert json.loads(out)["archive"] == str(tmp_path / "end.tar.gz")
    assert [decision.event for decision in await cli.log()] == ["promote", "decommission"]
    with tarfile.open(tmp_path / "end.tar.gz") as tar:
        files = {m.name.partition("/")[2]: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    assert set(files) == {
        "README.txt",
        "MANIFEST.sha256",
        "glidepath.yaml",
        "envoy.yaml",
        "status.json",
        "checklist.json",
        "decisions.jsonl",
        "labels.jsonl",
        "pairs.jsonl",
    }
    kept = [json.loads(line)["event"] for line in files["decisions.jsonl"].decode().splitlines()]
    assert kept == ["promote", "decommission"]
    assert yaml.safe_load(files["glidepath.yaml"])["workloads"]["chat"]["baseline"] == "cloud"
    assert "static_resources" in yaml.safe_load(files["envoy.yaml"])


async def _add_pair(client: Any, name: str, *, result: bool = True) -> tuple[str, str]:
    """Store a pair with its result. Return the pair's id and the id of its stream entry."""
    stored = pair(name, captured_at_ms=1000)
    entry = await client.xadd(CHAT.pairs, {"p": encode_pair(stored)})
    if result:
        scored = ScoredPair(name, "chat", stored.kind, 1000, 2, True, agreement=0.5)
        await client.xadd(CHAT.results, {"r": encode_scored(scored), "e": entry})
    return name, entry.decode()


async def test_the_archive_has_the_labels_and_the_pairs_that_are_removed(
    cli: DecommissionCommand, tmp_path: Path
) -> None:
    await cli.set_status("completed", 100)
    retention, client = RetentionSection(), cli.client
    kept = [await _add_pair(client, "kept"), await _add_pair(client, "labelled", result=False)]
    await keep_pairs(client, "chat", retention, kept)
    await _add_pair(client, "other")
    for name, judgement in (("labelled", Judgement.NOT), ("expired", Judgement.ACCEPTABLE)):
        await store_label(client, "chat", retention, PairLabel(name, judgement, "ann@host", 5, "why"))
    await client.delete(CHAT.pairs)

    status, out, error = await cli("chat", "--archive", str(tmp_path / "end.tar.gz"), "--json")
    assert status == 0, error
    found = json.loads(out)
    assert (found["forgotten"], found["archived_labels"], found["archived_pairs"]) == (2, 2, 2)
    assert not await client.exists(CHAT.labels, CHAT.kept)
    with tarfile.open(tmp_path / "end.tar.gz") as tar:
        lines = {
            name: [json.loads(line) for line in tar.extractfile(f"glidepath-chat/{name}").read().splitlines()]  # type: ignore[union-attr]
            for name in ("labels.jsonl", "pairs.jsonl")
        }
    assert {(one["pair_id"], one["label"], one["note"]) for one in lines["labels.jsonl"]} == {
        ("labelled", "not", "why"),
        ("expired", "acceptable", "why"),
    }
    pairs = {one["id"]: one for one in lines["pairs.jsonl"]}
    assert {name: one["label"] for name, one in pairs.items()} == {"kept": None, "labelled": "not"}
    assert pairs["kept"]["agreement"] == 0.5
    assert all(isinstance(one["left"], str) and isinstance(one["right"], str) for one in pairs.values())


async def test_with_force_the_log_names_the_blocking_items(cli: DecommissionCommand, tmp_path: Path) -> None:
    await cli.set_status("validating", 100)
    status, _, _ = await cli("chat", "--archive", str(tmp_path / "e.tar.gz"), "--force", "--reason", "budget ends")
    assert status == 1
    (decision,) = await cli.log()
    assert decision.reason == "budget ends; forced despite: validated"


async def test_without_a_workload_the_command_shows_the_order(cli: DecommissionCommand) -> None:
    await cli.set_status("completed", 100)
    status, out, _ = await cli("--json")
    assert status == 0
    (one,) = json.loads(out)["order"]
    assert (one["workload"], one["blocking"], one["ended"]) == ("chat", [], False)
    assert (await cli("chat"))[0] == 0
    assert (await cli("nosuch"))[2] == "glidepath: unknown workload 'nosuch' (allowed: chat)\n"


async def test_an_archive_is_private_and_an_earlier_one_stays(cli: DecommissionCommand, tmp_path: Path) -> None:
    await cli.set_status("completed", 100)
    path = tmp_path / "end.tar.gz"
    assert (await cli("chat", "--archive", str(path)))[0] == 0
    data = path.read_bytes()
    status, _, error = await cli("chat", "--archive", str(path))
    assert (status, stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (2, 0o600, data)
    assert "end.tar.gz: already exists and was not overwritten" in error
    assert [decision.event for decision in await cli.log()] == ["decommission"]


async def test_an_archive_on_standard_output_is_nothing_but_the_archive(cli: DecommissionCommand) -> None:
    await cli.set_status("completed", 100)
    command = [sys.executable, "-m", "glidepath_ops", "decommission", "chat", "-c", str(cli.file), "--archive", "-"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert "glidepath-chat/decisions.jsonl" in tar.getnames()
    assert b"recorded in the decision log" in done.stderr
    status, _, error = await cli("chat", "--archive", "-", "--json")
    assert (status, "standard output cannot be both" in error) == (2, True)


def test_an_archive_needs_a_workload(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--archive: needs the workload to archive") as refused:
        run_cli("decommission", "--archive", str(tmp_path / "end.tar.gz"), "-c", str(config))
    assert refused.value.exit_status == 2
    assert not (tmp_path / "end.tar.gz").exists()
