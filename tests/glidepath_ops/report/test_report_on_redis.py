"""`glidepath report` against a real Redis: its content, and its text where data are missing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from glidepath.clock import unix_ms
from glidepath.config import load_config
from glidepath.errors import InputError, UnknownWorkloadError
from glidepath.feedback import GivenFeedback
from glidepath.feedback_intake import FeedbackStore, ServedRequest
from glidepath.redis_keys import DEMO_MARK
from glidepath.sides import Side
from glidepath_ops.report.document import Document, NoData, Source, ToWrite
from glidepath_ops.report.gather_report_facts import gather_facts
from glidepath_ops.report.to_html import to_html
from glidepath_ops.report.to_markdown import to_markdown
from glidepath_ops.report.whole_report import whole_report
from tests.support.commands import run_cli
from tests.support.console_client import console_client
from tests.support.console_data import decision, pair, scored, store_decisions, store_pairs
from tests.support.console_example import HOUR_MS, store_history
from tests.support.report_example import report_config, store_report_example

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


class Parsed(HTMLParser):
    """The tags, the links and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.links, self.attributes = set[str](), list[str](), set[str]()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def file(tmp_path: Path, redis_url: str) -> Path:
    path = tmp_path / "glidepath.yaml"
    path.write_text(report_config(redis_url))
    return path


@pytest.fixture
async def document(file: Path, redis_client: Any) -> Document:
    await store_report_example(redis_client)
    config = load_config(file)
    return whole_report(await gather_facts(config, redis_client, list(config.workloads), unix_ms()))


@pytest.mark.slow
async def test_each_chapter_has_its_content_and_each_section_says_where_it_is_from(document: Document) -> None:
    assert [chapter.slug for chapter in document.chapters] == ["engineering", "finance", "legal", "procurement"]
    for chapter in document.chapters:
        for section in chapter.sections:
            explained = [block for block in section.blocks if isinstance(block, Source | NoData | ToWrite)]
            assert explained or section.title == "How these amounts are computed", section.title
    text = Parsed(to_html(document)).text
    for wanted in (
        "switch port 12 dropped packets",  # the root cause of a rollback
        "✓ passed",  # the drill
        "candidate with baseline",
        "saved so far",
        "hold by sameness",
        "2027-06-30, in",  # the renewal
        "2027-04-01, in",  # 90 days before: until then, notice can be given
        "eu-central-1",
        "email, card",
        "x-no-store: any value",
    ):
        assert wanted in text, wanted
    for title in ("GDPR", "HIPAA", "SOX", "EU AI Act"):
        assert title in text


@pytest.mark.slow
async def test_the_page_is_whole_without_a_script_and_without_the_network(document: Document) -> None:
    page = to_html(document)
    parsed = Parsed(page)
    assert not parsed.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert not any(name.startswith("on") or name == "style" for name in parsed.attributes)
    outside = [link for link in parsed.links if not link.startswith("#")]
    assert outside
    assert all(link.startswith("http://127.0.0.1:9480/workloads/chat/pair?id=") for link in outside)
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
    assert len(page) < 1_000_000


@pytest.mark.slow
async def test_markdown_has_the_same_chapters_and_the_numbers_of_the_pictures(document: Document) -> None:
    text = to_markdown(document)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [chapter.title for chapter in document.chapters]
    assert "chat: latency, p95" in text
    assert "**A person must write:**" in text


async def test_the_report_has_no_body_and_shows_the_words_of_backends_and_people_only_as_text(
    file: Path, redis_client: Any
) -> None:
    made = pair("p-1", f"secret-answer {HOSTILE}", "secret-other", "secret-question")
    await store_pairs(redis_client, (made, scored(made)))
    await store_decisions(redis_client, decision("rollback", unix_ms(), to_percent=1.0, reason=HOSTILE, actor=HOSTILE))
    config = load_config(file)
    found = whole_report(await gather_facts(config, redis_client, ["chat"], unix_ms()))
    page, text = to_html(found), to_markdown(found)
    assert "secret-" not in page
    assert "secret-" not in text
    assert "script" not in Parsed(page).tags
    assert "<script>" not in text
    assert HOSTILE in Parsed(page).text


async def test_other_data_that_leaves_or_is_kept_is_in_the_chapter_for_legal(
    tmp_path: Path, redis_url: str, redis_client: Any
) -> None:
    sections = {
        "otel": {"endpoint": "http://collector.example:4318"},
        "inventory": {"keep": "40d"},
        "scorer": {"log_file": "/var/log/decisions.jsonl"},
    }
    workloads = yaml.safe_load(report_config(redis_url))["workloads"]
    workloads["chat"]["feedback"] = {"window": "2d", "requests": 700, "shown": 90}
    path = tmp_path / "glidepath.yaml"
    path.write_text(report_config(redis_url, **sections, workloads=workloads))
    config, now = load_config(path), unix_ms()
    section = config.workloads["chat"].feedback
    assert section is not None
    store = FeedbackStore(redis_client, "chat", section)
    await store.remember([ServedRequest(f"r-{n}", Side.CANDIDATE, now) for n in range(3)], now)
    await store.give(GivenFeedback("r-1", "", 1.0), now)
    text = to_markdown(whole_report(await gather_facts(config, redis_client, ["chat"], now)))
    assert "no text (OpenTelemetry) | extproc, scorer | collector.example |" in text
    assert "| digests of request ids, with the side | 48h | 700 | 3 |" in text
    assert "| users' feedback, with redacted labels | 7d after the newest | 90 requests | 1 |" in text
    assert "for 40d: no text, and credentials only as 48 bits" in text
    assert "also appended to /var/log/decisions.jsonl on the scorer" in text


@pytest.mark.slow
async def test_each_command_in_the_report_exists_with_its_options(document: Document) -> None:
    text = to_markdown(document).replace("\\", "")
    named = set(re.findall(r"glidepath ([a-z]+(?: (?:annotate|show|list))?)\b([^`|;\n]*)", text))
    assert {"status", "cost", "log", "log annotate", "erase", "pairs show"} <= {command for command, _ in named}
    for command, rest in named:
        usage = await asyncio.to_thread(run_cli, *command.split(), "--help")
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest):
            assert re.search(rf"(?<![a-z-]){option}(?![a-z-])", usage), (command, option)


@pytest.mark.slow
async def test_the_command_in_the_report_gives_the_same_day_of_the_payback(file: Path, redis_client: Any) -> None:
    await store_report_example(redis_client)
    found = json.loads(await asyncio.to_thread(run_cli, "cost", "-c", str(file), "-w", "chat", "--json"))
    text = await asyncio.to_thread(run_cli, "report", "-c", str(file), "-w", "chat", "--format", "md")
    assert found["ramp_days"] > 1  # else the day would be the same without it
    assert f"Paid off, at expected traffic: {found['payback']['expected']['on']}." in text
    shown = await asyncio.to_thread(run_cli, "cost", "-c", str(file), "-w", "chat")
    assert f"{found['ramp_days']:.1f} d" in shown


async def test_where_nothing_is_known_the_report_says_so_with_the_reason(file: Path, redis_client: Any) -> None:
    out = await asyncio.to_thread(run_cli, "report", "-c", str(file), "--format", "md")
    assert "No data for the share and the phase: no scorer has steered this workload yet" in out
    assert "No data for costs: the history has no traffic yet" in out
    assert "no client's request was answered in this period" in out
    assert out.count("## ") >= 4


async def test_the_addresses_that_no_login_protects_are_in_the_chapter_for_security(
    tmp_path: Path, redis_url: str, redis_client: Any
) -> None:
    sections = {
        "envoy": {"shadow_listen": "unix:/run/glidepath/shadow.sock"},
        "extproc": {"metrics": "0.0.0.0:9464"},
        "scorer": {"metrics": "127.0.0.1:9465"},
    }
    path = tmp_path / "glidepath.yaml"
    path.write_text(report_config(redis_url, **sections))
    text = to_markdown(whole_report(await gather_facts(load_config(path), redis_client, ["chat"], unix_ms())))
    for row in (
        "credentials of the backends | unix:/run/glidepath/shadow.sock; no login; reached by this machine only |",
        "metrics of extproc: numbers and names, no texts | 0.0.0.0:9464; no login; reached by other machines too",
        "status of the scorer: numbers and names, no texts | 127.0.0.1:9465; no login; reached by this machine only |",
    ):
        assert row in text, row


async def test_a_report_of_the_demo_says_that_its_prices_are_invented(file: Path, redis_client: Any) -> None:
    ordinary = await asyncio.to_thread(run_cli, "report", "-c", str(file), "--format", "md")
    assert "invented prices" not in ordinary
    await redis_client.set(DEMO_MARK, 1)
    assert "invented prices" in await asyncio.to_thread(run_cli, "report", "-c", str(file), "--format", "md")


async def test_since_and_workload_limit_the_content_of_the_report(file: Path, redis_client: Any) -> None:
    old, new = unix_ms() - 50 * HOUR_MS, unix_ms() - HOUR_MS
    changes = {"from_percent": 5.0, "to_percent": 1.0}
    await store_decisions(
        redis_client,
        decision("rollback", old, reason="the old reason", **changes),
        decision("rollback", new, reason="the new reason", **changes),
    )
    whole = await asyncio.to_thread(run_cli, "report", "-c", str(file), "--format", "md")
    lately = await asyncio.to_thread(
        run_cli, "report", "-c", str(file), "--format", "md", "--since", "1d", "-w", "chat"
    )
    assert "the old reason" in whole
    assert "the new reason" in lately
    assert "the old reason" not in lately
    assert "extraction" in whole
    assert "extraction: latency" not in lately


async def test_wrong_arguments_are_named_and_nothing_is_written(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--since: must be a duration"):
        await asyncio.to_thread(run_cli, "report", "-c", str(file), "--since", "lately")
    with pytest.raises(UnknownWorkloadError):
        await asyncio.to_thread(run_cli, "report", "-c", str(file), "-w", "none", "-o", str(tmp_path / "r.html"))
    with pytest.raises(InputError, match="there is no directory"):
        await asyncio.to_thread(run_cli, "report", "-c", str(file), "-o", str(tmp_path / "no" / "r.html"))
    assert not (tmp_path / "r.html").exists()


async def test_the_console_shows_the_costs_of_the_selected_period(file: Path, redis_client: Any) -> None:
    async with console_client(load_config(file), redis_client) as (client, _):
        page = "/workloads/chat/history"
        assert "Unknown: there was no traffic" in (await client.get(page)).text
        await store_history(redis_client)
        month, hour = [(await client.get(page, params={"range": name})).text for name in ("30d", "1h")]
        spent = [re.search(r"spent ([0-9,.]+) EUR; saved", text) for text in (month, hour)]
        assert None not in spent
        amounts = [float(found[1].replace(",", "")) for found in spent if found is not None]
        assert amounts[0] > 100 * amounts[1] > 0


async def test_the_console_offers_the_report_as_a_download(file: Path, redis_client: Any) -> None:
    async with console_client(load_config(file), redis_client) as (client, _):
        assert 'href="/report" download' in (await client.get("/")).text
        found = await client.get("/report", params={"workload": "chat", "since": "30d"})
        assert found.headers["content-disposition"] == 'attachment; filename="glidepath-report.html"'
        assert "The case for moving chat" in found.text
        assert (await client.get("/report", params={"format": "md"})).text.startswith("# The case for moving")
        wrong = {"format": "pdf", "since": "lately", "workload": "none"}
        codes = [(await client.get("/report", params={name: value})).status_code for name, value in wrong.items()]
        assert codes == [400, 400, 404]
