"""The ``inventory`` section: how all traffic of Envoy is counted, including requests that no workload matches."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from glidepath.config.backends import HEADER_NAME
from glidepath.config.section import Section, one_or_many
from glidepath.config.units import Duration, Percent
from glidepath.config.urls_and_secrets import Secret
from glidepath.envoy_names import CREDENTIAL_HEADERS

Patterns = Annotated[tuple[str, ...], BeforeValidator(one_or_many)]


class KindsSection(Section):
    """The calls that come from batch jobs, from internal tools, and from customers.

    Other calls are classified by a guess.

    A pattern, such as ``x-team=etl-*`` or ``/v1/embeddings``, is compared with three texts: the caller as `glidepath
    inventory` shows it, the path, and the model. ``*`` stands for any text.
    """

    batch: Patterns = ()
    internal: Patterns = ()
    customer: Patterns = ()


class InventorySection(Section):
    """The traffic that `glidepath inventory` counts.

    With this section, Envoy reports all its requests, even without any workload.

    Only counts are stored, no bodies and no credentials. A caller is the value of one of the headers ``callers``.
    Without such a header, it is a fingerprint of the credential: a digest with a key that only Redis or the
    configuration has.
    """

    sample: Percent = 100  # inference calls without a workload: the percentage whose bodies are read
    callers: Patterns = ()  # request headers that may name the caller, such as x-team; the first one present counts
    fingerprint: bool = True  # whether callers without such a header are distinguished by their credential
    fingerprint_key: Secret | None = None  # key of the fingerprints; absent: a random one in Redis
    paths: Patterns = ()  # further paths of inference calls, besides the well-known ones
    groups: int = Field(default=500, ge=10, le=5000)  # maximum groups of an hour or a day; others are counted together
    keep: Duration = Field(default=35 * 86400, ge=86400, le=400 * 86400)  # how long the counts of days are kept
    kinds: KindsSection = KindsSection()

    @field_validator("callers")
    @classmethod
    def _no_credentials(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header")
            if name.lower() in CREDENTIAL_HEADERS:
                raise ValueError(f"{name!r} carries a credential; fingerprint: true tells callers apart by it")
        return tuple(name.lower() for name in value)

    @field_validator("paths")
    @classmethod
    def _paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            if not re.fullmatch(r"/[!-~]*", path) or "?" in path:
                raise ValueError(f"{path!r} is not a path (it begins with / and has no spaces and no query)")
        return value
