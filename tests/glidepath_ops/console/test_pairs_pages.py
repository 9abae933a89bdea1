"""The pages of pairs, their judgement and their export, with a real Redis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glidepath.pair_labels import read_labels
from glidepath.pair_scores import AnswerFacts
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Origin
from glidepath_ops.console import pair_index, pair_store
from glidepath_ops.console.pair_query import query_of
from glidepath_ops.console.pair_store import PairStore
from tests.support.console_client import TOKEN, console_client, console_config
from tests.support.console_data import (
    hold_for_sameness,
    pair,
    scored,
    store_decisions,
    store_pairs,
    store_results,
    store_status,
)
from tests.support.console_data import status as status_of
from tests.support.waiting import eventually

WITH_TOKEN = "{{token: {{file: {token}}}}}"
BEARER = {"authorization": f"Bearer {TOKEN}"}
PAIRS, PAIR = "/workloads/chat/pairs", "/workloads/chat/pair"
REFUSED = AnswerFacts(Origin.SHADOW, "onprem", 200, faults=("refusal",))


async def store_three(redis: Any) -> None:
    near, far, refused = (pair(name, "The fee is 40 euros.", "The fee is 45 euros.") for name in ("near", "far", "no"))
    await store_pairs(
        redis,
        (near, scored(near, 0.95)),
        (far, scored(far, 0.2, flags=("numbers",), signals={"numbers": 1.0, "cosine": 0.91, "contract_model": 1.0})),
        (refused, scored(refused, 0.5, flags=("refusal",), candidate=REFUSED)),
    )


def places(text: str, *ids: str) -> list[int]:
    return [text.index(f"id={one}") for one in ids]


async def test_the_worst_pairs_come_first(tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    await store_three(redis_client)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        text = (await client.get(PAIRS)).text
        assert places(text, "no", "far", "near") == sorted(places(text, "no", "far", "near"))
        newest = (await client.get(PAIRS, params={"sort": "newest"})).text
        assert places(newest, "no", "far", "near") == sorted(places(newest, "no", "far", "near"))


@pytest.mark.parametrize(("noise", "sort", "noted"), [(3, "worst", True), (30, "worst", False), (3, "newest", False)])
async def test_the_worst_pairs_have_a_note_until_the_baselines_own_variation_is_known(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, noise: int, sort: str, noted: bool
) -> None:
    await store_three(redis_client)
    await store_status(redis_client, status_of(pairs_apart={"noise": noise}))
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        text = (await client.get(PAIRS, params={"sort": sort})).text
        assert ("the worst pairs may be harmless" in text) == noted


@pytest.mark.parametrize("sort", ["worst", "newest"])
async def test_the_page_says_how_many_match_if_not_all_are_listed(
    tmp_path: Path,
    valid_yaml: str,
    redis_url: str,
    redis_client: Any,
    sort: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await store_three(redis_client)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "are listed" not in (await client.get(PAIRS, params={"sort": sort})).text
    monkeypatch.setattr(pair_store, "MOST_LISTED", 2)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        text = (await client.get(PAIRS, params={"sort": sort})).text
    assert "3 of 3 searched pairs, of which the first 2 are listed" in text


async def test_a_search_selects_by_flag_side_and_request(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_three(redis_client)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        searches = (
            {"flag": "numbers"},
            {"side": "candidate"},
            {"request": "near"},
            {"label": "any"},
            {"status": "5xx"},
        )
        found = [(await client.get("/api" + PAIRS, params=search)).json() for search in searches]
        assert [[one["id"] for one in records] for records in found] == [["far"], ["no"], ["near"], [], []]
        assert (await client.get("/api" + PAIRS, params={"flag": "nothing"})).status_code == 400


async def test_a_new_result_is_found_by_the_next_search(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_three(redis_client)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "id=later" not in (await client.get(PAIRS)).text
        later = pair("later", "Yes.", "No.")
        await store_pairs(redis_client, (later, scored(later, 0.01)))
        assert "id=later" in (await client.get(PAIRS, params={"sort": "newest", "since": "1h"})).text


async def test_a_pair_stands_side_by_side_with_its_differences_and_signals(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_three(redis_client)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        text = (await client.get(PAIR, params={"id": "far"})).text
    for part in (
        '<mark class="gone">40 euros</mark>',
        '<mark class="added">45 euros</mark>',
        "a number, date, unit",
        "another name of the model",
    ):
        assert part in text
    assert 'rel="prev"' in text
    assert 'rel="next"' in text
    assert "<button" not in text.replace('<button type="button" data-copy="curl">', "")


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7*7 }} \u202eevil\u202c مرحبا \x1b[31m \x00"


async def test_a_hostile_pair_is_only_text(tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    name = 'a"><script>x</script>&/../b'
    bad = pair(name, HOSTILE, b"broken \xff\xfe bytes", question=HOSTILE)
    long = pair("long", "word " * 40_000, "<b>" * 66_000)
    surrogate = pair("surrogate", "x", b"\\ud800 alone")
    await store_pairs(redis_client, *((one, scored(one, 0.1)) for one in (bad, long, surrogate)))
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        for path, params in ((PAIRS, {}), (PAIR, {"id": name}), (PAIR, {"id": "long"}), (PAIR, {"id": "surrogate"})):
            answer = await client.get(path, params=params)
            assert answer.status_code == 200, params
            for tag in ("<script>alert", "<img", "<script>x", "<b>", "\x1b", "\x00", "\u202e"):
                assert tag not in answer.text, (params, tag)
        full = await client.get(PAIR, params={"id": "long", "full": "1"})
        assert len(full.text) > 200_000


async def test_a_judgement_is_stored_with_who_and_keeps_the_pair(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_three(redis_client)
    redacting = valid_yaml + "redaction: {builtin: [email]}\n"
    config = console_config(tmp_path, redacting, redis_url, WITH_TOKEN)
    async with console_client(config, redis_client) as (client, _):
        body = {"id": "far", "label": "not", "note": "wrong fee, says bob@example.com", "who": "Ana"}
        path = "/api/workloads/chat/label"
        assert (await client.put(path, json=body, headers=BEARER)).status_code == 200
        assert (await client.put(path, json={**body, "label": "good"}, headers=BEARER)).status_code == 400
        assert (await client.put(path, json={**body, "id": "nothing"}, headers=BEARER)).status_code == 400
        assert (await client.put(path, json=body)).status_code == 401
        labelled = (await client.get("/api" + PAIRS, params={"label": "not"}, headers=BEARER)).json()
        assert [one["id"] for one in labelled] == ["far"]
        assert "Judged not by Ana (console)" in (await client.get(PAIR, params={"id": "far"}, headers=BEARER)).text
    label = (await read_labels(redis_client, "chat", 10))["far"]
    assert (label.who, label.note) == ("Ana (console)", "wrong fee, says [redacted]")
    assert await redis_client.hexists("glidepath:{chat}:kept", "far")


async def test_the_export_is_a_data_set(tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    await store_three(redis_client)
    gone = pair("gone", "a", "b")
    await store_results(redis_client, [scored(gone, 0.3)])  # its bodies are not stored any more
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        answer = await client.get("/api/workloads/chat/pairs.jsonl")
    records = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["id"] for one in records] == ["no", "far", "near"]
    assert records[1]["left"] == "The fee is 40 euros."
    assert "attachment" in answer.headers["content-disposition"]


async def test_an_export_leaves_out_what_is_removed_while_it_runs(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_three(redis_client)
    store = PairStore(console_config(tmp_path, valid_yaml, redis_url), redis_client)
    lines = store.export("chat", await store.search_all("chat", query_of({}, str, 0), 100))
    exported = [json.loads(await anext(lines))["id"]]
    results = WorkloadKeys("chat").results
    [_, (far, _), _] = await redis_client.xrange(results)
    await redis_client.xdel(results, far)
    exported += [json.loads(line)["id"] async for line in lines]
    assert exported == ["no", "near"]


@pytest.mark.parametrize("path", ["/api/workloads/chat/pairs.jsonl", "/api/workloads/chat/pairs"])
async def test_an_export_has_the_old_results_too_while_pages_do_not_wait_for_them(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await store_three(redis_client)
    monkeypatch.setattr(pair_index, "PAGE", 1)
    monkeypatch.setattr(pair_store, "PAGE_WAIT_S", 0.0)
    monkeypatch.setattr(pair_store, "MOST_LISTED", 2)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        answer = await client.get(path)
    for name in ("near", "far", "no"):
        assert f'"id":"{name}"' in answer.text.replace(": ", ":")


async def test_a_hold_links_the_pairs_that_weighed_most(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_three(redis_client)
    await store_status(redis_client, status_of())
    [entry] = await store_decisions(redis_client, hold_for_sameness(1, "far"))
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        text = (await client.get("/workloads/chat")).text
        assert f'href="/workloads/chat/pair?id=far&amp;decision={entry}"' in text
        shown = (await client.get(PAIR, params={"id": "far", "decision": entry})).text
        assert f'href="/workloads/chat#d-{entry}"' in shown


async def test_an_erased_pair_is_shown_no_more_and_leaves_the_memory(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_three(redis_client)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "id=far" in (await client.get(PAIRS)).text
        entries = await redis_client.xrange(WorkloadKeys("chat").results)
        await redis_client.xdel(WorkloadKeys("chat").results, entries[1][0])
        assert "id=far" not in (await client.get(PAIRS, params={"since": "1h"})).text
        assert [one["id"] for one in (await client.get("/api" + PAIRS)).json()] == ["no", "near"]


async def test_what_retention_removed_is_not_listed(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_three(redis_client)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "id=near" in (await client.get(PAIRS)).text
        await redis_client.xtrim(WorkloadKeys("chat").results, maxlen=2, approximate=False)
        found = (await client.get("/api" + PAIRS, params={"since": "1h"})).json()
        assert [one["id"] for one in found] == ["no", "far"]


async def test_a_pair_that_is_not_stored_says_so(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    gone = pair("gone", "a", "b")
    await store_results(redis_client, [scored(gone, 0.3)])
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "no longer stored" in (await client.get(PAIR, params={"id": "gone"})).text
        assert (await client.get(PAIR, params={"id": "nothing"})).status_code == 400


async def test_an_index_reads_everything_page_by_page_and_stays_within_its_limit(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    one = pair("x", "a", "b")
    results = [scored(one, 0.5, pair_id=f"p{number:05d}", captured_at_ms=number) for number in range(3200)]
    await store_results(redis_client, results)
    config = console_config(tmp_path, valid_yaml, redis_url, "{{index: 2000}}")
    async with console_client(config, redis_client) as (client, _):

        async def text_of_a_search() -> str:
            return str((await client.get(PAIRS, params={"sort": "newest"})).text)

        async def is_complete() -> bool:
            return "still being read" not in await text_of_a_search()

        await eventually(is_complete)
        text = await text_of_a_search()
        assert "3,200 results are stored" in text
        assert "2,000 of 2,000 searched pairs" in text
        assert text.index("id=p03199") < text.index("id=p03198")
        await store_results(redis_client, [scored(one, 0.5, pair_id="newest", captured_at_ms=10**6)])
        assert "id=newest" in (await client.get(PAIRS, params={"sort": "newest", "since": "1970-01-01"})).text
