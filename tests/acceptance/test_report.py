"""The report of the demo has all four chapters, with the events and the numbers of the demo."""

from __future__ import annotations

import re

import pytest

from tests.support.dashboard_on_demo import ScrapedDemo

# What a demo may lack: samples of the last step, a source of the candidate's load, a drill, pairs that stopped it, and
# a contract.
MAY_BE_MISSING = ("the gates", "the candidate's load", "drills", "pairs that weighed for a decision", "contracts")


@pytest.mark.slow
def test_all_four_chapters_render_from_the_demo(scraped_demo: ScrapedDemo) -> None:
    text = scraped_demo.report
    assert re.findall(r"^## \d\. (\w+)", text, re.MULTILINE) == ["Engineering", "Finance", "Legal", "Procurement"]
    assert "- Traffic: of glidepath demo: not of your users, and at invented prices" in text
    missing = re.findall(r"^\*No data for (.+?): ", text, re.MULTILINE)
    assert set(missing) <= set(MAY_BE_MISSING)
    assert "| rollback | 100 % → 0 % | catastrophe: errors\\_fast" in text
    baseline, candidate = (
        int(found.replace(",", ""))
        for found in re.findall(r"^\| (?:baseline|candidate), ([\d,]+) requests", text, re.MULTILINE)
    )
    assert baseline > 100
    assert candidate > 100
    served = (
        f"| clients' requests, candidate | clients | 127.0.0.1:[0-9]+ | this machine | own hardware | {candidate:,} |"
    )
    assert re.search(served.replace("|", r"\|"), text)  # finance and legal count the same requests
