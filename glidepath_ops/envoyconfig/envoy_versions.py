"""The features that Glidepath's configuration needs and older versions of Envoy lack.

``tests/integration/envoy_versions`` compares this list with real Envoys of every version (``make
test-envoy-versions``).
"""

from __future__ import annotations

from dataclasses import dataclass

OLDEST, NEWEST = "1.37", "1.40"  # the minor versions of Envoy that accept rendered configuration
OLDEST_BY_SETTING = "1.36"  # accepts configuration that is rendered with `envoy.version` set to it


@dataclass(frozen=True, slots=True)
class MissingFeature:
    """A feature of Envoy that rendered configuration uses and an older version lacks.

    ``name``: the extension or the field.
    ``since``: the first minor version that has it.
    ``used_by``: the setting that needs it, or "" if every rendered configuration needs it.
    ``remedy``: what to do instead.
    """

    name: str
    since: str
    used_by: str
    remedy: str


FILE_CONTENT = MissingFeature(
    name="envoy.formatter.file_content",
    since="1.38",
    used_by="backends.*.credential.file",
    remedy="give the credential by env",
)
CLUSTER_RETRY_POLICY = MissingFeature(
    name="envoy.extensions.upstreams.http.v3.HttpProtocolOptions.retry_policy",
    since="1.37",
    used_by="workloads.*.fallback",
    remedy="set envoy.version, use Envoy 1.37 or later, or set fallback: false",
)
TAG_VALUE = MissingFeature(
    name="envoy.type.tracing.v3.CustomTag.value",
    since="1.37",
    used_by="",
    remedy="set envoy.version, or use Envoy 1.37 or later",
)
FEATURES = (FILE_CONTENT, CLUSTER_RETRY_POLICY, TAG_VALUE)


def missing_features(version: str) -> tuple[MissingFeature, ...]:
    """Return the features of rendered configuration that an Envoy of ``version`` (such as "1.37" or "1.37.0") lacks."""
    return tuple(feature for feature in FEATURES if minor_version(version) < minor_version(feature.since))


def lacks(version: str | None, feature: MissingFeature) -> bool:
    """Return whether the Envoy version ``version`` (``envoy.version``) lacks ``feature``. None: the installed Envoy."""
    return version is not None and feature in missing_features(version)


def minor_version(version: str) -> tuple[int, int]:
    """Return a version such as "1.37" or "1.37.0" as two numbers that can be compared."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
