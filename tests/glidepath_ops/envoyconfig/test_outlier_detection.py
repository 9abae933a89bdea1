"""Outlier detection is rendered where the configuration asks for it.

Envoy may eject all endpoints of a candidate only where the baseline then serves its requests.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError
from glidepath_ops.cli.status_details import ejection_line
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.outlier_detection import outlier_detection
from glidepath_ops.envoyconfig.validation import check_strict
from tests.support import quick_yaml
from tests.support.chat_config import CHAT_CONFIG

SETTING = {"failures": 7, "time": "20s"}


def config(setting: dict[str, Any] | None = SETTING, /, **changes: Any) -> Config:
    data = quick_yaml.safe_load(CHAT_CONFIG)
    if setting is not None:
        data["backends"]["onprem"]["outlier_detection"] = setting
    data["envoy"] = changes.pop("envoy", {})
    data["workloads"]["chat"] |= changes
    return parse_config(yaml.safe_dump(data))


def test_without_the_setting_nothing_is_rendered() -> None:
    assert outlier_detection(config(None), "onprem") == {}
    assert ejection_line(config(None), "chat") == []


def test_with_a_fallback_every_endpoint_may_be_ejected() -> None:
    rendered = render_bootstrap(config())
    check_strict(rendered)
    (cluster,) = (one for one in rendered["static_resources"]["clusters"] if one["name"] == "onprem")
    detection = cluster["outlier_detection"]
    assert (detection["consecutive_5xx"], detection["base_ejection_time"]) == (7, "20s")
    assert detection["max_ejection_percent"] == 100
    assert cluster["common_lb_config"] == {"healthy_panic_threshold": {"value": 0}}
    assert ejection_line(config(), "chat") == [
        "outlier detection: Envoy leaves onprem for 20 s after 7 failures in a row"
    ]


@pytest.mark.parametrize("changes", [{"fallback": False}, {"envoy": {"default_backend": "onprem"}}])
def test_where_the_baseline_does_not_serve_instead_half_of_the_endpoints_stay(changes: dict[str, Any]) -> None:
    found = outlier_detection(config(SETTING, **changes), "onprem")
    assert found["outlier_detection"]["max_ejection_percent"] == 50
    assert "common_lb_config" not in found
    assert "at most half" in ejection_line(config(SETTING, **changes), "chat")[0]


def test_a_candidate_that_is_a_cluster_keeps_its_own_settings() -> None:
    data = quick_yaml.safe_load(CHAT_CONFIG)
    data["backends"]["onprem"] = {"cluster": "vllm", "host": "vllm", "outlier_detection": SETTING}
    with pytest.raises(ConfigError, match="outlier_detection needs url"):
        parse_config(yaml.safe_dump(data))


def test_a_configuration_without_the_setting_keeps_its_digest() -> None:
    assert config(None).digest("chat") == parse_config(CHAT_CONFIG).digest("chat")
    assert config().digest("chat") != config(None).digest("chat")
