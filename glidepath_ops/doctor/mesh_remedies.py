"""Detects which control plane configures an Envoy, and gives the remedies for this service mesh.

A control plane skips or refuses a part that it does not accept, and reports this in its own logs or resources. So the
remedy "restart this Envoy" would not help there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from glidepath_ops.doctor.facts import RENDER, RUNTIME_LAYER, EnvoyFacts, Finding
from glidepath_ops.doctor.missing_envoy_parts import REFUSED


@dataclass(frozen=True, slots=True)
class MeshRemedy:
    """The remedies in a mesh if an Envoy lacks a part that its control plane sends, or a part of its bootstrap."""

    sent: str
    bootstrap: str


ISTIO = MeshRemedy(
    sent="apply the VirtualService and the EnvoyFilter of `glidepath render istio` again: the EnvoyFilter's "
    "workloadSelector and namespace must be those of this pod, and istiod's log says what it skipped",
    bootstrap="apply the EnvoyFilter and the patch of the pods of `glidepath render istio`; it applies when a pod "
    "starts the next time, with BOOTSTRAP_XDS_AGENT",
)
ENVOY_GATEWAY = MeshRemedy(
    sent="apply the HTTPRoute and the resources of `glidepath render envoy-gateway` again: the status of the "
    "EnvoyPatchPolicy (`kubectl get envoypatchpolicy glidepath -o yaml`) says what was refused, or that such policies "
    "are disabled",
    bootstrap="apply the EnvoyProxy of `glidepath render envoy-gateway`, and name it in the GatewayClass or Gateway",
)
_READY_LISTENER = "envoy-gateway-proxy-ready"  # of Envoy Gateway's bootstrap


def mesh_remedy(envoy: EnvoyFacts) -> MeshRemedy | None:
    """Return the remedies for the control plane that configures an Envoy, or None if the control plane is unknown.

    Istio's proxies have Istio's version in the metadata of their node. Envoy Gateway's have a listener for readiness.
    """
    if "ISTIO_VERSION" in envoy.server_info.get("node", {}).get("metadata", {}):
        return ISTIO
    if any(name.startswith(_READY_LISTENER) for name in envoy.active_listeners()):
        return ENVOY_GATEWAY
    return None


def with_control_plane(findings: Iterable[Finding], envoy: EnvoyFacts) -> Iterator[Finding]:
    """Yield the findings. If a control plane configures this Envoy, they have the remedies for this control plane."""
    mesh = mesh_remedy(envoy)
    for one in findings:
        yield one if mesh is None else replace(one, remedy=_in_mesh(one, mesh))


def _in_mesh(one: Finding, mesh: MeshRemedy) -> str:
    if one.check == RUNTIME_LAYER and one.remedy:
        return mesh.bootstrap
    return one.remedy.replace(RENDER, mesh.sent).replace(REFUSED, f"{mesh.sent}. {REFUSED}")
