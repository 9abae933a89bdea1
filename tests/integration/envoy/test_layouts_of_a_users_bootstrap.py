"""Tests of `render envoy --into` with bootstraps of many layouts.

A real Envoy accepts the result, or the command refuses the bootstrap.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bootstrap_shapes import CONTINUED, OWN_ROUTE, REFUSED, TWO_CLUSTERS
from tests.support.insert_into_each_bootstrap import Outcome, Result, outcomes

pytestmark = pytest.mark.process
CONFIG = """\
envoy: {admin: "http://127.0.0.1:8008", shadow_listen: 127.0.0.1:8009}
backends:
  old: {cluster: gpt, host: gpt.test}
  new: {url: "http://127.0.0.1:8010", model: "n", first_byte_timeout: 10s, headers: {x-team: "y"}}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: old, candidate: new, sticky: {header: x-user}}
"""


def outcome(folder: Path, text: str, config: str = CONFIG) -> Outcome:
    bootstraps = folder / "bootstraps"
    (bootstraps / "cds").mkdir(parents=True)
    (bootstraps / "cds" / "clusters.yaml").write_text("resources: []\n")
    (bootstraps / "boot.yaml").write_bytes(text.encode())
    (folder / "glidepath.yaml").write_text(config)
    (found,) = outcomes(bootstraps, [folder / "glidepath.yaml"])
    return found


@pytest.mark.parametrize("name", CONTINUED)
def test_envoy_accepts_what_is_inserted_and_removing_restores_the_file(tmp_path: Path, name: str) -> None:
    found = outcome(tmp_path, CONTINUED[name])
    assert found.result is Result.INSERTED, found


@pytest.mark.parametrize("name", OWN_ROUTE)
def test_a_file_without_clusters_gets_them_with_glidepaths_own_route(tmp_path: Path, name: str) -> None:
    found = outcome(
        tmp_path, OWN_ROUTE[name], CONFIG.replace("{cluster: gpt, host: gpt.test}", '{url: "http://x.test"}')
    )
    assert found.result is Result.INSERTED, found


@pytest.mark.parametrize("name", TWO_CLUSTERS)
def test_a_candidate_that_is_a_cluster_of_the_file_gets_a_listener_inside_envoy(tmp_path: Path, name: str) -> None:
    found = outcome(
        tmp_path, TWO_CLUSTERS[name], CONFIG.replace('url: "http://127.0.0.1:8010"', "cluster: vllm, host: v")
    )
    assert found.result is Result.INSERTED, found


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_continued_is_refused_and_untouched(tmp_path: Path, name: str) -> None:
    text, reason = REFUSED[name]
    found = outcome(tmp_path, text)
    assert found.result is Result.REFUSED, found
    assert reason in found.detail


def test_a_file_that_this_envoy_rejects_anyway_is_marked(tmp_path: Path) -> None:
    found = outcome(tmp_path, CONTINUED["usual"].replace("stat_prefix: shop", "stat_prefix: y"))
    assert (found.result, "stat_prefix" in found.detail) == (Result.UNCHECKED, True)
