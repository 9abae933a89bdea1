"""Tests of the choice between several installed Redis and Valkey servers."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from glidepath.errors import InputError
from glidepath_ops.local.choose_redis_server import InstalledServer, ServerVersion, WrittenBy, choose, parse_version

REDIS_7, REDIS_8 = ServerVersion("Redis", "7.0.15"), ServerVersion("Redis", "8.2.1")
VALKEY_8, VALKEY_9, VALKEY_10 = (ServerVersion("Valkey", number) for number in ("8.1.3", "9.1.2", "10.0.0"))


def installed(*versions: ServerVersion) -> list[InstalledServer]:
    return [InstalledServer(f"/usr/bin/{index}", version) for index, version in enumerate(versions)]


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1", REDIS_7),
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=1536df31c0395150", VALKEY_9),
        ("KeyDB server v=6.3.4", None),
        ("", None),
    ],
)
def test_the_version_is_read_from_the_servers_output(output: str, version: ServerVersion | None) -> None:
    assert parse_version(output) == version


@pytest.mark.parametrize(
    ("server", "wrote", "reads"),
    [
        (VALKEY_9, VALKEY_9, True),
        (VALKEY_10, VALKEY_9, True),
        (VALKEY_9, VALKEY_10, False),
        (REDIS_7, VALKEY_9, False),
        (VALKEY_9, REDIS_7, False),
        (REDIS_7, REDIS_8, False),
    ],
)
def test_a_server_certainly_reads_what_an_older_one_of_its_kind_wrote(
    server: ServerVersion, wrote: ServerVersion, reads: bool
) -> None:
    assert server.reads(wrote) is reads


@pytest.mark.parametrize(
    ("servers", "written", "chosen"),
    [
        ((REDIS_7, VALKEY_9), None, REDIS_7),
        ((REDIS_7, VALKEY_9), VALKEY_9, VALKEY_9),
        ((REDIS_7, VALKEY_9), VALKEY_8, VALKEY_9),
        ((REDIS_7, VALKEY_9), REDIS_7, REDIS_7),
        ((REDIS_7, VALKEY_9), REDIS_8, REDIS_7),
        ((VALKEY_9,), REDIS_7, VALKEY_9),
    ],
)
def test_the_first_server_that_reads_the_data_is_chosen_or_else_the_first(
    servers: tuple[ServerVersion, ...], written: ServerVersion | None, chosen: ServerVersion
) -> None:
    assert choose(installed(*servers), written).version == chosen


def test_the_server_that_wrote_the_data_is_remembered_in_a_private_file(tmp_path: Path) -> None:
    record = WrittenBy(tmp_path)
    assert record.read() is None
    record.write(VALKEY_9)
    assert WrittenBy(tmp_path).read() == VALKEY_9
    assert stat.S_IMODE(record.path.stat().st_mode) == 0o600


def test_a_record_that_names_no_server_is_an_error_with_its_path(tmp_path: Path) -> None:
    record = WrittenBy(tmp_path)
    record.path.write_text("something else")
    with pytest.raises(InputError, match=f"{record.path}: must name a server"):
        record.read()
