"""The password of Redis in a file is read again for each new connection, so that it can be rotated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glidepath.config.connections import RedisSection
from glidepath.config.urls_and_secrets import Secret
from glidepath.errors import ConfigError
from glidepath.redisio import RotatedSecret, connect


async def set_password(admin: Any, user: str, password: str) -> None:
    """Let the user log in with this password only, and close the connections that use another password."""
    await admin.execute_command("ACL", "SETUSER", user, "on", "allcommands", "allkeys", "resetpass", f">{password}")
    await admin.execute_command("CLIENT", "KILL", "USER", user)


@pytest.mark.parametrize("login", ["w%C3%B6rker:other@", "w%C3%B6rker@"])
async def test_a_rotated_password_is_used_for_the_next_connection(
    redis_client: Any, redis_url: str, tmp_path: Path, login: str
) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    await set_password(redis_client, "wörker", "first")
    url = redis_url.replace("redis://", f"redis://{login}")
    client = connect(RedisSection(url=url, password=Secret(file=str(file))), again=True)
    try:
        assert await client.ping()
        file.write_text("second-ü\n")
        await set_password(redis_client, "wörker", "second-ü")
        assert await client.ping()
    finally:
        await client.aclose()
        await redis_client.execute_command("ACL", "DELUSER", "wörker")


def test_the_former_value_counts_while_the_file_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with pytest.raises(ConfigError, match="cannot be read"):
        RotatedSecret(Secret(file=str(file)))
    file.write_text("a\n")
    secret = RotatedSecret(Secret(file=str(file)))
    for content in (b"", b"\xff"):
        file.write_bytes(content)
        assert secret.read() == "a"
    file.unlink()
    assert secret.read() == "a"
    file.write_text("b")
    assert secret.read() == "b"
