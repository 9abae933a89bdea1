"""Types of the configuration for URLs, and for secrets in environment variables or files."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, model_validator

from glidepath.config.section import Section


def split_url(value: str) -> SplitResult:
    """Return the parts of a URL. Raises ValueError for an invalid URL.

    An invalid port and white space are errors too, although ``urlsplit`` does not report them.
    """
    if any(char.isspace() for char in value):
        raise ValueError("must be a URL without white space")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"must be a URL: {error}") from error
    return parts


def _http_url(value: str) -> str:
    parts = split_url(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL with a host")
    return value.rstrip("/")


def _base_url(value: str) -> str:
    parts = split_url(value)
    if parts.query or parts.fragment:
        part = f"?{parts.query}" if parts.query else f"#{parts.fragment}"
        raise ValueError(f"must end with the path: {part!r} would not be sent")
    return _http_url(value)


def _url_without_user(value: str) -> str:
    if "@" in split_url(value).netloc:
        raise ValueError(
            "must not contain a user or a password: they would not be sent. Set credential, for HTTP Basic with "
            "prefix: 'Basic ' and base64 of USER:PASSWORD as the secret"
        )
    return _base_url(value)


def _admin_url(value: str) -> str:
    if value.startswith("unix:/"):
        return value
    if value.startswith("dns://"):
        parts = split_url(value)
        if not parts.hostname or not parts.port:
            raise ValueError("must be dns://NAME:PORT with a name that resolves to all Envoy replicas")
        return value
    return _base_url(value)


HttpUrl = Annotated[str, AfterValidator(_http_url)]  # a complete address, which may have a query
BaseUrl = Annotated[str, AfterValidator(_base_url)]  # an address to which a path is added
UrlWithoutUser = Annotated[str, AfterValidator(_url_without_user)]  # the same, where a user name cannot be sent
AdminUrl = Annotated[str, AfterValidator(_admin_url)]


class Secret(Section):
    """The environment variable or the file that holds a secret. The configuration never contains the secret itself."""

    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    file: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("needs exactly one of: env, file")
        return self
