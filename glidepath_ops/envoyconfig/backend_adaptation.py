"""Render the Lua filter that adapts each request to its backend: model, host, path, headers and credential.

The filter's source is ``backend_adaptation.lua``. Its parameters are written above the source as Lua literals. See
ADR 0011.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from glidepath import envoy_names
from glidepath.config.backends import Backend
from glidepath.config.root import Config
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_api_builders import typed

REQUEST_CREDENTIALS = tuple(name for name in envoy_names.CREDENTIAL_HEADERS if name != "set-cookie")

Lua = str | bool | None | Sequence[str] | dict[str, "Lua"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send a request to a backend.

    If ``keep`` is true, the client's own credential stays in the request.
    """

    name: str
    backend: Backend
    keep: bool

    @property
    def has_secret(self) -> bool:
        credential = self.backend.credential
        return credential is not None and not credential.passthrough

    @property
    def changes_nothing(self) -> bool:
        """Return whether the backend gets the client's request unchanged, apart from the host, which the route sets."""
        backend = self.backend
        adapted = backend.model is not None or backend.headers or self.has_secret or changes_path(backend)
        return self.keep and not adapted


def changes_path(backend: Backend) -> bool:
    return bool(urlsplit(backend.url).path.rstrip("/") or backend.strip.rstrip("/"))


def host_of(backend: Backend) -> str:
    """Return the host name (``:authority``) that requests to the backend carry."""
    return backend.host or urlsplit(backend.url).netloc.rpartition("@")[2]


def secret_state(backend: str) -> str:
    """Return the key of the filter state object in which Envoy keeps a backend's credential during a request."""
    return f"glidepath.secret.{backend}"


def client_state(header: str) -> str:
    """Return the key of the filter state object that holds the client's value of ``header``."""
    return f"glidepath.client.{header}"


def keeps_client_credential(backend: Backend, *, candidate: bool) -> bool:
    """Return whether the client's own credential is sent to the backend.

    A backend with a configured credential never gets the client's. A candidate gets it only with ``passthrough: true``.
    """
    if backend.credential is not None:
        return backend.credential.passthrough
    return not candidate


def credential_headers(config: Config) -> tuple[str, ...]:
    """Return the request headers that carry a credential: well-known ones, and those of the configured credentials."""
    named = (backend.credential.header for backend in config.backends.values() if backend.credential is not None)
    return tuple(dict.fromkeys((*REQUEST_CREDENTIALS, *named)))


def upstream_filters(attempts: Sequence[Attempt], credentials: Sequence[str] = REQUEST_CREDENTIALS) -> list[Json]:
    """Return the upstream filters of a cluster that makes ``attempts`` in this order.

    A cluster needs no filter if it makes only one attempt and the attempt changes nothing in the request.
    """
    if len(attempts) == 1 and attempts[0].changes_nothing:
        return []
    source = {"inline_string": lua_source(attempts, credentials)}
    return [typed("envoy.filters.http.lua", "extensions.filters.http.lua.v3.Lua", default_source_code=source)]


def lua_source(attempts: Sequence[Attempt], credentials: Sequence[str] = REQUEST_CREDENTIALS) -> str:
    names = [name for attempt in attempts for name in _differing(attempt, credentials)]
    if len(attempts) > 1:  # the first attempt may have removed headers that the second needs
        names += credentials
    lines = [
        f"local SIDES = {{ {', '.join(_table(_side(attempt)) for attempt in attempts)} }}",
        f"local NAMES = {_literal(list(dict.fromkeys(names)))}",
        f"local CREDENTIALS = {_table(dict.fromkeys(credentials, True))}",
        f"local RENAMES = {_literal(any(attempt.backend.model is not None for attempt in attempts))}",
        f"local SECRETS = {_table(dict.fromkeys(envoy_names.CREDENTIAL_PARAMETERS, True))}",
        f"local PATHS = {_literal(any(changes_path(attempt.backend) or not attempt.keep for attempt in attempts))}",
    ]
    return "\n".join(lines) + "\n\n" + _program()


def _differing(attempt: Attempt, credentials: Sequence[str]) -> list[str]:
    """Return the names of the headers whose value at this backend can differ from the client's value."""
    names = [name.lower() for name in attempt.backend.headers]
    return names + ([] if attempt.keep else list(credentials)) + _secret_header(attempt)


def _secret_header(attempt: Attempt) -> list[str]:
    credential = attempt.backend.credential
    return [credential.header] if credential is not None and attempt.has_secret else []


def _side(attempt: Attempt) -> dict[str, Lua]:
    url, backend = urlsplit(attempt.backend.url), attempt.backend
    side: dict[str, Lua] = {
        "model": None if backend.model is None else json.dumps(backend.model, ensure_ascii=False),
        "host": host_of(backend),
        "prefix": url.path.rstrip("/"),
        "strip": backend.strip.rstrip("/"),
        "keep": attempt.keep,
        "set": {name.lower(): value for name, value in backend.headers.items()},
    }
    credential = backend.credential
    if credential is not None and attempt.has_secret:
        prefix = credential.prefix if credential.header == "authorization" else ""
        side["secret"] = {"header": credential.header, "state": secret_state(attempt.name), "prefix": prefix}
    return side


@cache
def _program() -> str:
    return (files("glidepath_ops.envoyconfig") / "backend_adaptation.lua").read_text()


def _literal(value: Lua) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, dict):
        return _table(value)
    return f"{{ {', '.join(quote(one) for one in value)} }}"


def _table(values: dict[str, Lua] | dict[str, bool]) -> str:
    pairs = [f"[{quote(key)}] = {_literal(value)}" for key, value in values.items() if value is not None]
    return f"{{ {', '.join(pairs)} }}" if pairs else "{}"


def quote(text: str) -> str:
    """Return ``text`` as a Lua string literal, escaped so that no character can end the literal."""
    out = []
    for byte in text.encode():
        char = chr(byte)
        safe = 32 <= byte < 127 and char not in '"\\%'  # % too, so that Envoy's formatters cannot read it as a command
        out.append(char if safe else f"\\{byte:03d}")
    return '"' + "".join(out) + '"'
