"""Chooses the routes that ``glidepath render istio`` splits.

These are the routes that ``--route`` names, those in the file given with ``--into``, or those of a new VirtualService.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.cli.render_output import text_without_glidepath
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import (
    ContinuedRoutes,
    RouteChoice,
    complete_virtual_services,
    continued_by_name,
)
from glidepath_ops.envoyconfig.mesh.istio import IstioTarget
from glidepath_ops.envoyconfig.mesh.new_virtual_service import routes_of_service

_NO_ROUTE = (
    "render istio: needs the route that serves the workloads now: --into VIRTUALSERVICE.yaml (a file with your "
    "VirtualService), --route NAMESPACE/NAME/HTTP-ROUTE (a route for only the requests of a workload with fallback: "
    "false), or, with --context sidecar, --service HOST:PORT (a host without a VirtualService)"
)


@dataclass(frozen=True, slots=True)
class IstioRoutes:
    """The options of ``glidepath render istio`` that choose routes."""

    into: Path | None
    routes: Sequence[str]
    service: str | None


def chosen_routes(config: Config, target: IstioTarget, options: IstioRoutes) -> ContinuedRoutes:
    """Return the routes to split and, with ``--into``, the completed text of the file. Writes no file.

    Raises InputError if the options cannot be combined, or a route is not known or cannot be split.
    """
    if options.service is not None:
        if options.into is not None or options.routes:
            raise InputError("render istio: --service cannot be combined with --into and --route")
        return routes_of_service(config, options.service, target.context, target.namespace, target.selector)
    if options.into is None:
        if not options.routes:
            raise InputError(_NO_ROUTE)
        return continued_by_name(config, options.routes)
    choices = [_choice(text) for text in options.routes]
    if len(choices) > 1:
        raise InputError("render istio: with --into, --route can be given only once")
    text = text_without_glidepath(options.into)
    return complete_virtual_services(text, config, str(options.into), choices[0] if choices else None)


def _choice(text: str) -> RouteChoice:
    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise InputError(f"--route: must be NAMESPACE/NAME or NAMESPACE/NAME/HTTP-ROUTE (got {text!r})")
    return RouteChoice(*parts)
