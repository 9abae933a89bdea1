"""Renders the Lua filter that adapts each request to its backend: model, host, path, headers and credential.

The filter's source is ``backend_adaptation.lua``. Its parameters are written above the source as Lua literals. See ADR
0011.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal
from urllib.parse import quote as percent_encoded
from urllib.parse import urlsplit

from glidepath import envoy_names
from glidepath.config.backends import Backend
from glidepath.config.root import Config
from glidepath.query_parameters import HARMLESS_PARAMETERS, MAX_VALUE
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_api_builders import header_set, typed
from glidepath_ops.envoyconfig.header_rules import RoutedHeader

REQUEST_CREDENTIALS = tuple(name for name in envoy_names.CREDENTIAL_HEADERS if name != "set-cookie")
LONGEST_FORM = 32 * 2**20  # bytes; the default of envoy.max_body. OpenAI's longest recording has 25 MB

Without = Literal["always", "refused"]
Lua = str | bool | None | Sequence[str] | Mapping[str, "Lua"]


@dataclass(frozen=True, slots=True)
class AdaptedBackend:
    """A backend that can get the requests of a cluster.

    ``keep``: whether the client's own credential stays in the request.
    ``restore``: whether the backend gets the request as the user's own route changed it.
    ``set_by_route``: the effect of this route's header rules on headers that the other side changes.
    ``rewritten``: whether a route of the user may have changed the path and the host of requests to this backend.
    ``serves_the_candidate``: whether the backend is the candidate. Unless ``keep`` is true, a candidate gets only the
    query parameters in ``HARMLESS_PARAMETERS`` and in ``redaction.harmless_parameters``.
    ``without``: when reasoning of another server is removed: always, or only after the backend has refused the request.
    """

    name: str
    backend: Backend
    keep: bool
    restore: bool = False
    set_by_route: Mapping[str, RoutedHeader] = field(default_factory=dict)
    rewritten: bool = False
    serves_the_candidate: bool = False
    without: Without | None = None

    @property
    def has_secret(self) -> bool:
        credential = self.backend.credential
        return credential is not None and not credential.passthrough

    @property
    def passes_only(self) -> tuple[str, ...] | None:
        """Which of the client's headers are sent to this backend, besides ``envoy_names.PASSED_HEADERS``.

        Each is a name, or the beginning of names, with ``*`` at its end. None: all headers are sent, but those with the
        client's credential only if ``keep`` is true.
        """
        if self.keep or self.restore:
            return None
        if self.backend.pass_headers is not None:
            return self.backend.pass_headers
        return () if self.serves_the_candidate and self.has_secret else None

    @property
    def changes_nothing(self) -> bool:
        """Whether the backend gets the client's request unchanged, apart from the host, which the route sets."""
        backend = self.backend
        adapted = (
            backend.model is not None or backend.headers or self.has_secret or changes_path(backend) or self.without
        )
        return self.keep and not adapted and not self.rewritten


def changes_path(backend: Backend) -> bool:
    return bool(_path_prefix(backend) or backend.strip.rstrip("/"))


def _path_prefix(backend: Backend) -> str:
    return urlsplit(backend.url or "").path.rstrip("/")


def host_of(backend: Backend) -> str:
    """Return the host name (``:authority``) that requests to the backend carry."""
    return backend.host or urlsplit(backend.url or "").netloc.rpartition("@")[2]


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
    """Return the names of request headers with a credential: well-known headers, and those in the configuration."""
    named = (backend.credential.header for backend in config.backends.values() if backend.credential is not None)
    return tuple(dict.fromkeys((*REQUEST_CREDENTIALS, *config.redaction.credential_headers, *named)))


@dataclass(frozen=True, slots=True)
class SecretNames:
    """Header names that mean a credential, and query parameters that contain none. All in lower case."""

    headers: Sequence[str] = REQUEST_CREDENTIALS
    harmless_parameters: Sequence[str] = ()

    @classmethod
    def of(cls, config: Config) -> SecretNames:
        return cls(credential_headers(config), config.redaction.harmless_parameters)


def upstream_filters(
    sides: Sequence[AdaptedBackend], names: SecretNames | None = None, longest_form: int = LONGEST_FORM
) -> list[Json]:
    """Return the upstream filters of a cluster whose requests go to one of ``sides``.

    The last side is used for endpoints whose metadata name no backend. A cluster with one side needs no filter if that
    side changes nothing in the request.

    ``longest_form``: the size in bytes up to which Envoy buffers a form, so that the baseline can get it in place of
    the candidate.
    """
    if len(sides) == 1 and sides[0].changes_nothing:
        return []
    source = {"inline_string": lua_source(sides, names, longest_form)}
    lua = typed("envoy.filters.http.lua", "extensions.filters.http.lua.v3.Lua", default_source_code=source)
    return [lua] if len(sides) == 1 else [_name_the_backend(), lua]


def _name_the_backend() -> Json:
    """Return the filter that writes the backend of the chosen endpoint into a header, which the Lua filter removes.

    An endpoint without metadata sets no header, so the value of the previous attempt must be removed first.
    """
    value = f"%UPSTREAM_METADATA({envoy_names.METADATA}:{envoy_names.ENDPOINT_BACKEND})%"
    mutations = [{"remove": envoy_names.HEADER_BACKEND}, header_set(envoy_names.HEADER_BACKEND, value)]
    return typed(
        "glidepath.backend",
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": mutations},
    )


def lua_source(
    sides: Sequence[AdaptedBackend], names: SecretNames | None = None, longest_form: int = LONGEST_FORM
) -> str:
    names = names or SecretNames()
    several = len(sides) > 1
    differing = [name for side in sides for name in _differing(side, names.headers)]
    if several:  # the first attempt may have removed headers that the second needs
        differing += names.headers
    harmless = {**dict.fromkeys(HARMLESS_PARAMETERS, "word"), **dict.fromkeys(names.harmless_parameters, "any")}
    lines = [
        f"local SIDES = {_table({side.name: _side(side) for side in sides})}",
        f"local DEFAULT = {quote(sides[-1].name)}",
        f"local FALLBACK = {_literal(several)}",
        f"local NAMES = {_literal(list(dict.fromkeys(differing)))}",
        f"local CREDENTIALS = {_table(dict.fromkeys(names.headers, True))}",
        f"local RENAMES = {_literal(any(side.backend.model is not None and not side.restore for side in sides))}",
        f"local SECRETS = {_table(dict.fromkeys(envoy_names.CREDENTIAL_PARAMETERS, True))}",
        f"local MAX_VALUE = {MAX_VALUE}",
        f"local LONGEST_FORM = {longest_form}",
        f"local HARMLESS = {_table(harmless)}",
        f"local PATHS = {_literal(several or any(_adapts_path(side) for side in sides))}",
        f"local ONLY_PASSED = {_literal(any(side.passes_only is not None for side in sides))}",
        f"local REDIRECTS = {_literal(any(_rewrites_redirects(side) for side in sides))}",
        f"local RETRIES = {_literal(several or any(side.without == 'refused' for side in sides))}",
    ]
    if any(side.passes_only is not None for side in sides):
        lines.append(f"local PASSED = {_table(dict.fromkeys(envoy_names.PASSED_HEADERS, True))}")
        lines.append(f"local PASSED_PREFIXES = {_literal(list(envoy_names.PASSED_PREFIXES))}")
    return "\n".join(lines) + "\n\n" + _program(tuple(_parts(sides)))


def _parts(sides: Sequence[AdaptedBackend]) -> Iterator[str]:
    """Yield the files of the program, except those that no side needs."""
    yield from ("json_tokens.lua", "body_kinds.lua", "model_rename.lua")
    if any(side.without for side in sides):
        yield "foreign_reasoning.lua"
    if any(side.passes_only is not None for side in sides):
        yield "passed_headers.lua"
    if any(_rewrites_redirects(side) for side in sides):
        yield "redirects.lua"
    yield "backend_adaptation.lua"


def _rewrites_redirects(side: AdaptedBackend) -> bool:
    """Return whether redirects to the backend must be rewritten.

    A client cannot follow them as they are if Envoy changes the path, or if Envoy adds the backend's credential.
    """
    return not side.restore and side.backend.url is not None and (not side.keep or changes_path(side.backend))


def _origins(backend: Backend) -> list[str]:
    """Return the URL prefixes (scheme and host) that lead to the backend, in lower case."""
    url = urlsplit(str(backend.url))
    netloc = url.netloc.rpartition("@")[2]
    port = {"http": ":80", "https": ":443"}[url.scheme]
    hosts = dict.fromkeys((host_of(backend), netloc, netloc if url.port else netloc + port))
    return [f"{scheme}://{host}".lower() for host in hosts for scheme in ("https", "http")]


def _adapts_path(side: AdaptedBackend) -> bool:
    return changes_path(side.backend) or not side.keep or side.rewritten or side.backend.model is not None


def _differing(side: AdaptedBackend, credentials: Sequence[str]) -> list[str]:
    """Return the names of the headers whose value at this backend can differ from the client's value."""
    if side.restore:
        return []
    names = [name.lower() for name in side.backend.headers]
    return names + ([] if side.keep else list(credentials)) + _secret_header(side)


def _secret_header(side: AdaptedBackend) -> list[str]:
    credential = side.backend.credential
    return [credential.header] if credential is not None and side.has_secret else []


def _side(one: AdaptedBackend) -> dict[str, Lua]:
    if one.restore:
        return {"restore": True, "set": {name: _routed(header) for name, header in one.set_by_route.items()}}
    backend = one.backend
    side: dict[str, Lua] = {
        "model": None if backend.model is None else json.dumps(backend.model, ensure_ascii=False),
        "path_model": None if backend.model is None else percent_encoded(backend.model, safe=""),
        "host": host_of(backend),
        "prefix": _path_prefix(backend),
        "strip": backend.strip.rstrip("/"),
        "keep": one.keep,
        "candidate": one.serves_the_candidate,
        "harmless_only": one.serves_the_candidate and not one.keep,
        "set": {name.lower(): value for name, value in backend.headers.items()},
    }
    if one.passes_only is not None:
        side["passed"] = dict.fromkeys((n for n in one.passes_only if not n.endswith("*")), True)
        side["passed_prefixes"] = [name[:-1] for name in one.passes_only if name.endswith("*")]
    if _rewrites_redirects(one):
        side["origins"] = _origins(backend)
    if one.without is not None:
        side |= {"without": one.without, "name": one.name}
    credential = backend.credential
    if credential is not None and one.has_secret:
        prefix = credential.prefix if credential.header == "authorization" else ""
        side["secret"] = {"header": credential.header, "state": secret_state(one.name), "prefix": prefix}
    return side


@cache
def _program(parts: tuple[str, ...]) -> str:
    folder = files("glidepath_ops.envoyconfig")
    return "\n".join((folder / name).read_text() for name in parts)


def _routed(header: RoutedHeader) -> dict[str, Lua]:
    return {"keeps": header.keeps, "value": header.value, "if_absent": header.if_absent}


def _literal(value: Lua) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Mapping):
        return _table(value)
    return f"{{ {', '.join(quote(one) for one in value)} }}"


def _table(values: Mapping[str, Lua]) -> str:
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
