"""The Envoy extensions that rendered configuration uses, and the builds of Envoy that lack one of them.

An Envoy that lacks an extension refuses the cluster or the listener that names it. Therefore ``render`` refuses such a
configuration first, with the extension and a remedy.

Sources: Istio's build is the list of extensions of github.com/istio/proxy at commit 86a72d03 (2026-08-22). Envoy
Gateway runs stock Envoy. The names are those of ``node.extensions`` in Envoy's ``/server_info``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from glidepath.config.root import Config
from glidepath.errors import ConfigError
from glidepath_ops.envoyconfig.envoy_versions import TAG_VALUE, lacks
from glidepath_ops.envoyconfig.internal_hops import candidates_with_hop

Build = Literal["stock", "istio"]
BUILDS: tuple[Build, ...] = ("stock", "istio")


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension of Envoy: its ``name``, its use in Glidepath, and how to do without it ("": not possible)."""

    name: str
    purpose: str
    remedy: str = ""


# The header mutation, Lua and the upstream codec run as upstream filters too, under the same names.
_ALWAYS = (
    Extension("envoy.filters.http.set_filter_state", "keeps credentials and the client's headers of a request"),
    Extension("envoy.filters.http.header_mutation", "sets the time limit for the candidate's first byte"),
    Extension("envoy.filters.http.composite", "samples the capture"),
    Extension("envoy.filters.http.ext_proc", "copies bodies to extproc"),
    Extension("envoy.access_loggers.http_grpc", "sends outcomes to extproc"),
    Extension("envoy.filters.http.lua", "adapts a request to its backend"),
)
_NO_FALLBACK = "set fallback: false in the workload"
_FALLBACK = (
    Extension("envoy.clusters.aggregate", "asks the baseline after a failure of the candidate", _NO_FALLBACK),
    Extension("envoy.retry_priorities.previous_priorities", "sends a retry to the baseline", _NO_FALLBACK),
)
_TWO_CLUSTERS = "give the candidate a url, or set fallback: false in the workload"
# Envoy does not list the socket of such a listener (envoy.io_socket.user_space), which is a part of this extension.
_HOP = (
    Extension("envoy.bootstrap.internal_listener", "leads to a candidate that is an existing cluster", _TWO_CLUSTERS),
)
# An aggregate of one cluster adapts requests to a backend with ``cluster``.
_EXISTING_CLUSTER = Extension("envoy.clusters.aggregate", "adapts requests to an existing cluster", "use url")
_RECORD = Extension(
    "envoy.filters.http.header_to_metadata",
    "keeps values that the access log reports to extproc",
    "use Envoy 1.37 or newer",
)
_TLS = Extension("envoy.transport_sockets.tls", "connects to backends with https", "use an http:// url")
_FILE = Extension(
    "envoy.formatter.file_content",
    "reads credentials from files",
    "use credential: {env: NAME}, an environment variable of Envoy",
)

LACKING: Mapping[Build, frozenset[str]] = {
    "stock": frozenset(),
    "istio": frozenset({"envoy.formatter.file_content"}),
}


def used_extensions(config: Config) -> dict[str, tuple[Extension, str]]:
    """Return, by name, each extension that Envoy needs for ``config``, with the key of ``config`` that needs it.

    The key is "" for an extension that every configuration needs.
    """
    found = {one.name: (one, "") for one in _ALWAYS}
    for name, workload in config.workloads.items():
        if workload.fallback:
            for one in _FALLBACK:
                found.setdefault(one.name, (one, f"workloads.{name}.fallback"))
    for name in candidates_with_hop(config):
        for one in _HOP:
            found.setdefault(one.name, (one, f"backends.{name}.cluster"))
    if lacks(config.envoy.version, TAG_VALUE):
        found[_RECORD.name] = (_RECORD, "envoy.version")
    for name, backend in config.backends.items():
        if backend.cluster is not None:
            found.setdefault(_EXISTING_CLUSTER.name, (_EXISTING_CLUSTER, f"backends.{name}.cluster"))
        elif str(backend.url).startswith("https:"):
            found.setdefault(_TLS.name, (_TLS, f"backends.{name}.url"))
        if backend.credential is not None and backend.credential.file is not None:
            found.setdefault(_FILE.name, (_FILE, f"backends.{name}.credential.file"))
    return found


def refuse_missing_extensions(config: Config, build: Build) -> None:
    """Raise ConfigError if ``config`` needs an extension that this build of Envoy lacks."""
    for name, (extension, key) in used_extensions(config).items():
        if name in LACKING[build]:
            place = f"{key}: " if key else ""
            remedy = f"; {extension.remedy}" if extension.remedy else ""
            raise ConfigError(f"{place}{_TITLES[build]} has no {name}, which {extension.purpose}{remedy}")


_TITLES: Mapping[Build, str] = {"stock": "Envoy", "istio": "Istio's build of Envoy"}
