"""Finds secrets that the configuration names but this process cannot read, before anything is started.

Envoy sends an empty credential if its variable is not set, so every client would get a 401.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from glidepath.config import Config
from glidepath.config.backends import Credential
from glidepath.config.cross_checks import Problem
from glidepath.config.partial_validation import has_faults
from glidepath.config.urls_and_secrets import Secret

_MAX_SECRET_BYTES = 64 * 1024
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class MissingSecret:
    """A secret that cannot be read. ``key``: its place in the file. ``for_envoy``: whether only Envoy reads it."""

    key: Key
    problem: str
    for_envoy: bool

    @property
    def dotted(self) -> str:
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.key).removeprefix(".")


def missing_secrets(config: Config) -> tuple[MissingSecret, ...]:
    """Return the secrets whose variable or file cannot be read, is empty or has several lines.

    A secret with an error in the configuration itself is left out.
    """
    return tuple(
        MissingSecret((*key, kind), problem, isinstance(secret, Credential))
        for key, secret in _secrets(config, ())
        if not has_faults(secret)
        for kind, problem in _problems(secret)
    )


def secret_problems(config: Config) -> Iterator[Problem]:
    """Yield a problem for each secret that cannot be read. This is a check for ``load_config``."""
    yield from (Problem(one.key, one.problem) for one in missing_secrets(config))


def secret_problems_of_up(config: Config) -> Iterator[Problem]:
    """Yield the secrets' problems that stop ``up``. This is a check for ``load_config``.

    If ``up`` starts no Envoy, the credentials that only Envoy reads are left out: they are set elsewhere.
    """
    own_envoy = not config.envoy.admin
    yield from (Problem(one.key, one.problem) for one in missing_secrets(config) if own_envoy or not one.for_envoy)


def _problems(secret: Secret | Credential) -> Iterator[tuple[str, str]]:
    if secret.env is not None:
        value = os.environ.get(secret.env)
        fault = "is not set" if value is None else _fault(value.encode(errors="surrogateescape"))
        if fault:
            yield "env", f"the environment variable {secret.env} {fault}"
    if secret.file is not None:
        try:
            with Path(secret.file).open("rb") as file:
                fault = _fault(file.read(_MAX_SECRET_BYTES + 1))
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        if fault:
            yield "file", f"{secret.file} {fault}"


def _fault(value: bytes) -> str:
    """Return why a header cannot carry this secret, or "" if it can. White space at the end is ignored."""
    if len(value) > _MAX_SECRET_BYTES:
        return f"is longer than {_MAX_SECRET_BYTES} bytes, so it is not a secret"
    text = value.strip()
    if not text:
        return "is empty"
    return "has several lines" if b"\n" in text or b"\r" in text else ""


def _secrets(value: object, key: Key) -> Iterator[tuple[Key, Secret | Credential]]:
    if isinstance(value, Secret | Credential):
        yield key, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _secrets(getattr(value, name), (*key, field.alias or name))
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _secrets(one, (*key, name))
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from _secrets(one, (*key, index))
