"""Insert Glidepath into each Envoy bootstrap of a folder, and let a real Envoy check the result.

``python -m tests.support.insert_into_each_bootstrap FOLDER -c glidepath.yaml [-c …]`` prints one line for each
bootstrap and configuration, and exits with 1 if one of them is broken. A file ``options.json`` in the folder can have
more options by bootstrap: ``{"two-listeners.yaml": "--listener web"}``. The folder itself is not changed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.check_by_envoy import check_with_envoy
from tests.support.commands import run_cli


class Result(StrEnum):
    """The result of an insertion. Only ``BROKEN`` is a fault."""

    INSERTED = "inserted"  # Envoy accepts it, a second run changes nothing, --remove restores the file to the byte
    REFUSED = "refused"  # with a reason; the file is untouched
    UNCHECKED = "unchecked"  # inserted and restored, but Envoy here rejects the user's own bootstrap too
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one bootstrap and one configuration. ``detail``: a reason, or a description of the fault."""

    bootstrap: str
    config: str
    result: Result
    detail: str

    def __str__(self) -> str:
        return f"{self.result:9} {self.bootstrap} ({self.config}): {self.detail}"


def outcomes(folder: Path, configs: Sequence[Path], options: dict[str, str] | None = None) -> Iterator[Outcome]:
    """Yield the outcome for each bootstrap (.yaml or .json) of ``folder`` and each configuration."""
    given = options if options is not None else _options(folder)
    names = sorted(one.name for one in folder.iterdir() if one.suffix in (".yaml", ".yml", ".json"))
    for name in names:
        for config in configs:
            if not name.endswith(("options.json", "expected.json")):
                yield _outcome(folder, name, config.resolve(), shlex.split(given.get(name, "")))


def _options(folder: Path) -> dict[str, str]:
    path = folder / "options.json"
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _outcome(folder: Path, name: str, config: Path, options: Sequence[str]) -> Outcome:
    with tempfile.TemporaryDirectory() as place:
        work = Path(place) / "work"
        shutil.copytree(folder, work)
        for path in (work, *work.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        with chdir(work):  # bootstraps can name files by relative paths
            result, detail = _insert(Path(name), config, options)
    return Outcome(name, config.name, result, detail)


def _insert(file: Path, config: Path, options: Sequence[str]) -> tuple[Result, str]:
    before = file.read_bytes()
    command = ("render", "envoy", "--into", str(file), "-c", str(config), *options)
    try:
        run_cli(*command)
    except InputError as error:
        return (Result.REFUSED, str(error)) if file.read_bytes() == before else (Result.BROKEN, "refused, but changed")
    once = file.read_bytes()
    run_cli(*command)
    if file.read_bytes() != once:
        return Result.BROKEN, "a second run changes it"
    rejected = _rejected(file)
    run_cli("render", "envoy", "--into", str(file), "--remove")
    if file.read_bytes() != before:
        return Result.BROKEN, "--remove does not restore it"
    if rejected is None:
        return Result.INSERTED, ""
    return (Result.UNCHECKED if _rejected(file) else Result.BROKEN), rejected


def _rejected(file: Path) -> str | None:
    try:
        if check_with_envoy(file) is None:
            sys.exit("no Envoy is installed")
    except InputError as error:
        return str(error)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-c", "--config", type=Path, action="append", required=True)
    parser.add_argument("--options", type=Path, help="file with the options, instead of options.json in the folder")
    given = parser.parse_args()
    options = json.loads(given.options.read_text()) if given.options else None
    broken = 0
    for one in outcomes(given.folder, given.config, options):
        broken += one.result is Result.BROKEN
        print(one, flush=True)
    sys.exit(os.EX_OK if not broken else 1)


if __name__ == "__main__":
    main()
