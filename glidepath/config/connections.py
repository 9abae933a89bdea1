"""The ``envoy`` and ``redis`` sections: the servers that Glidepath connects to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glidepath.config.section import Name, Section, one_or_many
from glidepath.config.units import Address, Size
from glidepath.config.urls_and_secrets import AdminUrl, Secret, split_url

EnvoyVersion = Literal["1.36", "1.37", "1.38", "1.39", "1.40"]


class EnvoySection(Section):
    """Addresses and limits of Envoy.

    ``admin`` lists the admin APIs of running Envoys: a URL, unix:/path, or dns://NAME:PORT for all replicas. Without
    ``admin``, `glidepath up` starts an Envoy.
    """

    admin: Annotated[tuple[AdminUrl, ...], BeforeValidator(one_or_many)] = ()
    listen: Address = "127.0.0.1:10000"  # for clients
    shadow_listen: Address = "127.0.0.1:10901"  # for copies and probes; `up` without it: a socket in its data folder
    actuator: Literal["admin", "rtds"] = "admin"  # how weights are sent to Envoy
    rtds_listen: Address = "127.0.0.1:18010"  # address at which the leading scorer serves RTDS
    rtds_address: Address | None = None  # where Envoy connects for RTDS (one name for all scorers); absent: rtds_listen
    max_body: Size = Field(default=32 * 2**20, ge=2**16, le=2**30)  # Envoy's request_body_buffer_limit
    served_by: bool = False  # answers of workloads have the header x-glidepath-served-by, with the backend's name
    max_header_bytes: Size = Field(default=512 * 2**10, ge=8 * 2**10, le=8 * 2**20)  # size of a message's headers
    max_headers: int = Field(default=1000, ge=100, le=100_000)  # number of a message's headers
    concurrency: int | None = Field(default=None, ge=1, le=256)  # worker threads of the Envoy that `up` starts
    version: EnvoyVersion | None = None  # the oldest Envoy that must accept the rendered configuration; absent: 1.37
    default_backend: Name | None = None  # serves requests that match no workload; absent: they get a 404


class RedisSection(Section):
    """The connection to Redis. ``url`` is the URL of a running server (redis://, rediss://, unix://).

    Without ``url``, `glidepath up` starts a Redis.
    """

    url: str | None = None
    cluster: bool = False
    password: Secret | None = None

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: str | None) -> str | None:
        if value is not None and split_url(value).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _a_cluster_has_one_database(self) -> RedisSection:
        if self.cluster and self.url is not None:
            parts = split_url(self.url)
            if parts.scheme == "unix" or parts.path.strip("/") not in ("", "0"):
                raise ValueError(
                    "with cluster: true, url must be redis:// or rediss:// and must not name a database other than 0"
                )
        return self
