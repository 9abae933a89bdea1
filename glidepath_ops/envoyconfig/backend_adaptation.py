"""Per-backend adaptation: parameters from the configuration, written safely above the Lua text that uses them.

See ADR 0011.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from glidepath import keys
from glidepath.config.backends import Backend
from glidepath.config.root import Config
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_messages import typed

REQUEST_CREDENTIALS = tuple(name for name in keys.CREDENTIAL_HEADERS if name != "set-cookie")

Lua = str | bool | None | Sequence[str] | dict[str, "Lua"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A backend's turn to be tried. ``keep``: the client's own credential goes to it."""

    name: str
    backend: Backend
    keep: bool

    @property
    def has_secret(self) -> bool:
        credential = self.backend.credential
        return credential is not None and not credential.passthrough

    @property
    def changes_nothing(self) -> bool:
        """The backend gets what the client sent; its host is the route's to set."""
        backend = self.backend
        adapted = backend.model is not None or backend.headers or self.has_secret or changes_path(backend)
        return self.keep and not adapted


def changes_path(backend: Backend) -> bool:
    return bool(urlsplit(backend.url).path.rstrip("/") or backend.strip.rstrip("/"))


def host_of(backend: Backend) -> str:
    """What the backend is called in the request: ``:authority``."""
    return backend.host or urlsplit(backend.url).netloc.rpartition("@")[2]


def secret_state(backend: str) -> str:
    """The filter state object that holds a backend's credential while a request is under way."""
    return f"glidepath.secret.{backend}"


def client_state(header: str) -> str:
    """The filter state object that holds what the client sent in ``header``."""
    return f"glidepath.client.{header}"


def keeps_client_credential(backend: Backend, *, candidate: bool) -> bool:
    """Nobody's own credential goes to a backend that has one, nor to a candidate that does not ask for it."""
    if backend.credential is not None:
        return backend.credential.passthrough
    return not candidate


def credential_headers(config: Config) -> tuple[str, ...]:
    """Request headers that carry a credential: the known ones, and those that a backend's section names."""
    named = (backend.credential.header for backend in config.backends.values() if backend.credential is not None)
    return tuple(dict.fromkeys((*REQUEST_CREDENTIALS, *named)))


def upstream_filters(turns: Sequence[Attempt], credentials: Sequence[str] = REQUEST_CREDENTIALS) -> list[Json]:
    """The upstream filter for a cluster that tries ``turns`` in order; none where there is nothing to do."""
    if len(turns) == 1 and turns[0].changes_nothing:
        return []
    source = {"inline_string": lua_source(turns, credentials)}
    return [typed("envoy.filters.http.lua", "extensions.filters.http.lua.v3.Lua", default_source_code=source)]


def lua_source(turns: Sequence[Attempt], credentials: Sequence[str] = REQUEST_CREDENTIALS) -> str:
    names = [name for turn in turns for name in _differing(turn, credentials)]
    if len(turns) > 1:  # the first try may have taken away what the second needs
        names += credentials
    lines = [
        f"local SIDES = {{ {', '.join(_table(_side(turn)) for turn in turns)} }}",
        f"local NAMES = {_literal(list(dict.fromkeys(names)))}",
        f"local CREDENTIALS = {_table(dict.fromkeys(credentials, True))}",
        f"local RENAMES = {_literal(any(turn.backend.model is not None for turn in turns))}",
        f"local SECRETS = {_table(dict.fromkeys(keys.CREDENTIAL_PARAMETERS, True))}",
        f"local PATHS = {_literal(any(changes_path(turn.backend) or not turn.keep for turn in turns))}",
    ]
    return "\n".join(lines) + "\n\n" + _program()


def _differing(turn: Attempt, credentials: Sequence[str]) -> list[str]:
    """Headers that this backend sees otherwise than the client sent them."""
    names = [name.lower() for name in turn.backend.headers]
    return names + ([] if turn.keep else list(credentials)) + _secret_header(turn)


def _secret_header(turn: Attempt) -> list[str]:
    credential = turn.backend.credential
    return [credential.header] if credential is not None and turn.has_secret else []


def _side(turn: Attempt) -> dict[str, Lua]:
    url, backend = urlsplit(turn.backend.url), turn.backend
    side: dict[str, Lua] = {
        "model": None if backend.model is None else json.dumps(backend.model, ensure_ascii=False),
        "host": host_of(backend),
        "prefix": url.path.rstrip("/"),
        "strip": backend.strip.rstrip("/"),
        "keep": turn.keep,
        "set": {name.lower(): value for name, value in backend.headers.items()},
    }
    credential = backend.credential
    if credential is not None and turn.has_secret:
        prefix = credential.prefix if credential.header == "authorization" else ""
        side["secret"] = {"header": credential.header, "state": secret_state(turn.name), "prefix": prefix}
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
    """A Lua string literal of exactly these UTF-8 bytes; nothing in ``text`` can end it."""
    out = []
    for byte in text.encode():
        char = chr(byte)
        safe = 32 <= byte < 127 and char not in '"\\%'  # % too: Envoy's formatters never see one
        out.append(char if safe else f"\\{byte:03d}")
    return '"' + "".join(out) + '"'
