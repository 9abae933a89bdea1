"""Tests of the list of Envoy extensions: those that a configuration needs, and those that a build lacks."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.extensions import refuse_missing_extensions, used_extensions


def config(fallback: bool = True, **cloud: Any) -> Config:
    data = {
        "backends": {"cloud": {"url": "https://a.example", **cloud}, "onprem": {"url": "http://127.0.0.1:9"}},
        "workloads": {
            "chat": {"match": {"path": "/v1"}, "baseline": "cloud", "candidate": "onprem", "fallback": fallback}
        },
    }
    return parse_config(yaml.safe_dump(data))


def test_istio_refuses_a_credential_from_a_file_with_a_remedy() -> None:
    with pytest.raises(ConfigError, match=r"backends.cloud.credential.file: Istio's .*file_content.*env: NAME"):
        refuse_missing_extensions(config(credential={"file": "/run/secret"}), "istio")


def test_istio_has_all_other_extensions_and_stock_envoy_has_all() -> None:
    refuse_missing_extensions(config(credential={"env": "KEY"}), "istio")
    refuse_missing_extensions(config(credential={"file": "/run/secret"}), "stock")


def test_fallback_and_tls_are_needed_only_where_they_are_configured() -> None:
    with_fallback, without = used_extensions(config()), used_extensions(config(fallback=False))
    assert with_fallback.keys() - without.keys() == {
        "envoy.clusters.aggregate",
        "envoy.retry_priorities.previous_priorities",
    }
    assert with_fallback["envoy.clusters.aggregate"][1] == "workloads.chat.fallback"
    assert with_fallback["envoy.transport_sockets.tls"][1] == "backends.cloud.url"


def test_every_extension_that_is_rendered_with_a_well_known_name_is_in_the_list() -> None:
    text = yaml.safe_dump(render_bootstrap(config(credential={"file": "/run/secret"})))
    names = set(re.findall(r"name: (envoy\.(?:clusters|retry_\w+|formatter|access_loggers|filters\.http)\.\w+)", text))
    core = {"envoy.filters.http.router", "envoy.filters.http.upstream_codec"}
    assert names
    assert names - core <= set(used_extensions(config(credential={"file": "/run/secret"})))
