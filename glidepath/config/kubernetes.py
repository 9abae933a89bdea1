"""The ``kubernetes`` section, and the ``actuator`` of a workload: weights of an HTTPRoute of the Gateway API."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from glidepath.config.section import Section
from glidepath.config.units import Duration
from glidepath.config.urls_and_secrets import BaseUrl, split_url

# RFC 1123, as Kubernetes demands: of namespaces, and of objects.
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class BackendReference(Section):
    """A backendRef in the rule of an HTTPRoute: a Service, or another kind of object. Its weight is read and set."""

    name: ObjectName
    kind: str = Field(default="Service", pattern=r"^[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?$", max_length=63)
    group: str = Field(default="", pattern=r"^$|^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)  # of kind
    namespace: Namespace | None = None  # absent: that of the HTTPRoute
    port: int | None = Field(default=None, ge=1, le=65535)  # needed only if two backendRefs differ only in the port


class HttpRouteSection(Section):
    """The rule of an HTTPRoute whose two backendRefs are the workload's baseline and candidate.

    Their weights are the split. ``rule`` is the name of the rule, or its number, counted from 0.
    """

    kind: Literal["httproute"] = "httproute"
    namespace: Namespace
    name: ObjectName
    rule: Annotated[int, Field(ge=0, le=15)] | ObjectName = 0
    baseline: BackendReference
    candidate: BackendReference

    @model_validator(mode="after")
    def _two(self) -> HttpRouteSection:
        if self.baseline == self.candidate:
            raise ValueError("baseline and candidate name the same backendRef")
        return self

    @property
    def place(self) -> str:
        """The rule as text: NAMESPACE/NAME/RULE, where NAME is that of the HTTPRoute."""
        return f"{self.namespace}/{self.name}/{self.rule}"


class KubernetesSection(Section):
    """The Kubernetes API server, for workloads with an ``actuator``. In a pod, the defaults are right.

    ``api`` is the server's URL. The default is the API server of the cluster in which the scorer runs. A URL with
    http:// is meant for `kubectl proxy`. It is allowed only for loopback addresses, and the token is not sent there.
    """

    api: BaseUrl | None = None
    token_file: str = f"{_ACCOUNT}/token"  # read again when it changes
    ca_file: str = f"{_ACCOUNT}/ca.crt"
    timeout: Duration = Field(default=3, ge=0.2, le=60)  # for one request
    poll: Duration = Field(default=1, ge=0.1, le=60)  # time between two readings of an HTTPRoute

    @field_validator("api")
    @classmethod
    def _encrypted(cls, value: str | None) -> str | None:
        parts = split_url(value or "")
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise ValueError("must be https://, or http:// with a loopback address (kubectl proxy)")
        return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
