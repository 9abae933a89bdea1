"""The ``console`` section: where the web console listens, and who may read and act there."""

from __future__ import annotations

import ipaddress

from pydantic import Field, field_validator, model_validator

from glidepath.config.backends import HEADER_NAME
from glidepath.config.section import Section
from glidepath.config.units import Address
from glidepath.config.urls_and_secrets import Secret


class TrustedProxySection(Section):
    """An authenticating proxy in front of the console. It names the person in a request header.

    The header counts only in requests from ``addresses``. The proxy must remove the header from its clients' requests.
    """

    header: str = "x-forwarded-user"  # holds the name of the person
    addresses: tuple[str, ...] = ("127.0.0.1/32", "::1/128")  # networks of the proxy, such as 10.0.0.0/8

    @field_validator("header")
    @classmethod
    def _header(cls, value: str) -> str:
        if not HEADER_NAME.fullmatch(value):
            raise ValueError("must be the name of a header, such as x-forwarded-user")
        return value.lower()

    @field_validator("addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_network(one)
            except ValueError as error:
                raise ValueError(f"{one!r} is not a network such as 10.0.0.0/8 ({error})") from error
        return value


class ConsoleSection(Section):
    """The web console, `glidepath console`.

    Without ``token`` and ``trusted_proxy``, it shows everything to everybody on this machine, changes nothing, and
    listens on a loopback address or a Unix socket only.
    """

    listen: Address = "127.0.0.1:9480"  # the pages, /api, /metrics, /healthz, /readyz
    token: Secret | None = None  # allows its owner to read and act; at least 16 characters
    feedback_token: Secret | None = None  # allows its owner only to send feedback (POST /feedback)
    feedback_rate: float = Field(default=100, gt=0, le=10_000)  # maximum rate, per second; above it, the answer is 429
    trusted_proxy: TrustedProxySection | None = None
    open_reading: bool = False  # true: people without a token, or not named by the proxy, may read prompts and answers
    index: int = Field(default=150_000, ge=1000, le=2_000_000)  # maximum results in memory, for searches

    @property
    def authenticates(self) -> bool:
        """Whether the console can identify people, by a token or by a proxy."""
        return self.token is not None or self.trusted_proxy is not None

    @model_validator(mode="after")
    def _others_need_a_token(self) -> ConsoleSection:
        if not self.authenticates and not is_loopback(self.listen):
            raise ValueError(
                f"listen: {self.listen} can be reached from other machines, so token or trusted_proxy must be set "
                "(allowed without them: 127.0.0.1:PORT, localhost:PORT, [::1]:PORT, unix:/path)"
            )
        return self


def is_loopback(address: str) -> bool:
    """Return whether only processes on this machine can reach the address HOST:PORT or unix:/path."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]").lower()
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
