"""Renders the mesh examples again: ``python -m glidepath_ops.envoyconfig.mesh.write_mesh_examples envoy``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from glidepath.config import Config, load_config
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import (
    ContinuedRoutes,
    complete_virtual_services,
)
from glidepath_ops.envoyconfig.mesh.envoy_gateway import GatewayRoutes, GatewayTarget
from glidepath_ops.envoyconfig.mesh.gateway_routes import UsersFile, gateway_routes
from glidepath_ops.envoyconfig.mesh.istio import IstioTarget
from glidepath_ops.envoyconfig.mesh.new_virtual_service import routes_of_service
from glidepath_ops.envoyconfig.mesh.resource_yaml_files import gateway_files, istio_files

_SIDECAR = IstioTarget(context="sidecar", namespace="apps", selector={"app": "assistant"})
_SERVICE = "llm.models.svc.cluster.local:8000"
RECIPES: Mapping[str, Callable[[Config, Path], dict[str, str]]] = {
    "istio/gateway": lambda config, folder: _virtual_service(config, folder),
    "istio/sidecar": lambda config, _: istio_files(config, _SIDECAR, _routes_of_service(config)),
    "envoy-gateway/own-route": lambda config, folder: _own_route(config, folder),
    "envoy-gateway/new-route": lambda config, _: gateway_files(
        config, GatewayTarget(), GatewayRoutes(new=tuple(config.workloads))
    ),
}


def _virtual_service(config: Config, folder: Path) -> dict[str, str]:
    source = folder / "virtual-service.yaml"
    routes = complete_virtual_services(source.read_text(), config, source.name)
    return {**istio_files(config, IstioTarget(), routes), "virtual-service-completed.yaml": str(routes.text)}


def _routes_of_service(config: Config) -> ContinuedRoutes:
    return routes_of_service(config, _SERVICE, _SIDECAR.context, _SIDECAR.namespace, _SIDECAR.selector)


def _own_route(config: Config, folder: Path) -> dict[str, str]:
    source = folder / "httproute.yaml"
    users = UsersFile(source.name, source.read_text())
    routes, completed = gateway_routes(config, users, {}, GatewayTarget().namespace, new_route=False)
    return {**gateway_files(config, GatewayTarget(), routes), "httproute-completed.yaml": str(completed)}


def mesh_examples(folder: Path) -> dict[Path, str]:
    """Return the text of each rendered file of the mesh examples; each is next to its example's glidepath.yaml."""
    found = {}
    for place, recipe in RECIPES.items():
        for name, text in recipe(load_config(folder / place / "glidepath.yaml"), folder / place).items():
            found[folder / place / name] = text
    return found


def main(folder: Path) -> None:
    for path, text in mesh_examples(folder).items():
        path.write_text(text)
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "envoy"))
