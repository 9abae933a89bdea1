"""Creates a Redis client from the configuration, and checks that Redis answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import redis.asyncio as redis
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterPipeline, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError

from glidepath.config.connections import RedisSection
from glidepath.config.urls_and_secrets import Secret
from glidepath.errors import ConfigError, UnreachableError, error_text

# redis-py's two clients have the same commands, but no common base class that declares them.
RedisClient = Any

CONNECT_TIMEOUT_S, REPLY_TIMEOUT_S = 2.0, 5.0


def read_secret(secret: Secret) -> str:
    """Return the value of a secret. If it is in a file, line breaks at its end are removed.

    Raises ConfigError if the variable is not set or the file cannot be read; the message names the variable or file.
    """
    if secret.env is not None:
        value = os.environ.get(secret.env)
        if value is None:
            raise ConfigError(f"the environment variable {secret.env}, which the configuration names, is not set")
        return value
    try:
        return Path(str(secret.file)).read_text().rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{secret.file}: the secret cannot be read: {error.strerror}") from error


class RotatedSecret:
    """A secret whose file may change while the process runs. While the file cannot be read, the former value counts."""

    def __init__(self, secret: Secret) -> None:
        """Read the secret. Raises ConfigError if it cannot be read."""
        self._secret, self._value = secret, read_secret(secret)

    def read(self) -> str:
        with suppress(ConfigError, UnicodeError):
            self._value = read_secret(self._secret) or self._value
        return self._value


class _RotatedPassword(CredentialProvider):
    """The password of Redis, which is read again for each new connection."""

    def __init__(self, username: str | None, password: RotatedSecret) -> None:
        self._username, self._password = username, password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        password = self._password.read()
        return (unquote(self._username), password) if self._username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()


def without_password(url: str) -> str:
    """Return the URL with its password masked, for messages and logs."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{parts.hostname}:{parts.port or 6379}"))


class _Client(redis.Redis):
    """redis-py's client of a single Redis, changed so that no cancellation is lost (ADR 0550)."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        with _raising_lost_cancellation():
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _ClientPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _ClientPipeline(Pipeline):
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        with _raising_lost_cancellation():
            answers: list[Any] = await super().execute(raise_on_error)
            return answers


class _Cluster(RedisCluster):
    """redis-py's cluster client, changed so that an unreachable cluster raises RedisError.

    The original raises RedisClusterException ("cannot be connected", "slot is not covered"), which is not a RedisError.
    It also raises AttributeError if one task closes a node's connections while another task sends on one of them. Code
    that waits until Redis answers again catches neither of these errors. See ADR 0090. No cancellation is lost, either.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        with _raising_lost_cancellation(), _as_redis_error():
            return await super().execute_command(*args, **options)

    async def initialize(self, *args: Any, **options: Any) -> RedisCluster:
        with _as_redis_error():
            return await super().initialize(*args, **options)

    def pipeline(self, transaction: Any | None = None, shard_hint: Any | None = None) -> ClusterPipeline:
        return _ClusterPipeline(self, transaction)  # type: ignore[abstract]  # redis-py's own class has this gap in its types, too


class _ClusterPipeline(ClusterPipeline):
    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        with _raising_lost_cancellation(), _as_redis_error():
            answers: list[Any] = await super().execute(raise_on_error, allow_redirections)
            return answers


@contextmanager
def _raising_lost_cancellation() -> Iterator[None]:
    """Raise CancelledError if the current task is cancelled during the body, and the body does not raise it.

    With Python 3.11, redis-py 8.1 loses a cancellation that arrives when a command has just been sent.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    lost: BaseException | None = None
    try:
        yield
    except Exception as error:
        if task is None or task.cancelling() <= before:
            raise
        lost = error
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError from lost


@contextmanager
def _as_redis_error() -> Iterator[None]:
    try:
        yield
    except RedisClusterException as error:
        raise RedisConnectionError(f"Redis Cluster: {error}") from error
    except AttributeError as error:  # redis-py 8.1 uses the writer of a connection that another task has just closed
        raise RedisConnectionError(f"Redis Cluster: the connection was closed during the command ({error})") from error


def connect(section: RedisSection, *, again: bool = False) -> RedisClient:
    """Return a client for a single Redis or a Redis Cluster. It connects on first use. Keys and values are bytes.

    ``again``: whether a command is sent once more on a new connection if its connection was closed. This hides a
    restart of Redis, but Redis may execute the command twice, so use it only where that is harmless. A cluster's client
    always sends the command again.
    """
    url = section.url or "redis://127.0.0.1:6379/0"
    options: dict[str, Any] = {"socket_timeout": REPLY_TIMEOUT_S, "socket_connect_timeout": CONNECT_TIMEOUT_S}
    if section.password:
        parts = urlsplit(url)
        options["credential_provider"] = _RotatedPassword(parts.username, RotatedSecret(section.password))
        url = url.replace(f"//{parts.netloc.rpartition('@')[0]}@", "//", 1)
    if section.cluster:
        return _Cluster.from_url(url, **options)
    if again:
        options["retry"] = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return _Client.from_url(url, health_check_interval=10, **options)


def being_cancelled() -> bool:
    """Return whether the current task has been cancelled. A loop that calls Redis checks this in each iteration.

    redis-py can lose a cancellation: no CancelledError is raised then, but ``Task.cancelling`` still counts it. The
    clients of ``connect`` raise it (ADR 0550). This check also covers other clients, and libraries with the same fault.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def raise_if_cancelled() -> None:
    """Raise CancelledError if the current task has been cancelled (see ``being_cancelled``)."""
    if being_cancelled():
        raise asyncio.CancelledError


async def check(client: RedisClient, section: RedisSection, where: str = "redis.url") -> None:
    """Raise UnreachableError unless a usable Redis answers at the client's URL.

    The error message contains the URL, and ``where``, the place of the URL in the configuration.
    """
    place = f"{where}: {without_password(section.url or '')}"
    try:
        info = await client.info("server")
    except (RedisError, OSError, ValueError) as error:
        reason = error_text(error)
        raise UnreachableError(f"{place}: no usable Redis answers there: {reason}") from error
    if "redis_version" not in (info if "redis_version" in info else next(iter(info.values()), {})):
        raise UnreachableError(f"{place}: the server there is not Redis")
