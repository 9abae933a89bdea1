"""Refuses a user's Envoy bootstrap into which Glidepath cannot be inserted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import yaml

from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.added_route import AddedRoute
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_api_builders import HTTP_OPTIONS
from glidepath_ops.envoyconfig.yaml_insertion import child, items, text_of


def refuse_missing_clusters(static: yaml.Node, config: Config, name: str) -> None:
    """Raise InputError if the file lacks a cluster in ``backends``: Envoy would refuse the shadow listener."""
    known = [text_of(child(cluster, "name")) for cluster in items(child(static, "clusters"))]
    for backend, settings in config.backends.items():
        if settings.cluster is not None and settings.cluster not in known:
            raise InputError(
                f"backends.{backend}.cluster: {name}: has no cluster {settings.cluster} in static_resources (allowed: "
                f"{', '.join(known) or 'none'}); a cluster from CDS comes too late for a listener in this file"
            )


def refuse_filters_of_baseline(static: yaml.Node, config: Config, added: Iterable[AddedRoute], name: str) -> None:
    """Raise InputError for a fallback to a cluster with upstream filters, which Envoy would not run in an aggregate."""
    known = {text_of(child(cluster, "name")): cluster for cluster in items(child(static, "clusters"))}
    for one in added:
        cluster = known.get(config.baseline_cluster(one.workload)) if one.continues else None
        options = child(child(cluster, "typed_extension_protocol_options"), HTTP_OPTIONS)
        if cluster is not None and config.workload(one.workload).fallback and items(child(options, "http_filters")):
            raise InputError(
                f"workloads.{one.workload}: {name}:{cluster.start_mark.line + 1}: the cluster has http_filters, which "
                "Envoy does not run for a request that failed at the candidate: set fallback: false"
            )


def refuse_duplicates(theirs: Sequence[yaml.Node], ours: Sequence[Json], name: str, kind: str, remedy: str) -> None:
    """Raise InputError if the file already has an item of the name of one that is to be inserted."""
    lines = {text_of(child(node, "name")): node.start_mark.line + 1 for node in theirs}
    for one in ours:
        if one["name"] in lines:
            raise InputError(f"{name}:{lines[one['name']]}: the {kind} {one['name']!r} already exists here; {remedy}")
