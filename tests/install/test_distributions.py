"""The wheel and the source distribution have every file, and the wheel works outside of the checkout."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import VALID
from tests.support.built_distributions import (
    PACKAGES,
    ROOT,
    Distributions,
    Environment,
    build,
    install,
    members,
    sdist_names,
    tracked_files,
)
from tests.support.pair_files import chat, line

pytestmark = pytest.mark.process
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NOT_DISTRIBUTED = (".ci/", ".github/")
OF_THE_FORMAT = ("PKG-INFO", "setup.cfg", "glidepath.egg-info/")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    return build(tmp_path_factory.mktemp("distributions"))


@pytest.fixture(scope="module")
def environment(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return install(distributions.wheel_of_sdist, tmp_path_factory.mktemp("fresh") / "venv")


def test_the_source_distribution_has_every_file_of_the_tree(distributions: Distributions) -> None:
    wanted = {name for name in tracked_files() if not name.startswith((*NOT_DISTRIBUTED, *OF_THE_FORMAT))}
    found = {name for name in sdist_names(distributions.sdist) if not name.startswith(OF_THE_FORMAT)}
    assert wanted - found == set(), "missing"
    assert found - wanted == set(), "more than the tree"


def test_the_wheel_has_every_file_of_the_packages_and_no_other(distributions: Distributions) -> None:
    wanted = {name for name in tracked_files() if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    found = {name for name in members(distributions.wheel) if ".dist-info/" not in name}
    assert found == wanted


def test_the_wheel_of_the_source_distribution_equals_that_of_the_tree(distributions: Distributions) -> None:
    one, two = members(distributions.wheel), members(distributions.wheel_of_sdist)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_the_installed_package_is_that_of_the_wheel(environment: Environment, tmp_path: Path) -> None:
    program = f"import {', '.join(PACKAGES)}; print(*(m.__file__ for m in ({', '.join(PACKAGES)})))"
    done = subprocess.run(
        [str(environment.python), "-I", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert len(done.stdout.split()) == len(PACKAGES)
    assert all(path.startswith(str(environment.python.parents[1])) for path in done.stdout.split())


def test_the_command_says_its_version(environment: Environment, tmp_path: Path) -> None:
    assert VERSION in environment.run(tmp_path, "--version").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate",),
        ("render", "envoy"),
        ("render", "envoy-gateway", "--gateway", "eg", "--namespace", "default", "--listener", "http", "--new-route"),
        ("plan", "--rate", "chat=2", "--json"),
    ],
    ids=" ".join,
)
def test_commands_that_read_data_files_work_outside_of_the_checkout(
    environment: Environment, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "glidepath.yaml").write_text(VALID)
    done = environment.run(tmp_path, *arguments)
    assert (done.returncode, done.stderr if "Traceback" in done.stderr else "") == (0, ""), done.stdout + done.stderr
    assert done.stdout


def test_pairs_are_scored_with_the_installed_words_and_weights(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "glidepath.yaml").write_text(VALID)
    (tmp_path / "pairs.jsonl").write_bytes(line("a", chat("The fee is 40 euros."), chat("The fee is 45 euros.")))
    done = environment.run(tmp_path, "score", "pairs.jsonl", "-c", "glidepath.yaml")
    assert done.returncode == 0, done.stderr
    assert "numbers" in json.loads(done.stdout.splitlines()[0])["flags"]


def test_the_changelog_has_the_version_with_its_date_below_the_unreleased_section() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    assert headings[0] == "## [Unreleased]"
    released = [line.split(" - ") for line in headings[1:]]
    assert released[0][0] == f"## [{VERSION}]"
    dates = [date for _, date in released]
    assert dates == sorted(dates, reverse=True)
    assert all(len(date) == len("2026-01-01") for date in dates)
