"""Puts the resources for a mesh into YAML files, which the user applies with kubectl."""

from __future__ import annotations

from collections.abc import Sequence

from glidepath.config.root import Config
from glidepath.errors import ConfigError, InputError
from glidepath_ops.envoyconfig.commented_yaml import Json, to_yaml
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import ContinuedRoutes
from glidepath_ops.envoyconfig.mesh.envoy_gateway import GatewayRoutes, GatewayTarget, gateway_resources
from glidepath_ops.envoyconfig.mesh.istio import IstioTarget, istio_pod, istio_resources

RESOURCES, POD_PATCH = "resources.yaml", "pod-patch.yaml"
_HEADER = """\
Rendered by `glidepath render {target}` from glidepath.yaml. To change it, edit that file and render again.
docs/how-to/service-meshes.md describes the parts, the required versions and the removal."""


def istio_files(config: Config, place: IstioTarget, routes: ContinuedRoutes) -> dict[str, str]:
    """Return the two files for Istio as a mapping from file name to text.

    One file contains the resources, the other the patch of the pods.
    """
    return {
        RESOURCES: _documents(istio_resources(config, place, routes), "istio"),
        POD_PATCH: _documents([istio_pod(config, place)], "istio"),
    }


def gateway_files(config: Config, place: GatewayTarget, routes: GatewayRoutes) -> dict[str, str]:
    """Return the file for Envoy Gateway, which contains the resources, as a mapping from file name to text."""
    return {RESOURCES: _documents(gateway_resources(config, place, routes), "envoy-gateway")}


def refuse_without_workloads(config: Config) -> None:
    """Raise ConfigError if there is no workload, because resources for a mesh exist only for workloads."""
    if not config.workloads:
        raise ConfigError(
            "workloads: is missing: a mesh cannot be observed without one; to find workloads, let your proxies write "
            "their access log as JSON lines, and read it with `glidepath inventory --from FILE`"
        )


def _documents(resources: Sequence[Json], target: str) -> str:
    header = to_yaml({}, _HEADER.format(target=target)).removesuffix("{}\n")
    return header + "".join(f"---\n{to_yaml(one)}" for one in resources)


def labels(texts: Sequence[str]) -> dict[str, str]:
    """Return the labels in ``texts``, each of the form ``KEY=VALUE``. Raises InputError for a text of another form."""
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not key or not sign or not value:
            raise InputError(f"--workload-selector must be KEY=VALUE (got {text!r})")
        found[key] = value
    return found
