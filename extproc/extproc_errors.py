"""Errors inside extproc. Errors that a user can fix are in glidepath.errors."""

from __future__ import annotations


class ExtprocError(Exception):
    """Envoy, a backend or a client sent something invalid."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class IllegalEventError(ExtprocError):
    """A message is not allowed in the current state of the exchange. The exchange is unchanged."""


class DecodeError(ExtprocError):
    """A body does not have the coding that its content-encoding header names, or that coding is unknown."""


class NotRedactedError(Exception):
    """A body could not be redacted, so it must not be stored. The message says why."""
