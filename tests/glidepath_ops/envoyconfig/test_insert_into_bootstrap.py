"""Tests of inserting Glidepath into a user's bootstrap: nothing else changes, and removing restores the file."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from glidepath.config import parse_config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.insert_into_bootstrap import InsertionPoint, insert_glidepath
from glidepath_ops.envoyconfig.validation import check_splits, check_strict
from glidepath_ops.envoyconfig.yaml_insertion import remove
from tests.support import quick_yaml
from tests.support.user_bootstraps import BY_RDS, HTTP1, INSERTABLE, TLS_AND_MORE_LISTENERS, filled

YAML = """\
backends:
  cloud: {cluster: theirs, host: api.example.com}
  onprem: {url: "http://127.0.0.1:9002", model: llama-3.1-8b, first_byte_timeout: 10s}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem}
"""
CONFIG = parse_config(YAML)
FILLED = {
    name: (filled(t, listen=1, admin=2, backend=3), InsertionPoint(li, vh)) for name, (t, li, vh) in INSERTABLE.items()
}


@cache
def inserted(name: str) -> str:
    text, place = FILLED[name]
    return insert_glidepath(text, CONFIG, name, place)


def pruned(data: Any) -> Any:
    """Return Envoy configuration without Glidepath's parts: its routes, entries named glidepath…, its clusters."""
    if isinstance(data, list):
        return [pruned(one) for one in data if not _is_from_glidepath(one)]
    if isinstance(data, dict):
        return {key: pruned(value) for key, value in data.items() if key != "early_header_mutation_extensions"}
    return data


def _is_from_glidepath(one: Any) -> bool:
    if not isinstance(one, dict):
        return False
    log = one.get("typed_config", {}).get("common_config", {}).get("log_name", "") if "typed_config" in one else ""
    names = ("cloud", "onprem", "onprem-or-cloud", "admin")
    if "glidepath" in one.get("metadata", {}).get("filter_metadata", {}):
        return True
    return one.get("name") in names or str(one.get("name", "")).startswith("glidepath") or log.startswith("glidepath")


@pytest.mark.parametrize("name", FILLED)
def test_removing_restores_the_file_byte_for_byte(name: str) -> None:
    assert remove(inserted(name)) == FILLED[name][0]


@pytest.mark.parametrize("name", FILLED)
def test_inserting_twice_changes_nothing_more(name: str) -> None:
    once = inserted(name)
    assert insert_glidepath(once, CONFIG, name, FILLED[name][1]) == once


@pytest.mark.parametrize("name", FILLED)
def test_every_line_of_the_users_file_is_kept_in_order(name: str) -> None:
    lines = iter(inserted(name).splitlines())
    if "flow" not in name:  # in flow style an insertion can split a line of the user's file
        assert all(line in lines for line in FILLED[name][0].splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("name", FILLED)
def test_the_result_is_valid_for_envoy_and_keeps_the_users_configuration(name: str) -> None:
    result = quick_yaml.safe_load(inserted(name))
    check_strict(result)
    assert check_splits(result) == ["chat"]
    theirs = pruned(quick_yaml.safe_load(FILLED[name][0]))
    left = pruned(result)
    for key in ("access_log",):
        for listener in left["static_resources"]["listeners"]:
            manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
            if not manager.get(key, True):
                del manager[key]
    if not left.get("layered_runtime", {"layers": [1]})["layers"]:
        del left["layered_runtime"]
    assert left == theirs


@pytest.mark.parametrize("indent", [None, 2])
def test_json_in_a_yaml_file_is_edited_too(indent: int | None) -> None:
    text = json.dumps(quick_yaml.safe_load(FILLED["http1"][0]), indent=indent)
    result = insert_glidepath(text, CONFIG, "envoy.yaml", FILLED["http1"][1])
    assert remove(result) == text
    assert check_splits(quick_yaml.safe_load(result)) == ["chat"]


def test_a_merge_key_is_refused_because_envoy_does_not_read_it() -> None:
    manager = "typed_config:\n          <<: *manager\n"
    text = FILLED["http1"][0].replace("typed_config:\n", manager, 1)
    assert manager in text
    with pytest.raises(InputError, match=r'f:\d+: "<<" is no merge key for Envoy, which reads it as a field; write'):
        insert_glidepath('"!ignore": &manager {stat_prefix: x}\n' + text, CONFIG, "f")
    assert insert_glidepath('"!ignore": {a: &a {}, b: {<<: *a}}\n' + FILLED["http1"][0], CONFIG, "f")


def test_the_users_admin_layer_stays_last() -> None:
    layers = quick_yaml.safe_load(inserted("own-runtime"))["layered_runtime"]["layers"]
    assert [layer["name"] for layer in layers] == ["base", "glidepath-file", "person"]


def test_the_inserted_filters_come_directly_before_the_router() -> None:
    listener = quick_yaml.safe_load(inserted("own-filters"))["static_resources"]["listeners"][0]
    chain = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    ours = ["glidepath.read_request", "glidepath.remember", "glidepath.candidate_headers", "glidepath.capture"]
    assert [one["name"] for one in chain[2:]] == [*ours, "router"]


SHARED_TABLE = """x: &hosts
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
    - {match: {prefix: /}, route: {cluster: theirs}}
filters: &filters
- {name: router}
static_resources:
  clusters: [{name: theirs}]
  listeners:
  - name: main
    filter_chains:
    - filters: [{name: a, typed_config: {"@type": HttpConnectionManager, route_config: *hosts, http_filters: *filters}}]
    - filters: [{name: b, typed_config: {"@type": HttpConnectionManager, route_config: *hosts, http_filters: *filters}}]
"""


def test_parts_that_two_managers_share_by_an_alias_are_inserted_once() -> None:
    result = quick_yaml.safe_load(insert_glidepath(SHARED_TABLE, CONFIG, "x"))
    assert len(result["x"]["virtual_hosts"][0]["routes"]) == 6  # the split, two without, the rest, the reading one
    assert len(result["filters"]) == 5


@pytest.mark.parametrize(
    "manager", ['{"@type": HttpConnectionManager, route_config: *hosts, http_filters: []}', "*manager"]
)
def test_routes_that_another_listener_shares_by_an_alias_are_refused(manager: str) -> None:
    text = SHARED_TABLE.replace("typed_config: {", "typed_config: &manager {", 1)
    assert "&manager" in text
    other = f"  - {{name: plain, filter_chains: [{{filters: [{{name: c, typed_config: {manager}}}]}}]}}\n"
    with pytest.raises(InputError, match=r"boot.yaml:6: a YAML alias gives these routes to .* listener plain too"):
        insert_glidepath(text + other, CONFIG, "boot.yaml", InsertionPoint("main"))


OWN_UPSTREAM_FILTERS = """\
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {http_filters: [{name: credential_injector}]}
"""
REFUSED = [
    (BY_RDS, InsertionPoint(), r"boot.yaml:8: gets its routes by rds"),
    (TLS_AND_MORE_LISTENERS, InsertionPoint(), r"several listeners .* \(allowed: health, main\)"),
    (TLS_AND_MORE_LISTENERS, InsertionPoint("man"), r"no listener 'man' .* \(allowed: health, main\)"),
    (INSERTABLE["own-filters"][0], InsertionPoint(), r"several virtual hosts; .* \(allowed: api, all\)"),
    (INSERTABLE["own-filters"][0], InsertionPoint(virtual_host="x"), r"no virtual host 'x' \(allowed: api, all\)"),
    (
        HTTP1.replace("  - name: theirs\n", "  - name: cloud\n  - name: theirs\n"),
        InsertionPoint(),
        r"the cluster 'cloud' already exists here; rename the backend",
    ),
    (
        HTTP1.replace("cluster: theirs}", "cluster: other}"),
        InsertionPoint(),
        r"workloads.chat: boot.yaml:20: the route serves it from the cluster other: set backends.cloud: {cluster: other"
        r", host: .*} in glidepath.yaml, so that other continues to serve the baseline \(now: cluster: theirs\)",
    ),
    (
        HTTP1.replace("domains:", "matcher: {}\n              domains:"),
        InsertionPoint(),
        r"boot.yaml:16: finds its routes by a matcher",
    ),
    (
        HTTP1.replace("    type: STATIC\n", "    type: STATIC\n" + OWN_UPSTREAM_FILTERS),
        InsertionPoint(),
        r"workloads.chat: boot.yaml:2\d: the cluster has http_filters, .*: set fallback: false",
    ),
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
    assert "+                    runtime_key_prefix: glidepath.chat.weight" in added.stdout
    assert not [line for line in added.stdout.splitlines() if line.startswith("-") and not line.startswith("---")]
    again = glidepath("render", "envoy", "--into", str(theirs), "-c", str(ours))
    assert (again.stdout, again.returncode) == ("", 0)
    assert glidepath("render", "--into", str(theirs), "--remove").returncode == 0
    assert theirs.read_text() == text


@pytest.mark.process
def test_a_complete_bootstrap_is_refused_if_a_backend_names_a_cluster(tmp_path: Path) -> None:
    ours = tmp_path / "glidepath.yaml"
    ours.write_text(YAML)
    done = glidepath("render", "envoy", "-c", str(ours))
    assert (done.returncode, done.stdout) == (2, "")
    assert "backends.cloud.cluster: a complete bootstrap has no cluster theirs; insert Glidepath into" in done.stderr


@pytest.mark.process
def test_the_command_says_which_cluster_to_name_in_the_configuration(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "envoy.yaml", tmp_path / "glidepath.yaml"
    theirs.write_text(FILLED["http1"][0])
    ours.write_text(YAML.replace("{cluster: theirs, host: api.example.com}", '{url: "http://127.0.0.1:9001"}'))
    done = glidepath("render", "envoy", "--into", str(theirs), "-c", str(ours))
    assert (done.returncode, done.stdout) == (2, "")
    assert "set backends.cloud: {cluster: theirs, host: THE HOST HEADER OF ITS REQUESTS}" in done.stderr
    assert theirs.read_text() == FILLED["http1"][0]


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--into", "nothing.yaml", "--remove"], "nothing.yaml: cannot be read"),
        (["--into", "boot.json"], "boot.json: Envoy reads no comments in a .json file"),
        (["--remove"], "--remove needs --into"),
        (["nonsense"], "unknown target 'nonsense' (allowed: envoy"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_2(arguments: list[str], reason: str) -> None:
    done = glidepath("render", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
