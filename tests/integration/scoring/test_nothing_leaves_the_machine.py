"""``glidepath score`` and its scoring process open no network socket, and write only to their own folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.pair_files import chat, line
from tests.support.without_network import run_without_network, why_unsupported


@pytest.fixture(scope="module", autouse=True)
def _filter_works() -> None:
    reason = why_unsupported()
    if reason:
        pytest.skip(reason)


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_scoring_a_file_opens_no_network_socket_and_writes_only_the_graph_cache(tmp_path: Path) -> None:
    home, temporary, work = (tmp_path / name for name in ("home", "temporary", "work"))
    for folder in (home, temporary, work):
        folder.mkdir()
    pairs = line("1", chat("The sky is blue today."), chat("Today the sky has a blue colour."))
    (work / "pairs.jsonl").write_bytes(pairs)
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    env = {"HOME": str(home), "TMPDIR": str(temporary), "PATH": os.environ["PATH"], "PYTHONPATH": path}
    command = [sys.executable, "-m", "glidepath_ops", "score", "pairs.jsonl"]
    done = run_without_network(command, env | {"PYTHONDONTWRITEBYTECODE": "1"}, work)
    assert done.returncode == 0, done.stderr
    assert '"id": "1"' in done.stdout or '"id":"1"' in done.stdout
    assert _files(work) == ["pairs.jsonl"]
    assert _files(temporary) == []
    assert [name for name in _files(home) if not name.startswith(".cache/glidepath/")] == []
