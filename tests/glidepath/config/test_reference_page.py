"""docs/reference/configuration.md equals the generated page."""

from __future__ import annotations

from pathlib import Path

from glidepath.config.reference_page import reference


def test_the_committed_reference_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"
    assert page.read_text() == reference(), "run: make reference"


def test_every_section_of_a_workload_is_described() -> None:
    page = reference()
    for heading in ("`workloads.NAME`", "`workloads.NAME.gates.latency[]`", "`backends.NAME.credential`", "`redis`"):
        assert f"## {heading}" in page
