"""Tests of the Redis that `up` and the demo start: its password, its data, and the servers that can read this data."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from redis.exceptions import AuthenticationError

from glidepath.errors import UnreachableError
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.choose_redis_server import ServerVersion, WrittenBy, installed_servers
from glidepath_ops.local.own_redis import redis_password_file, start_own_redis
from glidepath_ops.local.stack import Stack

pytestmark = pytest.mark.process


def client(folder: Path, port: int) -> redis.Redis:
    return redis.Redis(port=port, password=redis_password_file(folder).read_text().strip())


def keep_a_value(folder: Path) -> None:
    port = free_ports(1)[0]
    with Stack() as stack:
        start_own_redis(stack, folder, port)
        client(folder, port).set("key", "value")


def damage(folder: Path) -> None:
    """Give the data a format that no server knows, as if a newer server had written the data."""
    (base,) = (folder / "redis" / "appendonlydir").glob("*.base.rdb")
    base.write_bytes(b"REDIS9999" + base.read_bytes()[9:])


def test_the_data_survives_a_restart_and_needs_the_password(tmp_path: Path) -> None:
    keep_a_value(tmp_path)
    port = free_ports(1)[0]
    with Stack() as stack:
        start_own_redis(stack, tmp_path, port)
        assert client(tmp_path, port).get("key") == b"value"
        with pytest.raises(AuthenticationError):
            redis.Redis(port=port).ping()
    assert WrittenBy(tmp_path / "redis").read() == installed_servers()[0].version


def test_data_of_another_server_that_cannot_be_read_is_the_cause_that_the_error_names(tmp_path: Path) -> None:
    keep_a_value(tmp_path)
    damage(tmp_path)
    written = ServerVersion("Valkey", "99.0.0")
    WrittenBy(tmp_path / "redis").write(written)
    with Stack() as stack, pytest.raises(UnreachableError) as caught:
        start_own_redis(stack, tmp_path, free_ports(1)[0])
    server = installed_servers()[0].version
    cause = (
        f"{tmp_path}/redis: Valkey 99.0.0 wrote this data, and {server} did not start with it; install Valkey 99.0.0"
    )
    assert str(caught.value).startswith(cause)
    assert "appendonly.aof.1.base.rdb" in str(caught.value)
    assert WrittenBy(tmp_path / "redis").read() == written


def test_damaged_data_of_the_same_server_is_not_blamed_on_another_server(tmp_path: Path) -> None:
    keep_a_value(tmp_path)
    damage(tmp_path)
    with Stack() as stack, pytest.raises(UnreachableError, match=r"^redis ended with status 1:\n") as caught:
        start_own_redis(stack, tmp_path, free_ports(1)[0])
    assert "wrote this data" not in str(caught.value)
