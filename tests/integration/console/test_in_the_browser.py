"""The console in Debian's Chromium: pages, clicks and input of a person, and a hostile pair, which has no effect.

The tests share one browser. Without Chromium (`make browser`) or playwright they are skipped.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glidepath_ops.local.child_process import Child
from tests.support.browser_visit import CHROMIUM, Visit
from tests.support.console_client import TOKEN
from tests.support.console_data import pair, scored, store_pairs
from tests.support.console_example import CONFIG, store_example, store_history
from tests.support.console_in_a_process import fill, running_console, scorer_that_holds_and_resumes

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make setup-dev")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-playwright-python: make setup-dev")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: `make browser`, or apt-get install chromium")

HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">\u202eevil مرحبا'
PAGES = ("/", "/workloads/chat", "/workloads/chat/history", "/workloads/chat/pairs")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def serious(page: Any) -> list[str]:
    """Return axe-core's findings that are serious or critical."""
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found if one["impact"] in ("serious", "critical")
    ]


# Not the fixture ``redis_url``, which is asynchronous: the driver of the browser has a loop in this thread.
@pytest.fixture
def own_redis(redis_server: tuple[Child, int]) -> str:
    url = f"redis://127.0.0.1:{redis_server[1]}/0"
    fill(url, lambda client: client.flushall())
    return url


@pytest.fixture
def example(own_redis: str) -> list[str]:
    [ids, _] = fill(own_redis, store_example, store_history)
    return list(ids)


def test_a_read_only_console_is_complete_and_accessible_and_has_no_buttons(
    browser: Any, example: list[str], own_redis: str, tmp_path: Path
) -> None:
    with running_console(tmp_path, CONFIG, own_redis, token=False) as (url, _):
        for scheme in ("light", "dark"):
            visit = Visit(browser, url, color_scheme=scheme)
            for path in (*PAGES, f"/workloads/chat/pair?id={example[1]}"):
                page = visit.open(path)
                if path.endswith("history"):
                    page.wait_for_selector("[data-chart=latency] canvas")
                assert serious(page) == [], (path, scheme)
                actions = page.locator("main button:not([data-copy]):not(form[role=search] button), dialog[open]")
                assert actions.count() == 0, path
            assert visit.problems == []
        phone = Visit(browser, url, viewport={"width": 360, "height": 740})
        page = phone.open("/")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.get_by_text("awaiting approval").first.is_visible()
        assert phone.problems == []


def test_a_person_logs_in_holds_resumes_and_judges(
    browser: Any, example: list[str], own_redis: str, tmp_path: Path
) -> None:
    with (
        running_console(tmp_path, CONFIG, own_redis, token=True) as (url, _),
        scorer_that_holds_and_resumes(own_redis),
    ):
        visit = Visit(browser, url, viewport={"width": 390, "height": 800})
        page = visit.open("/login")
        page.fill("#name", "Ana")
        page.fill("#token", "not the token")
        page.click("form.login button")
        page.wait_for_selector("text=this is not the token")
        visit.problems.clear()  # the browser reports the status 403
        page = visit.log_in(f"/login#{TOKEN}")
        assert TOKEN not in page.url
        row = page.locator("#row-chat")
        row.get_by_role("button", name="Roll back").click()  # a rollback, on a phone
        assert "requests a second change side" in page.inner_text("dialog[open] #percent")
        assert serious(page) == []
        page.keyboard.press("Escape")
        row.get_by_role("button", name="Hold").click()
        page.fill("dialog #reason", "looking at it")
        page.click("dialog button.primary")
        page.wait_for_selector("#row-chat >> text=held")  # by the live view, without a reload
        row.get_by_role("button", name="Resume").click()
        page.click("dialog button.primary")
        page.wait_for_selector("#row-chat >> text=baking")
        page = visit.open("/workloads/chat")
        page.wait_for_selector("#log ~ table >> text=looking at it")
        page = visit.open("/workloads/chat/pairs")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-pair]")
        first = page.locator("[data-pair]").get_attribute("data-pair")
        page.keyboard.press("n")
        page.wait_for_selector("text=not, by Ana (console)")
        page.keyboard.press("j")
        page.wait_for_function(f"document.querySelector('[data-pair]').dataset.pair !== {first!r}")
        assert visit.problems == []


def test_a_page_that_gets_no_more_events_says_that_it_is_old(
    browser: Any, example: list[str], own_redis: str, tmp_path: Path
) -> None:
    with running_console(tmp_path, CONFIG, own_redis, token=False) as (url, child):
        page = Visit(browser, url).open("/")
        page.wait_for_selector("table.fleet")
        assert page.locator("#not-live").is_hidden()
        child.signal(signal.SIGKILL)
        page.wait_for_selector("text=Not live: the console does not answer")


def test_a_button_says_why_it_has_no_effect(browser: Any, example: list[str], own_redis: str, tmp_path: Path) -> None:
    with running_console(tmp_path, CONFIG, own_redis, token=True) as (url, child):
        page = Visit(browser, url).log_in(f"/login#{TOKEN}")
        cookies = page.context.cookies()
        page.context.clear_cookies()  # as when the session has expired
        roll_back = page.locator("#row-chat").get_by_role("button", name="Roll back")
        roll_back.click()
        page.wait_for_selector("#notice >> text=your login has ended: reload the page")
        assert page.locator("dialog[open]").count() == 0
        page.context.add_cookies(cookies)
        child.signal(signal.SIGSTOP)  # silent, but its connections are open
        try:
            roll_back.click()
            page.wait_for_selector("#notice >> text=the console does not answer", timeout=20_000)
            page.wait_for_selector("text=Not live: nothing has come from the console", timeout=20_000)
        finally:
            child.signal(signal.SIGCONT)
        page.locator("#not-live").wait_for(state="hidden")


def test_a_page_says_that_its_state_is_old_while_redis_does_not_answer(
    browser: Any, example: list[str], own_redis: str, tmp_path: Path
) -> None:
    with running_console(tmp_path, CONFIG, own_redis, token=True) as (url, _):
        page = Visit(browser, url).log_in(f"/login#{TOKEN}")
        fill(own_redis, lambda client: client.client_pause(8000, all=True))
        page.wait_for_selector("text=Not live: the console cannot read the state", timeout=20_000)
        page.locator("#not-live").wait_for(state="hidden", timeout=20_000)


def test_a_history_of_some_minutes_fills_the_charts(browser: Any, own_redis: str, tmp_path: Path) -> None:
    fill(own_redis, lambda client: store_history(client, share=0.1))
    with running_console(tmp_path, CONFIG, own_redis, token=False) as (url, _):
        visit = Visit(browser, url)
        page = visit.open("/workloads/chat/history?range=1h")
        page.wait_for_selector("[data-chart=kinds] canvas")
        assert "The history began at" in page.inner_text("main")
        axis = page.evaluate("plots[0].scales.x.max - plots[0].scales.x.min")
        assert axis < 900
        assert visit.problems == []


def test_a_hostile_pair_is_harmless(browser: Any, own_redis: str, tmp_path: Path) -> None:
    bad = pair(f"id{HOSTILE}", HOSTILE, b"broken \xff\xfe", question=HOSTILE)
    long = pair("long", "word " * 40_000, HOSTILE * 2000)
    both = [(one, scored(one, 0.1)) for one in (bad, long)]
    fill(own_redis, lambda client: store_pairs(client, *both))
    with running_console(tmp_path, CONFIG, own_redis, token=False) as (url, _):
        visit = Visit(browser, url)
        page = visit.open("/workloads/chat/pairs")
        for number in range(2):
            page.locator("table.pairs a").nth(number).click()
            page.wait_for_selector("pre.text")
            assert page.evaluate("window.hacked") is None
            assert page.locator("pre img, pre script").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page = visit.open("/workloads/chat/pairs")
        assert visit.problems == []
