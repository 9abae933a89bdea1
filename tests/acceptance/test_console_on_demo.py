"""The console in Chromium while the demo runs: the fleet moves with the ramp, and shows the rollback."""

from __future__ import annotations

import re
import signal
import sys
import time
from pathlib import Path

import pytest

from glidepath_ops.local.child_process import Child
from tests.support.browser_visit import CHROMIUM, Visit

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make setup-dev")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: `make browser`, or apt-get install chromium")

COMMAND = [sys.executable, "-m", "glidepath_ops", "demo", "--keep"]
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


def went_back(seen: list[str]) -> bool:
    return any("100 %" in one for one in seen) and seen[-1].startswith(("▼", "▽")) and seen[-1].endswith(" 0 %")


@pytest.mark.slow
def test_the_fleet_shows_the_ramp_move_and_the_rollback(tmp_path: Path) -> None:
    with (
        Child("demo", COMMAND, tmp_path / "demo.log") as demo,
        playwright.sync_playwright() as driver,
    ):
        demo.wait_until(lambda: ADDRESS.search(demo.log.read_text()) is not None, timeout=120)
        found = ADDRESS.search(demo.log.read_text())
        assert found is not None
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        visit = Visit(browser, found[1])
        page = visit.log_in(found[2])
        assert "synthetic" in page.inner_text(".banner")
        page.evaluate(NOTE_CHANGES)
        seen: list[str] = []
        deadline = time.monotonic() + DEMO_WITHIN_S
        while not (seen and went_back(seen)):  # not by wait_for_function, which the page's policy forbids
            assert time.monotonic() < deadline, seen
            page.wait_for_timeout(200)
            seen = page.evaluate("window.seen")
        shares = [float(one.split()[-2]) for one in seen]
        up = shares[: shares.index(100.0) + 1]
        assert up == sorted(up), seen
        assert len({share for share in up if 0 < share < 100}) >= 3, seen
        assert shares[-1] == 0, seen
        page = visit.open("/workloads/chat")
        page.wait_for_selector("#log ~ table >> text=rollback")
        assert "errors_fast" in page.inner_text("main")
        assert visit.problems == []
        demo.signal(signal.SIGINT)
        demo.process.wait(60)
