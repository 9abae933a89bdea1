"""Tests of inserting Glidepath into a user's bootstrap: nothing else changes, and removing restores the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from glidepath.config import parse_config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.insert_into_bootstrap import InsertionPoint, insert_glidepath
from glidepath_ops.envoyconfig.validation import check_splits, check_strict
from glidepath_ops.envoyconfig.yaml_insertion import remove
from tests.support.user_bootstraps import BY_RDS, HTTP1, INSERTABLE, TLS_AND_MORE_LISTENERS, filled

YAML = """\
backends:
  cloud: {url: "http://127.0.0.1:9001", model: gpt-4o-mini}
  onprem: {url: "http://127.0.0.1:9002", model: llama-3.1-8b}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem}
"""
CONFIG = parse_config(YAML)
FILLED = {
    name: (filled(t, listen=1, admin=2, backend=3), InsertionPoint(li, vh)) for name, (t, li, vh) in INSERTABLE.items()
}


def pruned(data: Any) -> Any:
    """Return Envoy configuration without Glidepath's parts: entries named glidepath…, its clusters, emptied lists."""
    if isinstance(data, list):
        return [pruned(one) for one in data if not _is_from_glidepath(one)]
    if isinstance(data, dict):
        return {key: pruned(value) for key, value in data.items() if key != "early_header_mutation_extensions"}
    return data


def _is_from_glidepath(one: Any) -> bool:
    if not isinstance(one, dict):
        return False
    log = one.get("typed_config", {}).get("common_config", {}).get("log_name", "") if "typed_config" in one else ""
    names = ("cloud", "onprem", "onprem-or-cloud", "cloud-for-onprem", "admin")
    return one.get("name") in names or str(one.get("name", "")).startswith("glidepath") or log.startswith("glidepath")


@pytest.mark.parametrize("name", FILLED)
def test_removing_restores_the_file_byte_for_byte(name: str) -> None:
    text, place = FILLED[name]
    assert remove(insert_glidepath(text, CONFIG, name, place)) == text


@pytest.mark.parametrize("name", FILLED)
def test_inserting_twice_changes_nothing_more(name: str) -> None:
    text, place = FILLED[name]
    once = insert_glidepath(text, CONFIG, name, place)
    assert insert_glidepath(once, CONFIG, name, place) == once


@pytest.mark.parametrize("name", FILLED)
def test_every_line_of_the_users_file_is_kept_in_order(name: str) -> None:
    text, place = FILLED[name]
    lines = iter(insert_glidepath(text, CONFIG, name, place).splitlines())
    if "flow" not in name:  # in flow style an insertion can split a line of the user's file
        assert all(line in lines for line in text.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("name", FILLED)
def test_the_result_is_valid_for_envoy_and_keeps_the_users_configuration(name: str) -> None:
    text, place = FILLED[name]
    result = yaml.safe_load(insert_glidepath(text, CONFIG, name, place))
    check_strict(result)
    assert check_splits(result) == ["chat"]
    theirs = pruned(yaml.safe_load(text))
    left = pruned(result)
    for key in ("access_log",):
        for listener in left["static_resources"]["listeners"]:
            manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
            if not manager.get(key, True):
                del manager[key]
    if not left.get("layered_runtime", {"layers": [1]})["layers"]:
        del left["layered_runtime"]
    assert left == theirs


def test_the_users_admin_layer_stays_last() -> None:
    text, place = FILLED["own-runtime"]
    layers = yaml.safe_load(insert_glidepath(text, CONFIG, "x", place))["layered_runtime"]["layers"]
    assert [layer["name"] for layer in layers] == ["base", "glidepath-file", "person"]


def test_inserted_filters_are_disabled_for_other_routes() -> None:
    text, place = FILLED["http1"]
    manager = yaml.safe_load(insert_glidepath(text, CONFIG, "x", place))["static_resources"]["listeners"][0][
        "filter_chains"
    ][0]
    chain = manager["filters"][0]["typed_config"]["http_filters"]
    assert [f.get("disabled", False) for f in chain] == [True, True, True, False]


REFUSED = [
    (BY_RDS, InsertionPoint(), r"boot.yaml:8: gets its routes by rds"),
    (TLS_AND_MORE_LISTENERS, InsertionPoint(), r"several listeners .* \(allowed: health, main\)"),
    (TLS_AND_MORE_LISTENERS, InsertionPoint("man"), r"no listener 'man' .* \(allowed: health, main\)"),
    (INSERTABLE["own-filters"][0], InsertionPoint(), r"several virtual hosts; .* \(allowed: api, all\)"),
    (INSERTABLE["own-filters"][0], InsertionPoint(virtual_host="x"), r"no virtual host 'x' \(allowed: api, all\)"),
    (HTTP1.replace("name: theirs\n", "name: cloud\n"), InsertionPoint(), r"the cluster 'cloud' already exists here"),
    ("node: {}\n", InsertionPoint(), "has no static_resources"),
    ("static_resources: {listeners: []}\n", InsertionPoint(), "no listener has an HTTP connection manager"),
]


@pytest.mark.parametrize(("text", "place", "reason"), REFUSED)
def test_a_file_without_a_place_for_a_part_is_refused_with_the_reason(
    text: str, place: InsertionPoint, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        insert_glidepath(filled(text, listen=1, admin=2, backend=3), CONFIG, "boot.yaml", place)


def glidepath(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "glidepath_ops", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.process
def test_the_command_inserts_shows_the_diff_and_removes(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "envoy.yaml", tmp_path / "glidepath.yaml"
    text = FILLED["http1"][0]
    theirs.write_text(text)
    ours.write_text(YAML)
    dry = glidepath("render", "envoy", "--into", str(theirs), "-c", str(ours), "--dry-run")
    assert (dry.returncode, theirs.read_text()) == (0, text)
    added = glidepath("render", "envoy", "--into", str(theirs), "-c", str(ours))
    assert added.returncode == 0, added.stderr
    assert added.stdout == dry.stdout
    assert "+              - name: glidepath/chat/captured" in added.stdout
    assert not [line for line in added.stdout.splitlines() if line.startswith("-") and not line.startswith("---")]
    again = glidepath("render", "envoy", "--into", str(theirs), "-c", str(ours))
    assert (again.stdout, again.returncode) == ("", 0)
    assert glidepath("render", "--into", str(theirs), "--remove").returncode == 0
    assert theirs.read_text() == text


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--into", "nothing.yaml", "--remove"], "nothing.yaml: cannot be read"),
        (["--into", "boot.json"], "is JSON, which has no comments"),
        (["--remove"], "--remove needs --into"),
        (["nonsense"], "unknown target 'nonsense' (allowed: envoy"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_2(arguments: list[str], reason: str) -> None:
    done = glidepath("render", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
