"""Refuses addresses of Glidepath's listeners that are already used in a user's bootstrap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from glidepath.config.listen_addresses import ListenAddress, listen_addresses
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.bootstrap import admin_address
from glidepath_ops.envoyconfig.yaml_insertion import child, items, verbatim


def refuse_taken_addresses(root: yaml.Node, config: Config, name: str) -> None:
    """Raise InputError if a listener or the admin API of the bootstrap has an address that Glidepath needs.

    These are the address for copies, extproc's addresses, and the address of the admin API if the bootstrap has none.
    Envoy itself refuses only two listeners with exactly the same address.
    """
    needed = [one for one in listen_addresses(config) if _is_beside_envoy(one)]
    if config.envoy.actuator == "admin" and child(root, "admin") is None:
        needed.append(ListenAddress("envoy", ("envoy", "admin"), admin_address(config)))
    for title, line, address in _taken(root):
        theirs = ListenAddress("envoy", ("", ""), address)
        for one in needed:
            if one.excludes(theirs):
                raise InputError(
                    f"{name}:{line}: {title} has the address {address}, and {one.dotted} is {one.address}: change "
                    f"{one.dotted} in glidepath.yaml"
                )


def _is_beside_envoy(one: ListenAddress) -> bool:
    if one.key == ("extproc", "listen"):  # extproc can run on another machine
        return one.address.startswith(("unix:", "127.", "localhost:", "[::1]:"))
    return one.key == ("envoy", "shadow_listen")


def _taken(root: yaml.Node) -> Iterator[tuple[str, int, str]]:
    """Yield the title, line and address (``HOST:PORT`` or ``unix:PATH``) of each TCP listener and of the admin API."""
    nodes = [("the admin API", child(child(root, "admin"), "address"))]
    for listener in items(child(child(root, "static_resources"), "listeners")):
        title = f"the listener {verbatim(child(listener, 'name')) or ''}".rstrip()
        nodes.append((title, child(listener, "address")))
        nodes += [(title, child(one, "address")) for one in items(child(listener, "additional_addresses"))]
    for title, node in nodes:
        address = _listened_on(verbatim(node))
        if node is not None and address is not None:
            yield title, node.start_mark.line + 1, address


def _listened_on(address: Any) -> str | None:
    """Return a protobuf Address as ``HOST:PORT`` or ``unix:PATH``, or None if it is not an address of a TCP server."""
    if not isinstance(address, dict):
        return None
    pipe, socket = address.get("pipe"), address.get("socket_address")
    if isinstance(pipe, dict) and pipe.get("path"):
        return f"unix:{pipe['path']}"
    if not isinstance(socket, dict) or str(socket.get("protocol", "TCP")).upper() not in ("TCP", "0"):
        return None
    host, port = str(socket.get("address", "")), str(socket.get("port_value", ""))
    if not port.isascii() or not port.isdigit() or int(port) == 0:
        return None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
