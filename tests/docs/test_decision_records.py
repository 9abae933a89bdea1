"""The decision records follow one template, and the index lists every record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "adr"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
STATUS = r"(accepted|(accepted, )?(amended|superseded) by [^;]+)(; (amends|supersedes) .+)?"


def numbers(status: str, relation: str) -> set[str]:
    """Return the numbers of the records that ``status`` names after ``relation``, for example "amended by"."""
    found = re.search(rf"{relation} ([^;]+)", status)
    return set(re.findall(r"\[(\d{4})\]", found[1])) if found else set()


def status_of(record: Path) -> str:
    found = re.search(r"^- Status: (.*?)^- Date: \d{4}-\d\d-\d\d$", record.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{record.name} has no status and date"
    return " ".join(found[1].split())


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.name[:4])
def test_a_record_follows_the_template(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# ADR {record.name[:4]}: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    plain = re.sub(r"\[(\d{4})\]\([^)]*\)", r"\1", status_of(record))
    assert re.fullmatch(STATUS, plain), plain


def test_an_amended_record_and_its_amendment_name_each_other() -> None:
    statuses = {record.name[:4]: status_of(record) for record in RECORDS}
    for passive, active in (("amended by", "amends"), ("superseded by", "supersedes")):
        named = {(old, new) for old, status in statuses.items() for new in numbers(status, passive)}
        naming = {(old, new) for new, status in statuses.items() for old in numbers(status, active)}
        assert named == naming


def test_the_index_lists_each_record_once_with_its_title() -> None:
    index = (FOLDER / "README.md").read_text()
    for record in RECORDS:
        number, title = (
            record.name[:4],
            record.read_text().partition("\n")[0].removeprefix(f"# ADR {record.name[:4]}: "),
        )
        assert index.count(f"| [{number}] | {title} |") == 1, record.name
        assert index.count(f"[{number}]: {record.name}\n") == 1, record.name


def test_no_number_is_given_twice() -> None:
    given = [page.name[:4] for page in RECORDS]
    assert sorted(set(given)) == sorted(given)
