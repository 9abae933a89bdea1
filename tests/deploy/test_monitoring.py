"""The dashboard and the alert rules name only metrics and labels that Glidepath's processes export."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from glidepath.config import load_config
from glidepath_ops.monitoring.dashboard import ROWS, as_text
from glidepath_ops.monitoring.exported_metrics import exported_metrics
from glidepath_ops.monitoring.metrics_page import LABELS, reference, undescribed
from glidepath_ops.monitoring.prometheus_rule import prometheus_rule
from tests.support import quick_yaml
from tests.support.promql_names import unknown_names
from tests.support.promtool import needs_promtool, promtool

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "glidepath.json"
QUERIES = [query for row in ROWS for panel in row.panels for query in panel.queries]
Json = dict[str, Any]


def test_the_committed_reference_of_the_metrics_is_up_to_date() -> None:
    page = ROOT / "docs" / "reference" / "metrics.md"
    assert page.read_text() == reference(), "run: make reference"


def test_the_committed_dashboard_is_up_to_date() -> None:
    assert DASHBOARD.read_text() == as_text(), "run: make reference"


def test_the_alerts_for_the_prometheus_operator_are_those_of_prometheus() -> None:
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    manifest = (DEPLOY / "kubernetes" / "monitoring" / "alerts.yaml").read_text()
    assert manifest == prometheus_rule(rules), "run: make reference"
    assert quick_yaml.safe_load(manifest)["spec"] == quick_yaml.safe_load(rules)


def test_the_reference_describes_each_label_and_no_other() -> None:
    exported = exported_metrics()
    assert not list(undescribed(exported))
    assert {label for metrics in exported.values() for one in metrics for label in one.labels} == set(LABELS)


def test_a_name_follows_the_conventions_of_prometheus() -> None:
    for metrics in exported_metrics().values():
        for one in metrics:
            assert re.fullmatch(r"glidepath_[a-z0-9_]+", one.name)
            assert one.name.endswith("_total") is (one.kind == "counter"), one.name
            assert not re.search(r"_(ms|millis|milliseconds|kb|mb)$", one.name), one.name


def test_every_query_of_the_dashboard_names_metrics_and_labels_that_exist() -> None:
    assert not {query.expression: found for query in QUERIES if (found := list(unknown_names(query.expression)))}


def test_a_legend_names_labels_that_its_query_keeps() -> None:
    for query in QUERIES:
        for label in re.findall(r"\{\{(\w+)\}\}", query.legend):
            assert re.search(rf"\bby \([^)]*\b{label}\b", query.expression), f"{label} in {query.expression}"


@needs_promtool
@pytest.mark.process
def test_promtool_accepts_the_configuration_of_the_compose_stack() -> None:
    promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")


@needs_promtool
@pytest.mark.process
def test_prometheus_can_parse_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.expression.replace("$__rate_interval", "1m")}
        for number, query in enumerate(QUERIES)
    ]
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", path)


def test_the_compose_stack_scrapes_the_addresses_that_the_demo_listens_on() -> None:
    config = load_config(ROOT / "envoy" / "demo" / "glidepath.yaml")
    jobs = quick_yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    ports = {
        name: address.rpartition(":")[2]
        for name, address in (
            ("extproc", config.extproc.metrics),
            ("scorer", config.scorer.metrics),
            ("console", config.console.listen),
        )
    }
    assert targets == {f"glidepath-{name}": [f"{name}:{port}"] for name, port in ports.items()}
    assert {config.extproc.metrics.partition(":")[0], config.scorer.metrics.partition(":")[0]} == {"0.0.0.0"}


def test_grafana_is_on_loopback_and_reaches_prometheus_only() -> None:
    services: Json = quick_yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    grafana, prometheus = services["grafana"], services["prometheus"]
    assert {*grafana["profiles"], *prometheus["profiles"]} == {"metrics"}
    assert all(port.startswith("127.0.0.1:") for port in (*grafana["ports"], *prometheus["ports"]))
    assert {name for name, one in services.items() if "metrics" in one["networks"]} == {"grafana", "prometheus"}
    assert grafana["networks"] == ["metrics"]
    for source, target, _ in (volume.split(":") for one in (grafana, prometheus) for volume in one["volumes"]):
        assert (ROOT / source).exists(), source
        assert target.startswith("/etc/")


def test_grafana_reports_to_nobody_and_downloads_nothing() -> None:
    """Source: Grafana's configuration reference: analytics, plugins, news, security."""
    compose: Json = quick_yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    said = compose["services"]["grafana"]["environment"]
    off = ("ANALYTICS_REPORTING_ENABLED", "ANALYTICS_CHECK_FOR_UPDATES", "ANALYTICS_CHECK_FOR_PLUGIN_UPDATES")
    assert [said[f"GF_{name}"] for name in (*off, "NEWS_NEWS_FEED_ENABLED")] == ["false"] * 4
    assert [said[f"GF_{name}"] for name in ("PLUGINS_PREINSTALL_DISABLED", "SECURITY_DISABLE_GRAVATAR")] == ["true"] * 2
