"""Refuses ``envoy.version`` for a control plane if the configuration for this version would change its settings."""

from __future__ import annotations

from glidepath.config.root import Config
from glidepath.errors import ConfigError
from glidepath_ops.envoyconfig.envoy_versions import CLUSTER_RETRY_POLICY, OLDEST, lacks


def refuse_form_for_old_envoy(config: Config, title: str) -> None:
    """Raise ConfigError if ``envoy.version`` needs a retry policy on the route (ADR 0145).

    The control plane ``title`` sets its own retry policy on its routes, and the baseline's share must keep it.
    """
    if lacks(config.envoy.version, CLUSTER_RETRY_POLICY):
        raise ConfigError(
            f"envoy.version: the form for Envoy {config.envoy.version} sets the retry policy of routes, which {title} "
            f"sets itself; use a release of {title} with Envoy {OLDEST} or newer, and remove envoy.version"
        )
