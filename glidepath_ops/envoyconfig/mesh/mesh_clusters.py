"""Renders Glidepath's clusters for a mesh.

The control plane of the mesh pushes all of them except the RTDS cluster, which is in Envoy's bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.split_leases import serves_rtds
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.commented_yaml import Json, without_comments
from glidepath_ops.envoyconfig.header_rules import RoutedHeader


def pushed_clusters(config: Config, routed: Mapping[str, Mapping[str, RoutedHeader]] | None = None) -> list[Json]:
    """Return the clusters that the control plane pushes. These are all except the RTDS cluster.

    Envoy needs the RTDS cluster at its start, so that cluster is in Envoy's bootstrap. ``routed``: see ``clusters``.
    """
    return [cluster for cluster in clusters(config, routed) if cluster["name"] != envoy_names.RTDS_CLUSTER]


def rtds_cluster(config: Config) -> Json:
    """Return the cluster through which Envoy receives weights from the scorers by RTDS.

    Its address is ``envoy.rtds_address`` or, if this is not set, the headless Service of deploy/kubernetes.
    """
    envoy = config.envoy
    if envoy.rtds_address is None:
        service = f"glidepath-rtds.glidepath.svc.cluster.local:{envoy.rtds_listen.rpartition(':')[2]}"
        config = config.model_copy(update={"envoy": envoy.model_copy(update={"rtds_address": service})})
    found: Json = next(without_comments(one) for one in clusters(config) if one["name"] == envoy_names.RTDS_CLUSTER)
    return found


def uses_rtds(config: Config) -> bool:
    """Return whether Envoy gets runtime layers from the scorers: the weights, or the leases of splits."""
    return serves_rtds(config)
