"""Tests of writing files that the user names: a regular file completely or not at all, and no other file replaced."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from glidepath.errors import InputError
from glidepath_ops.cli.output_files import PRIVATE, check_in_place, check_output, is_special, write_output

FULL = Path("/dev/full")


def others(path: Path) -> list[Path]:
    return [one for one in path.parent.iterdir() if one != path]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_gets_the_mode_that_the_umask_leaves_or_the_wanted_one(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_output(tmp_path / "shared", "é\n")
        write_output(tmp_path / "private", b"x", mode=PRIVATE)
    finally:
        os.umask(before)
    assert (tmp_path / "shared").read_bytes() == "é\n".encode()
    assert (mode_of(tmp_path / "shared"), mode_of(tmp_path / "private")) == (0o640, 0o600)


def test_a_replaced_file_keeps_its_mode_and_its_reader_sees_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text("old")
    path.chmod(0o604)
    with path.open() as reader:
        write_output(path, "new", mode=PRIVATE)
        assert (reader.read(), path.read_text()) == ("old", "new")
    assert (mode_of(path), others(path)) == (0o604, [])


def test_the_target_of_a_symlink_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    folder, link = tmp_path / "real", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder / "envoy.yaml")
    for text in ("first", "second"):
        write_output(link, text)
        assert ((folder / "envoy.yaml").read_text(), link.is_symlink()) == (text, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_root_leaves_a_file_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.touch()
    os.chown(path, 12345, 54321)
    write_output(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_a_fifo_gets_the_text_and_stays(tmp_path: Path) -> None:
    fifo, got = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()), daemon=True)
    reader.start()
    write_output(fifo, "text")
    reader.join(10)
    assert got == ["text"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert is_special(fifo)


def test_a_device_gets_the_text_and_stays(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    for path in (Path("/dev/null"), link):
        write_output(path, "text")
        assert stat.S_ISCHR(path.stat().st_mode)
    with pytest.raises(InputError, match="/dev/full: cannot be written: No space left"):
        write_output(FULL, "text")
    assert stat.S_ISCHR(FULL.stat().st_mode)


def test_a_descriptor_is_written_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        file.write("before\n")
        file.flush()
        write_output(Path(f"/dev/fd/{file.fileno()}"), "text\n")
        write_output(Path(f"/proc/self/fd/{file.fileno()}"), "more\n")
    assert path.read_text() == "before\ntext\nmore\n"
    with pytest.raises(InputError, match="/dev/fd/4711: cannot be written: Bad file descriptor"):
        write_output(Path("/dev/fd/4711"), "")


def test_a_file_that_must_not_be_overwritten_stays(tmp_path: Path) -> None:
    path = tmp_path / "end.tar.gz"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"end.tar.gz: already exists and was not overwritten"):
        write_output(path, b"ours", keep_existing=True)
    assert (path.read_text(), others(path)) == ("mine", [])
    write_output(path.with_name("new"), b"ours", keep_existing=True)
    assert path.with_name("new").read_bytes() == b"ours"


@pytest.mark.parametrize(
    ("name", "reason"),
    [(".", "Is a directory"), ("none/x", "No such file or directory"), ("loop", "Too many levels of symbolic links")],
)
def test_what_cannot_be_written_is_one_error_with_the_path(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=f"cannot be written: {reason}"):
        write_output(tmp_path / name, "text")


@pytest.mark.process
def test_a_failed_write_leaves_the_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text("old")
    script = (
        "import resource, sys, signal; from pathlib import Path; from glidepath_ops.cli.output_files import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try: write_output(Path(sys.argv[1]), 'x' * 100)\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "envoy.yaml: cannot be written: File too large" in done.stdout, done.stderr
    assert (path.read_text(), others(path)) == ("old", [])


def test_an_impossible_place_is_known_before_any_work(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "x"):
        with pytest.raises(InputError, match=r"--json: .*cannot be written: (is a|there is no) directory"):
            check_output(path, "--json")
    for path in (Path("-"), Path("/dev/stdout"), Path("/dev/fd/1"), Path("/dev/null"), tmp_path / "new"):
        check_output(path, "--json")


def test_only_a_regular_file_can_be_changed_in_place(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    check_in_place(tmp_path / "file")
    check_in_place(tmp_path / "new")
    with pytest.raises(InputError, match="fifo: is not a regular file, so it cannot be changed in place"):
        check_in_place(tmp_path / "fifo")
