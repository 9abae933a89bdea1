"""Two runs of the demo that several tests share: Prometheus scrapes one, and a browser shows the other."""

from __future__ import annotations

import importlib.util
import subprocess
from contextlib import nullcontext

import pytest

from tests.support.browser_visit import CHROMIUM
from tests.support.console_on_demo import Watched, started_browser, watched
from tests.support.dashboard_on_demo import ScrapedDemo, running_prometheus
from tests.support.kept_demo import FinishedDemo, kept_demo
from tests.support.promtool import PROMETHEUS


@pytest.fixture(scope="session")
def scraped_demo(tmp_path_factory: pytest.TempPathFactory) -> ScrapedDemo:
    """Run the demo without a fault in bodies. Return it with the output of the dashboard and of the report.

    The last command that the demo prints is run before the demo ends.
    """
    folder = tmp_path_factory.mktemp("scraped")
    with kept_demo(folder) as demo:
        if PROMETHEUS is None:
            command, shown = demo.last_command(), []
        else:
            with running_prometheus(folder) as prometheus:
                prometheus.scrape(demo.child, demo.temporary)
                command, shown = demo.last_command(), prometheus.shown()
        report = demo.report()
        subprocess.run(command, shell=True, check=True, timeout=60)
        return ScrapedDemo(demo.finish(), shown, report)


@pytest.fixture(scope="session")
def watched_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[FinishedDemo, Watched | None]:
    """Run the demo with broken bodies. Return it with Chromium's observations; None without Chromium or playwright."""
    usable = CHROMIUM is not None and importlib.util.find_spec("playwright") is not None
    folder = tmp_path_factory.mktemp("watched")
    with started_browser() if usable else nullcontext() as browser, kept_demo(folder, "--fault", "body") as demo:
        seen = watched(demo.child, browser) if browser is not None else None
        demo.last_command()
        return demo.finish(), seen
