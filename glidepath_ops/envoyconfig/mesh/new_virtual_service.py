"""Writes a VirtualService for a host that has none (``glidepath render istio --service``)."""

from __future__ import annotations

from collections.abc import Mapping

from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import (
    ContinuedRoutes,
    CopyNames,
    SplitRoute,
    check_cluster,
    in_order,
)
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import CopyKind
from glidepath_ops.envoyconfig.mesh.kubernetes_objects import kubernetes_object
from glidepath_ops.envoyconfig.mesh.virtual_service_matches import narrowed
from glidepath_ops.envoyconfig.route_conditions import by_specificity


def routes_of_service(
    config: Config, service: str, context: str, namespace: str, labels: Mapping[str, str]
) -> ContinuedRoutes:
    """Return the routes of a new VirtualService for ``service`` (HOST:PORT), which must not have one yet.

    Raises InputError if ``service`` has another form or ``context`` is not "sidecar".
    """
    host, _, port = service.rpartition(":")
    if not host or "." not in host or not port.isdigit():
        raise InputError(f"--service: must be HOST:PORT with the whole name of the host (got {service!r})")
    if context != "sidecar":
        raise InputError(
            "--service: only with --context sidecar; a gateway's routes are in VirtualServices: use --into"
        )
    resource, routes = _virtual_service(config, host, int(port), namespace, labels)
    return ContinuedRoutes(routes, resources=[resource])


def _virtual_service(
    config: Config, host: str, port: int, namespace: str, labels: Mapping[str, str]
) -> tuple[Json, list[SplitRoute]]:
    """Return a VirtualService for a host that has none, and its routes to split.

    It applies to calls from pods in ``namespace``, and its routes for workloads apply to pods with these labels. By
    itself it changes no destination: requests to each port of the host stay there, because the last route names no
    port.
    """
    copies: list[tuple[CopyKind, Json]] = []
    routes: list[SplitRoute] = []
    for workload in by_specificity(config):
        naming = CopyNames(config, workload)
        where = f"workloads.{workload}: --service {host}:{port}"
        check_cluster({"host": host, "port": {"number": str(port)}}, None, config, workload, where)
        narrow = narrowed({}, naming.rule, where)
        matches = [{**one.conditions, "port": port, "sourceLabels": dict(labels)} for one in narrow]
        destination = [{"destination": {"host": host, "port": {"number": port}}}]
        for name, copy in naming.copies({}, f"{host}:{port}"):
            copies.append((copy.kind, {"name": name, "match": matches, "route": destination}))
        routes += naming.routes
    entries = [entry for _, entry in in_order(copies, lambda one: one[0])]
    rest = {"name": "default", "route": [{"destination": {"host": host}}]}
    resource = kubernetes_object(
        "VirtualService",
        "networking.istio.io/v1",
        "glidepath",
        namespace,
        f"For calls from this namespace to {host}, which must have no other VirtualService. By itself, it changes "
        "nothing.",
        spec={"hosts": [host], "exportTo": ["."], "http": [*entries, rest]},
    )
    return resource, routes
