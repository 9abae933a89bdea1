"""Errors that users see. The docstring of an error class is its default message.

All of them end a command with exit status 2, which means that the user can fix the cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


class GlidepathError(Exception):
    """Glidepath could not do what was asked."""

    exit_status = 2

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigError(GlidepathError):
    """The configuration is not valid.

    ``str(error)`` has one line for each fault: ``FILE:LINE: KEY.PATH: what is wrong (got VALUE; allowed: …)``.
    """


class UnknownWorkloadError(GlidepathError):
    """The configuration names no such workload."""


class InputError(GlidepathError):
    """A file or an argument does not have the expected form."""


class UnreachableError(GlidepathError):
    """A server that the configuration names does not answer, or is of the wrong kind."""


class DependencyError(GlidepathError):
    """An optional dependency is not installed."""


class CommandRefusedError(GlidepathError):
    """The workload's state does not allow this command."""


def error_text(error: BaseException) -> str:
    """Return the first line of the error's message that is not blank, or the name of its type if it has no message."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def error_text_with_type(error: BaseException) -> str:
    """Return the type of an unexpected error and its whole message, as ``TYPE: message``."""
    name, message = type(error).__name__, str(error)
    return f"{name}: {message}" if message else name


@contextmanager
def ungrouped(kind: type[E]) -> Iterator[None]:
    """Re-raise the first error of type ``kind`` without the exception group that a TaskGroup puts around it."""
    problem: E | None = None
    try:
        yield
    except* kind as group:
        problem = first_of(group)
    if problem is not None:
        raise problem


def first_of(group: BaseExceptionGroup[E]) -> E:
    """Return the first error inside nested exception groups, so that a user sees one message."""
    error = group.exceptions[0]
    return first_of(error) if isinstance(error, BaseExceptionGroup) else error
