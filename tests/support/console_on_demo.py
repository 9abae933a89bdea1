"""Watch the demo in the console, in Chromium, until it has rolled back."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from glidepath_ops.local.child_process import Child
from tests.support.browser_visit import CHROMIUM, Visit

ADDRESS = re.compile(r"watch and steer it at (http://\S+?)(/login#\S+)")
DEMO_WITHIN_S = 240
# Everything that the row of the workload has shown, in order. The page is not loaded again.
NOTE_CHANGES = """() => {
  window.seen = [];
  const note = () => {
    const row = document.querySelector("#row-chat");
    const now = row.querySelector(".state").innerText.trim() + " " + row.querySelector("strong").innerText;
    if (window.seen.at(-1) !== now) window.seen.push(now);
  };
  note();
  const every = {subtree: true, childList: true, characterData: true};
  new MutationObserver(note).observe(document.querySelector("main"), every);
}"""


@dataclass(frozen=True, slots=True)
class Watched:
    """The observed texts.

    ``fleet``: all texts that the workload's row in the fleet showed. ``workload``: the text of its page at the end.
    """

    banner: str
    fleet: list[str]
    workload: str
    problems: list[str]


def went_back(seen: list[str]) -> bool:
    return any("100 %" in one for one in seen) and seen[-1].startswith(("▼", "▽")) and seen[-1].endswith(" 0 %")


@contextmanager
def started_browser() -> Iterator[Any]:
    """Run Chromium with an open page, so that a first visit takes no time to start it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        browser.new_page()
        yield browser


def watched(demo: Child, browser: Any) -> Watched:
    """Watch a demo that has just started. ``browser``: a started browser, because the demo does not wait for it."""
    demo.wait_until(lambda: ADDRESS.search(demo.log.read_text()) is not None, timeout=120)
    found = ADDRESS.search(demo.log.read_text())
    assert found is not None
    visit = Visit(browser, found[1])
    page = visit.log_in(found[2])
    banner = page.inner_text(".banner")
    page.evaluate(NOTE_CHANGES)
    seen: list[str] = []
    deadline = time.monotonic() + DEMO_WITHIN_S
    while not (seen and went_back(seen)):  # not by wait_for_function, which the page's policy forbids
        assert time.monotonic() < deadline, seen
        page.wait_for_timeout(200)
        seen = page.evaluate("window.seen")
    page = visit.open("/workloads/chat")
    page.wait_for_selector("#log ~ table >> text=rollback")
    return Watched(banner, seen, page.inner_text("main"), visit.problems)
