"""`make screenshots`: write the pictures of the console's pages that the documents show.

``python -m tests.support.console_screenshots docs/images`` needs Chromium and playwright. The pages show the example of
``console_example.py``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_redis
from tests.support.commands import run_cli
from tests.support.console_client import TOKEN
from tests.support.console_example import CONFIG, store_example, store_history
from tests.support.console_in_a_process import fill, running_console
from tests.support.report_example import report_config


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to take. ``click``: a button that is clicked first. ``width``, ``height``: the size of the window."""

    name: str
    path: str
    wait_for: str
    scheme: str = "light"
    width: int = 1180
    height: int = 760
    click: str = ""


PICTURES = (
    Picture("console-fleet", "/", "table.fleet", height=560),
    Picture("console-workload", "/workloads/chat", ".gate", height=980),
    Picture("console-history", "/workloads/chat/history?range=1h", "[data-chart=latency] canvas", height=820),
    Picture("console-pairs", "/workloads/chat/pairs", "table.pairs", height=640),
    Picture("console-pair", "/workloads/chat/pair?id={pair}", "mark", scheme="dark", height=800),
    Picture("console-confirm", "/", "dialog[open]", height=460, click="#row-chat button.danger"),
    Picture("console-phone", "/", "table.fleet", width=390, height=760),
    Picture("console-login", "/logout", "#token", height=400),
)


def take(browser: Any, url: str, pair_id: str, picture: Picture, folder: Path) -> None:
    window = {"width": picture.width, "height": picture.height}
    page = browser.new_context(viewport=window, color_scheme=picture.scheme).new_page()
    page.goto(f"{url}/login#{TOKEN}")
    if picture.path != "/logout":
        page.fill("#name", "Ana")
        page.click("form.login button")
        page.wait_for_selector("table.fleet")
        page.goto(url + picture.path.format(pair=pair_id))
    if picture.click:
        page.click(picture.click)
    page.wait_for_selector(picture.wait_for)
    page.wait_for_timeout(500)  # the charts are drawn
    page.screenshot(path=folder / f"{picture.name}.png")


def take_report(browser: Any, page_file: Path, folder: Path) -> None:
    """Take the first page of the report, opened from a file without a network."""
    page = browser.new_context(viewport={"width": 1000, "height": 1060}, offline=True).new_page()
    page.goto(page_file.as_uri())
    page.screenshot(path=folder / "report.png")
    page.locator("#finance").screenshot(path=folder / "report-finance.png")


def main() -> None:
    folder, chromium = Path(sys.argv[1]), shutil.which("chromium")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_ports(1)[0]
    url = f"redis://127.0.0.1:{port}/0"
    with tempfile.TemporaryDirectory() as name, start_redis(Path(name), port):
        ids, _ = fill(url, store_example, store_history)
        config, page_file = Path(name) / "report.yaml", Path(name) / "report.html"
        config.write_text(report_config(url))
        run_cli("report", "-c", str(config), "-w", "chat", "-o", str(page_file))  # before the browser: it has a loop
        console = running_console(Path(name) / "console", CONFIG, url, token=True)
        with console as (address, _child), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for picture in PICTURES:
                take(browser, address, ids[1], picture, folder)
            take_report(browser, page_file, folder)
            browser.close()


if __name__ == "__main__":
    main()
