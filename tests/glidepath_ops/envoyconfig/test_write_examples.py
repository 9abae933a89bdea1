"""Tests that the examples in envoy/ are up to date, and that a real Envoy accepts them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from glidepath_ops.envoyconfig.write_examples import examples, main
from tests.support.accepted_bootstrap import assert_accepted

FOLDER = Path(__file__).parents[3] / "envoy"
COMMITTED = sorted((FOLDER / "static").iterdir())


@cache
def rendered() -> dict[Path, str]:
    return examples(FOLDER)


def test_there_is_an_example_for_each_use_case() -> None:
    assert {path.stem for path in COMMITTED} == {"cloud-to-onprem", "onprem-to-cloud", "two-workloads"}
    assert sorted(rendered()) == COMMITTED


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_the_file_equals_its_rendering(path: Path) -> None:
    assert path.read_text() == rendered()[path], "run: make render-examples"


@pytest.mark.process
@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_envoy_accepts_the_example(path: Path, tmp_path: Path) -> None:
    assert_accepted(path, tmp_path, secrets="/etc/glidepath", key="onprem.key")


def test_rendering_them_again_changes_nothing(tmp_path: Path) -> None:
    for source in FOLDER.glob("*/glidepath.yaml"):
        target = tmp_path / source.parent.name / "glidepath.yaml"
        target.parent.mkdir()
        target.write_text(source.read_text())
    main(tmp_path)
    assert {p.name: p.read_text() for p in (tmp_path / "static").iterdir()} == {
        p.name: t for p, t in rendered().items()
    }


def test_the_folder_has_no_python_files() -> None:
    assert not list(FOLDER.rglob("*.py"))
