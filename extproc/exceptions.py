"""What can go wrong in extproc, apart from what a person can mend (glidepath.errors)."""

from __future__ import annotations


class ExtprocError(Exception):
    """Something that Envoy, a backend or a client sent is not as it should be."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class IllegalEventError(ExtprocError):
    """A message came that this exchange cannot have now; the exchange is as it was before."""


class DecodeError(ExtprocError):
    """A body is not what its content-encoding says, or names a coding that is not known."""
