"""The report in Debian's Chromium, opened from a file without a network: complete, accessible, light and dark, printed.

Without Chromium (`make browser`) or playwright the tests are skipped.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_redis
from tests.support.commands import run_cli
from tests.support.report_example import report_config, store_report_example

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make setup-dev")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-playwright-python: make setup-dev")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: `make browser`, or apt-get install chromium"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `glidepath report` writes for the example, whose Redis has been stopped."""
    folder, port = tmp_path_factory.mktemp("report"), free_ports(1)[0]
    config, page = folder / "glidepath.yaml", folder / "report.html"
    url = f"redis://127.0.0.1:{port}/0"
    config.write_text(report_config(url))

    async def fill() -> None:
        client = redis.asyncio.from_url(url)
        await store_report_example(client)
        await client.aclose()

    with start_redis(folder, port):
        asyncio.run(fill())
        run_cli("report", "-c", str(config), "-o", str(page))
    return page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1180), ("dark", 1180), ("light", 390)])
def test_the_report_opens_without_a_network_and_axe_finds_nothing_serious(
    report: Path, browser: Any, scheme: str, width: int
) -> None:
    context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": width, "height": 900})
    page, problems = context.new_page(), list[str]()
    page.on("console", lambda line: problems.append(line.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(report.as_uri())
    assert page.locator("section.chapter").count() == 4
    assert page.locator("svg.chart path.line.candidate").count() >= 4
    assert page.locator("svg.chart rect.bar").count() >= 3
    stroke = page.locator("path.line.candidate").first.evaluate("node => getComputedStyle(node).stroke")
    assert stroke not in ("none", "")  # the style is applied, although the page forbids all others
    page.locator("details summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not problems
    bypassed = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 900})
    checked = bypassed.new_page()  # axe itself is a script, which the page's policy forbids
    checked.goto(report.as_uri())
    found = axe.Axe().run(checked).response["violations"]
    serious = [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_the_report_can_be_printed(report: Path, browser: Any, tmp_path: Path) -> None:
    page = browser.new_context(offline=True).new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    assert page.locator("nav").first.is_hidden()
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
