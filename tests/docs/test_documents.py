"""Checks of the documents and of the Lua filters: links, paths that documents name, and line lengths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(#[^)\s]*)?\)")
TREES = ("bench", "deploy", "docs", "envoy", "extproc", "glidepath", "glidepath_ops", "proto", "scorer", "tests")
PATH = re.compile(rf"`((?:{'|'.join(TREES)})/[\w./-]*)`")
LONGEST = 120  # characters
FILTERS = sorted(ROOT.glob("glidepath_ops/**/*.lua"))  # users read them in the rendered configuration
HISTORY = {ROOT / "CHANGELOG.md"}  # names files as they were called at the time


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, by GitHub's rule."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), f"{target} does not exist"
        if anchor and place.suffix == ".md":
            assert anchor[1:] in _anchors(place), f"{target} has no heading {anchor}"


@pytest.mark.parametrize("page", [p for p in PAGES if p not in HISTORY], ids=_name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    missing = [path for path in PATH.findall(page.read_text()) if not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_line_is_longer_than_120_characters(page: Path) -> None:
    """Commands in fenced blocks are left out: a reader copies them whole."""
    fenced, long = False, []
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        fenced ^= line.lstrip().startswith("```")
        if len(line) > LONGEST and not fenced:
            long.append(number)
    assert not long


@pytest.mark.parametrize("file", FILTERS, ids=_name)
def test_no_line_of_a_lua_filter_is_longer_than_120_characters(file: Path) -> None:
    assert [n for n, line in enumerate(file.read_text().splitlines(), start=1) if len(line) > LONGEST] == []
