"""Run the demo with a real Prometheus that scrapes it, and ask Prometheus for the data of each panel of the dashboard.

``python -m tests.support.dashboard_on_demo docs/images`` also draws the answers with uPlot in Chromium
(``make dashboard-picture``). That picture shows the data of the panels; it is not Grafana.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.monitoring.dashboard import ROWS
from glidepath_ops.monitoring.panel_types import Panel, Query
from tests.support.kept_demo import FinishedDemo, kept_demo
from tests.support.promtool import PROMETHEUS

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "glidepath_ops" / "console" / "static" / "vendor"
PAGE = Path(__file__).with_name("dashboard_page.html")
RATE_S, STEP_S = 5, 1


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a picture: its legend, and its points (Unix seconds, value)."""

    legend: str
    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ShownPanel:
    panel: Panel
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class ScrapedDemo:
    """A finished demo: the content of each panel (empty without a Prometheus), and its report in Markdown."""

    done: FinishedDemo
    shown: list[ShownPanel]
    report: str


@dataclass(slots=True)
class Prometheus:
    """A running Prometheus. ``began``: the Unix time in seconds at which it got its targets."""

    port: int
    targets: Path
    began: float = 0.0

    def scrape(self, demo: Child, temporary: Path) -> None:
        """From now on, scrape the processes of the demo, whose TMPDIR is ``temporary``."""
        demo.wait_until(lambda: bool(list(temporary.glob("*/glidepath.yaml"))), timeout=60)
        config = yaml.safe_load(next(iter(temporary.glob("*/glidepath.yaml"))).read_text())
        self.began = time.time()
        _write_targets(self.targets, config)

    def shown(self) -> list[ShownPanel]:
        """Return the present content of each panel of the dashboard."""
        return [ShownPanel(panel, _series(self.port, panel, self.began)) for row in ROWS for panel in row.panels]


@contextmanager
def running_prometheus(folder: Path) -> Iterator[Prometheus]:
    assert PROMETHEUS is not None
    port, targets = free_ports(1)[0], folder / "targets.json"
    targets.write_text("[]")
    configuration = folder / "prometheus.yml"
    configuration.write_text(json.dumps(_scrapes(targets)))
    command = [
        PROMETHEUS,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with Child("prometheus", command, folder / "prometheus.log") as child:
        child.wait_until(lambda: _answers(port))
        yield Prometheus(port, targets)


def shown_by_demo(folder: Path) -> list[ShownPanel]:
    """Run the demo until it has rolled back, and return the content of each panel."""
    with kept_demo(folder) as demo, running_prometheus(folder) as prometheus:
        prometheus.scrape(demo.child, demo.temporary)
        demo.last_command()
        return prometheus.shown()


def _scrapes(targets: Path) -> dict[str, Any]:
    scrape = {
        "job_name": "glidepath",
        "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}],
    }
    return {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}


def _write_targets(targets: Path, config: dict[str, Any]) -> None:
    found = [
        {"targets": [config["extproc"]["metrics"]], "labels": {"job": "glidepath-extproc"}},
        {"targets": [config["scorer"]["metrics"]], "labels": {"job": "glidepath-scorer"}},
        {"targets": [config["console"]["listen"]], "labels": {"job": "glidepath-console"}},
    ]
    new = targets.with_suffix(".new")
    new.write_text(json.dumps(found))
    os.replace(new, targets)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _series(port: int, panel: Panel, began: float) -> tuple[Series, ...]:
    return tuple(one for query in panel.queries for one in _asked(port, query, began))


def _asked(port: int, query: Query, began: float) -> list[Series]:
    expression = query.expression.replace("$workload", ".*").replace("$__rate_interval", f"{RATE_S}s")
    parameters = {"query": expression, "start": began, "end": time.time(), "step": STEP_S}
    with urlopen(f"http://127.0.0.1:{port}/api/v1/query_range?{urlencode(parameters)}", timeout=30) as answer:
        found = json.load(answer)
    assert found["status"] == "success", found
    return [
        Series(
            _legend(query.legend, one["metric"]),
            one["metric"],
            tuple((float(at), float(value)) for at, value in one["values"] if value != "NaN"),
        )
        for one in found["data"]["result"]
    ]


def _legend(form: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace(f"{{{{{name}}}}}", value)
    return form


def page(shown: list[ShownPanel]) -> str:
    """Return a page that draws the panels, for Chromium without network."""
    moment = _full_share_at(shown)
    panels = [
        {
            "form": one.panel.form,
            "rows": _rows(one, moment),
            "title": one.panel.title,
            "about": one.panel.about,
            "unit": one.panel.unit,
            "series": [{"legend": s.legend, "points": s.points} for s in one.series if s.points],
        }
        for one in shown
    ]
    parts = {
        "/*STYLE*/": (VENDOR / "uPlot.min.css").read_text(),
        "/*SCRIPT*/": (VENDOR / "uPlot.iife.min.js").read_text(),
        "/*PANELS*/[]": json.dumps(panels).replace("</", "<\\/"),
    }
    text = PAGE.read_text()
    for place, part in parts.items():
        text = text.replace(place, part)
    return text


def _full_share_at(shown: list[ShownPanel]) -> float:
    """Return the time at which the candidate first got its greatest share."""
    asked = next(s for one in shown for s in one.series if s.legend.endswith(" asked"))
    most = max(value for _, value in asked.points)
    return next(at for at, value in asked.points if value == most)


def _rows(one: ShownPanel, moment: float) -> list[list[str]]:
    """Return the rows of a table at ``moment``: a header, and a row for each set of labels."""
    if one.panel.form != "table":
        return []
    columns = [query.legend for query in one.panel.queries]
    rows: dict[str, dict[str, str]] = {}
    for series in one.series:
        before = [value for at, value in series.points if at <= moment]
        name = " ".join(value for label, value in sorted(series.labels.items()) if label != "workload")
        rows.setdefault(name, {})[series.legend] = f"{before[-1]:.4g}" if before else ""
    return [["", *columns], *([name, *(found.get(column, "") for column in columns)] for name, found in rows.items())]


def main() -> None:
    from playwright.sync_api import sync_playwright

    images = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        shown = shown_by_demo(Path(name))
        path = Path(name) / "page.html"
        path.write_text(page(shown))
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            sheet = browser.new_context(viewport={"width": 1420, "height": 900}, offline=True).new_page()
            sheet.goto(path.as_uri())
            sheet.wait_for_selector("canvas")
            sheet.wait_for_timeout(500)  # the charts are drawn
            sheet.screenshot(path=images / "dashboard-data.png", full_page=True)
            browser.close()
    for one in shown:
        print(f"{one.panel.title}: {sum(bool(s.points) for s in one.series)} series")


if __name__ == "__main__":
    main()
