"""The disk cache of built graphs, with concurrent, failed and killed builds."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from scorer.scoring.embed.graph_cache import cached_by_stat, cached_graph


def writes(text: str, calls: list[str]):
    def build(folder: Path) -> None:
        calls.append(text)
        (folder / "file").write_text(text)

    return build


def test_a_cached_graph_is_not_built_again(tmp_path):
    calls: list[str] = []
    for text in ("one", "two"):
        with cached_graph("key", writes(text, calls), tmp_path / "cache") as place:
            assert (place / "file").read_text() == "one"
    assert calls == ["one"]


def test_only_this_user_may_access_the_cache(tmp_path):
    with cached_graph("key", writes("x", []), tmp_path / "cache") as place:
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_a_directory_that_other_users_may_write_to_is_not_used(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with cached_graph("key", writes("mine", []), shared) as place:
        assert (place / "file").read_text() == "mine"
        assert shared not in place.parents
    assert not place.exists()
    assert list(shared.iterdir()) == []


def test_concurrent_builds_leave_one_complete_directory(tmp_path):
    gate = threading.Barrier(4)
    seen: list[str] = []

    def build(folder: Path) -> None:
        gate.wait(10)
        (folder / "file").write_text("same")

    def run() -> None:
        with cached_graph("key", build, tmp_path / "cache") as place:
            seen.append((place / "file").read_text())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == ["same"] * 4
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["key"]


def test_a_failed_build_leaves_no_files(tmp_path):
    def build(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ValueError("unfit")

    with pytest.raises(ValueError, match="unfit"), cached_graph("key", build, tmp_path / "cache"):
        pass
    assert list((tmp_path / "cache").iterdir()) == []


def test_files_of_a_killed_build_are_deleted_after_an_hour(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    old, young = cache / ".building-old", cache / ".building-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)
    with cached_graph("key", writes("x", []), cache):
        assert not old.exists()
        assert young.exists()


def settled(path: Path, text: str, age: float = 60.0) -> Path:
    path.write_text(text)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_a_result_is_cached_until_the_file_changes(tmp_path):
    calls: list[Path] = []

    def find(path: Path) -> str:
        calls.append(path)
        return path.read_text()

    file, cache = settled(tmp_path / "file", "one"), tmp_path / "cache"
    assert [cached_by_stat(file, find, cache) for _ in range(3)] == ["one"] * 3
    assert len(calls) == 1
    assert cached_by_stat(settled(file, "two", age=30.0), find, cache) == "two"


def test_the_result_of_a_file_changed_just_now_is_not_cached(tmp_path):
    file, cache = settled(tmp_path / "file", "one", age=0.0), tmp_path / "cache"
    assert cached_by_stat(file, Path.read_text, cache) == "one"
    assert cached_by_stat(settled(file, "two", age=0.0), Path.read_text, cache) == "two"


def test_without_a_private_cache_the_result_is_computed_each_time(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert cached_by_stat(settled(tmp_path / "file", "one"), Path.read_text, shared) == "one"
    assert list(shared.iterdir()) == []
