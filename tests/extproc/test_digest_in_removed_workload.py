"""The digest of a sticky value in a removed workload. ``glidepath erase`` finds the user's pairs by this digest."""

from __future__ import annotations

import pytest

from extproc.workloads import build_workloads, digest_in_removed_workload
from glidepath.config import parse_config


def test_the_digest_equals_that_of_the_workload_before_its_removal(
    valid_yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STICKY_KEY", "secret")
    keyed = parse_config(valid_yaml + "extproc: {sticky_key: {env: STICKY_KEY}}\n")
    assert digest_in_removed_workload(keyed, "chat", "ann") == build_workloads(keyed)["chat"].sticky("ann") != ""
    assert digest_in_removed_workload(keyed, "other", "ann") != digest_in_removed_workload(keyed, "chat", "ann")


def test_the_digest_is_unknown_without_a_key_in_the_configuration(valid_yaml: str) -> None:
    assert digest_in_removed_workload(parse_config(valid_yaml), "chat", "ann") == ""
