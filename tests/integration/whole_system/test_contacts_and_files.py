"""`up` with its extproc and scorer, and the demo, contact only configured addresses and write only configured files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.support.isolation import Observed, run_isolated

CACHE = Path.home() / ".cache" / "glidepath"  # the graph of the embedding model is built once
ROOT = Path(__file__).parents[3]


def run(what: str, folder: Path) -> Observed:
    work = folder / "work"
    work.mkdir()
    command = [sys.executable, "-m", "tests.integration.whole_system.run_and_stop", what, str(work)]
    seen = run_isolated(folder / "view", command, cwd=ROOT)
    assert seen.status == 0, seen.output
    assert seen.outside() == []
    return seen


def test_up_contacts_only_what_is_configured_and_writes_only_to_its_data_folder(tmp_path: Path) -> None:
    seen = run("up", tmp_path)
    configured = set(json.loads(seen.output.splitlines()[-1]))
    assert seen.loopback_ports() - configured == set()
    own = [tmp_path / "work" / name for name in (".glidepath", "glidepath.yaml", "up.log")]
    assert seen.written_outside(*own, CACHE) == []


def test_the_demo_contacts_only_this_machine_and_writes_only_to_its_temporary_folder(tmp_path: Path) -> None:
    seen = run("demo", tmp_path)
    assert re.search(r"pairs [1-9]", seen.output), seen.output
    assert seen.written_outside(tmp_path / "work" / "demo.log", CACHE) == []
    assert "shadow.sock 600\n" in seen.output
