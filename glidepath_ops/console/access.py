"""Decides who may read and who may act in the console. Pure.

A visitor is identified by a bearer token or by a proxy that names the person. A person who gives the token gets a
session: a cookie with the person's name and an expiry, signed with a key that is derived from the token. So every
replica accepts the cookie, nothing is stored, and a new token ends all sessions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.config.console import ConsoleSection, is_loopback
from glidepath.config.urls_and_secrets import Secret
from glidepath.errors import ConfigError
from glidepath.redisio import read_secret

COOKIE = "glidepath_session"
SESSION_S = 12 * 3600
LEAST_TOKEN = 16  # characters
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME = re.compile(r"[\w.@+-][\w .@+-]{0,63}")
ACT_HEADER, ACT_VALUE = "x-glidepath-console", "1"


@dataclass(frozen=True, slots=True)
class Visitor:
    """The sender of a request. ``by_session``: whether a cookie or a proxy identifies all requests of the browser."""

    name: str = ""
    may_read: bool = False
    may_act: bool = False
    by_session: bool = False


@dataclass(frozen=True, slots=True)
class ArrivingRequest:
    """The facts about a request before its body is read. Header names are in lower case.

    ``peer``: the address of the connection's other end; "" for a Unix socket.
    """

    headers: Mapping[str, str]
    cookie: str = ""
    peer: str = ""


class Access:
    """Decides who a visitor is.

    ``token`` and ``feedback_token``: the secrets of the settings with these names; "" if none is configured.
    """

    def __init__(self, section: ConsoleSection, token: str = "", feedback_token: str = "") -> None:
        self._section = section
        self._token, self._feedback_token = token, feedback_token
        self._key = hashlib.blake2b(b"glidepath console session", key=token.encode()[:64], digest_size=32).digest()
        proxy = section.trusted_proxy
        self._networks = [ipaddress.ip_network(one) for one in proxy.addresses] if proxy else []

    @classmethod
    def of(cls, section: ConsoleSection) -> Access:
        """Return the access rules of the section. Raises ConfigError if a token cannot be read or is too short."""
        return cls(section, _token(section.token, "token"), _token(section.feedback_token, "feedback_token"))

    @property
    def takes_token(self) -> bool:
        return bool(self._token)

    @property
    def takes_feedback(self) -> bool:
        """Whether anyone can send feedback: with a token, or as a person whom the proxy names."""
        return bool(self._feedback_token) or self._section.authenticates

    def visitor(self, facts: ArrivingRequest, now_s: float) -> Visitor:
        """Return the sender of the request with the sender's rights."""
        scheme, _, given = facts.headers.get("authorization", "").partition(" ")
        if self._token and scheme.lower() == "bearer":
            return Visitor("api", True, True) if self.is_token(given.strip()) else Visitor()
        if name := self._proxy_name(facts):
            return Visitor(name, True, True, by_session=True)
        if self._token and (name := self._session_name(facts.cookie, now_s)):
            return Visitor(name, True, True, by_session=True)
        return Visitor(may_read=self._section.open_reading or not self._section.authenticates)

    def is_token(self, given: str) -> bool:
        return bool(self._token) and hmac.compare_digest(given.encode(), self._token.encode())

    def may_send_feedback(self, facts: ArrivingRequest) -> bool:
        """Return whether the request has the token that only allows feedback."""
        scheme, _, given = facts.headers.get("authorization", "").partition(" ")
        return (
            bool(self._feedback_token)
            and scheme.lower() == "bearer"
            and hmac.compare_digest(given.strip().encode(), self._feedback_token.encode())
        )

    def session(self, name: str, now_s: float) -> str:
        """Return the value of the session cookie for a person who has given the token."""
        text = f"{int(now_s) + SESSION_S}:{name}".encode()
        return f"{_base64(text)}.{_base64(self._signature(text))}"

    def _session_name(self, cookie: str, now_s: float) -> str:
        text, signature = (_from_base64(part) for part in (cookie.partition(".")[0], cookie.partition(".")[2]))
        if not text or not hmac.compare_digest(signature, self._signature(text)):
            return ""
        expiry, _, name = text.decode("utf-8", "replace").partition(":")
        return name if expiry.isdigit() and int(expiry) > now_s else ""

    def _signature(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")

    def _proxy_name(self, facts: ArrivingRequest) -> str:
        proxy = self._section.trusted_proxy
        if proxy is None or not self._is_proxy(facts.peer):
            return ""
        return person_name(facts.headers.get(proxy.header, ""))

    def _is_proxy(self, peer: str) -> bool:
        if not peer:  # a Unix socket: its file mode says who may connect
            return self._section.listen.startswith("unix:")
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def is_known_host(self, facts: ArrivingRequest) -> bool:
        """Return whether the request names a host under which the console is reachable.

        On a loopback address, another name is a sign of DNS rebinding: another site makes its own name resolve to this
        address, to read data that only this machine may read.
        """
        if self._section.authenticates or not is_loopback(self._section.listen):
            return True
        return host_of(facts.headers.get("host", "")) in _LOOPBACK_HOSTS


def _token(secret: Secret | None, key: str) -> str:
    token = read_secret(secret).strip() if secret else ""
    if secret and len(token) < LEAST_TOKEN:
        raise ConfigError(f"console.{key}: must have at least {LEAST_TOKEN} characters (it has {len(token)})")
    return token


def person_name(text: str) -> str:
    """Return the name of a person without white space around it; "" if it is not a valid name."""
    name = text.strip()
    return name if _NAME.fullmatch(name) else ""


def host_of(host: str) -> str:
    """Return the host of a Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0].strip("[").lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def forged(facts: ArrivingRequest) -> str:
    """Return why a request that changes something may come from another site's page; "" if it cannot.

    A page of another site can make a browser send the session cookie, but no additional header. For such a header, the
    browser first asks the console for permission (CORS), and the console never gives it. See ADR 0321.
    """
    if facts.headers.get(ACT_HEADER) != ACT_VALUE:
        return f"the header {ACT_HEADER}: {ACT_VALUE} is missing"
    if facts.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "the request comes from another site"
    origin, host = facts.headers.get("origin", ""), facts.headers.get("host", "")
    if origin and origin.partition("://")[2].lower() != host.lower():
        return "the request comes from an origin other than that of its Host header (a proxy must pass Host unchanged)"
    return ""


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
