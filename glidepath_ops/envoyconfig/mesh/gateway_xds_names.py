"""Computes the names of the xDS listeners, route configurations and routes that Envoy Gateway generates.

Envoy Gateway has two naming schemes (its runtime flag XDSNameSchemeV2). The functions follow ``xdsListenerName`` and
``routeConfigName`` of its xDS translator. In the first scheme, the parts that the listeners of one port share have the
name of the first of these listeners.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glidepath.errors import InputError

SCHEMES = ("v1", "v2")
_LISTENER = re.compile(r"(?P<name>[a-z0-9]([-a-z0-9.]*[a-z0-9])?)(:(?P<protocol>HTTPS?):(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class GatewayListener:
    """A listener of the Gateway. ``protocol`` (HTTP, HTTPS) and ``port`` are None if they are unknown."""

    name: str
    protocol: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class XdsNames:
    """The names of the xDS listeners and of the route configurations of a Gateway's listeners."""

    listeners: tuple[str, ...]
    route_tables: tuple[str, ...]


def gateway_listener(text: str) -> GatewayListener:
    """Return the listener in ``text``, which is NAME or NAME:PROTOCOL:PORT. Raises InputError for any other text."""
    found = _LISTENER.fullmatch(text)
    if found is None:
        raise InputError(f"--listener: must be NAME or NAME:PROTOCOL:PORT, such as http:HTTP:80 (got {text!r})")
    port = found["port"]
    return GatewayListener(found["name"], found["protocol"], None if port is None else int(port))


def xds_names(gateway: str, listeners: Sequence[GatewayListener], scheme: str) -> XdsNames:
    """Return the names for ``listeners`` of ``gateway`` (NAMESPACE/NAME), in the same order as in the Gateway.

    Raises InputError for an unknown ``scheme``, or if the scheme needs a listener's protocol and port but they are
    unknown.
    """
    if scheme not in SCHEMES:
        raise InputError(f"--xds-names: unknown value {scheme!r} (allowed: {', '.join(SCHEMES)})")
    if (scheme == "v2" or len(listeners) > 1) and any(one.port is None for one in listeners):
        raise InputError(
            "--listener: with --xds-names v2 or several listeners, give each as NAME:PROTOCOL:PORT, as in the Gateway "
            "(example: --listener http:HTTP:80)"
        )
    first: dict[int | None, str] = {}
    first_plain: dict[int | None, str] = {}
    for one in listeners:
        first.setdefault(one.port, one.name)
        if one.protocol != "HTTPS":
            first_plain.setdefault(one.port, one.name)
    shared = [f"{gateway}/{first[one.port]}" for one in listeners]
    tables = [f"{gateway}/{one.name if one.protocol == 'HTTPS' else first_plain[one.port]}" for one in listeners]
    if scheme == "v2":
        shared = [f"tcp-{one.port}" for one in listeners]
        tables = [
            table if one.protocol == "HTTPS" else f"http-{one.port}"
            for one, table in zip(listeners, tables, strict=True)
        ]
    return XdsNames(tuple(dict.fromkeys(shared)), tuple(dict.fromkeys(tables)))


@dataclass(frozen=True, slots=True)
class GeneratedRoutes:
    """The Envoy routes that Envoy Gateway generates from one rule of an HTTPRoute.

    ``host``: only the routes for this hostname of the HTTPRoute; None: for all hostnames.
    """

    namespace: str
    name: str
    rule: int
    host: str | None = None

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.name}/{self.rule}"

    @property
    def cluster(self) -> str:
        """The name of the cluster of the rule's only backendRef, if it has a filter.

        Only with a filter does Envoy Gateway make the destination a weighted cluster, which can be patched without
        replacing the whole action of the route.
        """
        return f"{self._prefix}/backend/0"

    def json_path(self, condition: str = "") -> str:
        """Return the JSONPath that finds the generated routes in a route configuration, if they meet ``condition``."""
        start = re.sub(r"([.])", r"[\1]", f"{self._prefix}/match/")
        end = "" if self.host is None else f"[0-9]+/{re.sub('[*]', '[*]', self.host.replace('.', '_'))}$"
        return f"..routes[?(@.name =~ '^{start}{end}'{condition})]"

    @property
    def _prefix(self) -> str:
        return f"httproute/{self.namespace}/{self.name}/rule/{self.rule}"
