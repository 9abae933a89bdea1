"""Tests that the examples in envoy/ are up to date, and that a real Envoy accepts them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from glidepath_ops.envoyconfig.validation import check_splits, check_strict, check_with_envoy
from glidepath_ops.envoyconfig.write_examples import examples, main
from tests.support.tls import make_certificate

FOLDER = Path(__file__).parents[3] / "envoy"
EXAMPLES = examples(FOLDER)


def test_there_is_an_example_for_each_use_case() -> None:
    assert {path.stem for path in EXAMPLES} == {"cloud-to-onprem", "onprem-to-cloud", "two-workloads"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_file_equals_its_rendering(path: Path) -> None:
    assert path.read_text() == EXAMPLES[path], "run: make render-examples"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_envoy_accepts_it(path: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "onprem.key").write_text("key")
    make_certificate(secrets, "ca.example.com")[1].rename(secrets / "ca.pem")
    text = (
        path.read_text()
        .replace("/etc/glidepath", str(secrets))
        .replace("/etc/ssl/certs/ca-certificates.crt", str(secrets / "ca.pem"))
    )
    check_strict(yaml.safe_load(text))
    assert check_splits(yaml.safe_load(text))
    copy = tmp_path / "envoy.yaml"
    copy.write_text(text)
    assert check_with_envoy(copy)


def test_rendering_them_again_changes_nothing(tmp_path: Path) -> None:
    for source in FOLDER.glob("*/glidepath.yaml"):
        target = tmp_path / source.parent.name / "glidepath.yaml"
        target.parent.mkdir()
        target.write_text(source.read_text())
    main(tmp_path)
    assert {p.name: p.read_text() for p in (tmp_path / "static").iterdir()} == {p.name: t for p, t in EXAMPLES.items()}


def test_the_folder_has_no_python_files() -> None:
    assert not list(FOLDER.rglob("*.py"))
