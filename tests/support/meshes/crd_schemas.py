"""The parts of the CRDs that the rendered resources use; every other field is rejected.

They are written after the public API references of Gateway API v1 and of Envoy Gateway
(gateway.envoyproxy.io/v1alpha1), because no package contains the CRDs. Envoy configuration and pods inside of the
resources are checked with Envoy's and Kubernetes' own schemas.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
ANY: Json = {}
TEXT: Json = {"type": "string", "minLength": 1}
LABEL: Json = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
HOSTNAME: Json = {"type": "string", "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
PORT: Json = {"type": "integer", "minimum": 1, "maximum": 65535}


def closed(required: dict[str, Json], optional: dict[str, Json] | None = None) -> Json:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def many(item: Json, most: int = 64) -> Json:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": most}


def one_of(*values: str) -> Json:
    return {"enum": list(values)}


def crd(kind: str, version: str, spec: Json, *, namespaced: bool = True) -> Json:
    metadata = closed({"name": LABEL, "namespace": LABEL} if namespaced else {"name": LABEL})
    return closed({"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec})


GATEWAY, ENVOY = "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1"
_REF = closed({"group": TEXT, "kind": TEXT, "name": LABEL})
_FILTER = {
    "oneOf": [
        closed({"type": one_of("URLRewrite"), "urlRewrite": closed({"hostname": HOSTNAME})}),
        closed(
            {
                "type": one_of("RequestHeaderModifier"),
                "requestHeaderModifier": closed({"remove": many(TEXT, 16)}),
            }
        ),
    ]
}
_BACKEND_REF = closed({"group": TEXT, "kind": TEXT, "name": LABEL}, {"filters": many(_FILTER, 16)})
_HEADER = closed({"type": one_of("Exact", "RegularExpression"), "name": TEXT, "value": TEXT})
_MATCH = closed(
    {"path": closed({"type": one_of("Exact", "PathPrefix", "RegularExpression"), "value": TEXT})},
    {
        "method": one_of("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"),
        "headers": many(_HEADER, 16),
    },
)
_ENDPOINT = {
    "oneOf": [
        closed({"fqdn": closed({"hostname": HOSTNAME, "port": PORT})}),
        closed({"ip": closed({"address": TEXT, "port": PORT})}),
        closed({"unix": closed({"path": {"type": "string", "maxLength": 108}})}),
    ]
}
_OPERATION = closed(
    {"op": one_of("add", "remove", "replace", "move", "copy", "test"), "path": {"type": "string"}},
    {"jsonPath": TEXT, "from": TEXT, "value": ANY},
)
_RESOURCE_TYPE = one_of(
    *(
        f"type.googleapis.com/envoy.{name}"
        for name in (
            "config.listener.v3.Listener",
            "config.route.v3.RouteConfiguration",
            "config.cluster.v3.Cluster",
            "config.endpoint.v3.ClusterLoadAssignment",
            "extensions.transport_sockets.tls.v3.Secret",
        )
    )
)
_DEPLOYMENT = closed(
    {},
    {
        "container": closed({}, {"env": ANY, "volumeMounts": ANY}),
        "pod": closed({}, {"labels": ANY, "annotations": ANY, "securityContext": ANY, "volumes": ANY}),
        "initContainers": ANY,
    },
)

SCHEMAS: dict[str, Json] = {
    "GatewayClass": crd(
        "GatewayClass",
        GATEWAY,
        closed(
            {"controllerName": {"const": "gateway.envoyproxy.io/gatewayclass-controller"}},
            {"parametersRef": closed({"group": TEXT, "kind": TEXT, "name": LABEL, "namespace": LABEL})},
        ),
        namespaced=False,
    ),
    "HTTPRoute": crd(
        "HTTPRoute",
        GATEWAY,
        closed(
            {
                "parentRefs": many(closed({"name": LABEL}, {"group": TEXT, "kind": TEXT, "sectionName": LABEL}), 32),
                "rules": many(
                    closed(
                        {"matches": many(_MATCH), "backendRefs": many(_BACKEND_REF, 16)},
                        {"filters": many(_FILTER, 16), "timeouts": closed({"request": TEXT})},
                    ),
                    16,
                ),
            },
            {"hostnames": many(HOSTNAME, 16)},
        ),
    ),
    "BackendTLSPolicy": crd(
        "BackendTLSPolicy",
        GATEWAY,
        closed(
            {
                "targetRefs": many(_REF, 16),
                "validation": closed({"hostname": HOSTNAME, "wellKnownCACertificates": one_of("System")}),
            }
        ),
    ),
    "Backend": crd(
        "Backend",
        ENVOY,
        closed(
            {"endpoints": many(_ENDPOINT)},
            {"appProtocols": many(one_of(*(f"gateway.envoyproxy.io/{name}" for name in ("h2c", "ws", "wss"))))},
        ),
    ),
    "EnvoyProxy": crd(
        "EnvoyProxy",
        ENVOY,
        closed(
            {
                "bootstrap": closed({"type": {"const": "JSONPatch"}, "jsonPatches": many(_OPERATION)}),
                "provider": closed(
                    {"type": {"const": "Kubernetes"}, "kubernetes": closed({"envoyDeployment": _DEPLOYMENT})}
                ),
            }
        ),
    ),
    "EnvoyPatchPolicy": crd(
        "EnvoyPatchPolicy",
        ENVOY,
        closed(
            {
                "targetRef": _REF,
                "type": {"const": "JSONPatch"},
                "jsonPatches": many(closed({"type": _RESOURCE_TYPE, "name": TEXT, "operation": _OPERATION}), 10_000),
            },
            {"priority": {"type": "integer"}},
        ),
    ),
}
