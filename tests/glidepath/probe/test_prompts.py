"""Requests from prompts: the form of each API, files of bodies, and errors in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError, InputError
from glidepath.probe.prompts import body_of, probe_requests, read_jsonl


def configured(valid_yaml: str, **probes: Any) -> Config:
    data = yaml.safe_load(valid_yaml)
    data["workloads"]["chat"]["probes"] = probes
    return parse_config(yaml.safe_dump(data))


def test_a_prompt_becomes_a_request_in_the_api_form_of_the_path(valid_yaml: str) -> None:
    (request,) = probe_requests(configured(valid_yaml, prompts=["Who?"]), "chat")
    assert request.path == "/v1/chat/completions"
    assert json.loads(request.body) == {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Who?"}]}


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/openai/deployments/x/chat/completions?api-version=1", "messages"),
        ("/v1/completions", "prompt"),
        ("/v1/embeddings", "input"),
        ("/v1/responses", "input"),
        ("/v1/messages", "messages"),
        ("/api/chat", "messages"),
        ("/api/generate", "prompt"),
        ("/generate", "inputs"),
    ],
)
def test_each_known_path_has_the_prompt_in_its_own_field(path: str, key: str) -> None:
    assert "Who?" in json.dumps(body_of(path, "Who?", "m")[key])


def test_a_path_of_an_unknown_api_form_needs_a_file_of_bodies() -> None:
    with pytest.raises(InputError, match="file of bodies"):
        body_of("/v2/models/x/infer", "Who?", "m")


def test_lines_of_a_file_are_request_bodies_or_prompts(valid_yaml: str, tmp_path: Path) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text('{"model": "x", "messages": [], "temperature": 0}\n\n"And you?"\n')
    config = configured(valid_yaml, prompts=["Who?"], file=str(file), path="/v1/chat/completions")
    bodies = [json.loads(request.body) for request in probe_requests(config, "chat")]
    assert [body["messages"][0]["content"] if body["messages"] else body for body in bodies] == [
        "Who?",
        {"model": "x", "messages": [], "temperature": 0},
        "And you?",
    ]


def test_an_invalid_line_is_named_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text('"a"\n[1]\n')
    with pytest.raises(InputError, match=r"probes\.jsonl:2: must be a request body"):
        read_jsonl(file)
    with pytest.raises(InputError, match="No such file"):
        read_jsonl(tmp_path / "none.jsonl")


@given(st.binary(max_size=300))
def test_any_bytes_are_requests_or_an_input_error(raw: bytes) -> None:
    file = Path("/dev/shm/glidepath-fuzz.jsonl" if Path("/dev/shm").is_dir() else "/tmp/glidepath-fuzz.jsonl")
    file.write_bytes(raw)
    try:
        found = read_jsonl(file)
    except InputError:
        return
    finally:
        file.unlink()
    assert all(isinstance(line, str | dict) for line in found)


def test_a_workload_without_probes_has_nothing_to_send(valid_yaml: str) -> None:
    with pytest.raises(InputError, match=r"workloads\.chat: has no probes section"):
        probe_requests(parse_config(valid_yaml), "chat")


def test_probes_of_a_prefix_need_a_path(valid_yaml: str) -> None:
    data = yaml.safe_load(valid_yaml)
    data["workloads"]["chat"] |= {"match": {"path_prefix": "/v1"}, "probes": {"prompts": ["Who?"]}}
    with pytest.raises(ConfigError, match="probes: needs a path"):
        parse_config(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match="needs prompts or file"):
        configured(valid_yaml, every="1h")


def test_changed_probes_do_not_change_the_digest(valid_yaml: str) -> None:
    assert configured(valid_yaml, prompts=["Who?"]).digest("chat") == parse_config(valid_yaml).digest("chat")
