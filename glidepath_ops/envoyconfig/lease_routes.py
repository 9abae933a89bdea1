"""Renders the condition that makes a split depend on its lease, and the route for the time without it. See ADR 0290."""

from __future__ import annotations

from glidepath import envoy_names, runtime_keys
from glidepath.config.root import Config
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment, without_own_comment
from glidepath_ops.envoyconfig.filters import CAPTURE


def lease_condition(config: Config, name: str) -> Json:
    """Return the entry of a RouteMatch with which the workload's split matches only while it is leased.

    Return {} with ``if_lost: hold``, because the split then needs no lease.
    """
    if config.workload(name).if_lost == "hold":
        return {}
    fraction = {"default_value": {"numerator": 0, "denominator": "HUNDRED"}}
    return {"runtime_fraction": {**fraction, "runtime_key": runtime_keys.lease_key(name)}}


def lost_route(name: str, split: Json) -> Json:
    """Return the route that serves all requests of a workload from the baseline while its split has no lease.

    It is the split's route with a fixed candidate weight of 0. It names no workload and captures nothing, because its
    requests would later be counted as evidence for a share that they did not have.
    """
    action = split["route"]
    weighted = {key: value for key, value in action["weighted_clusters"].items() if key != "runtime_key_prefix"}
    candidate, baseline = weighted["clusters"]
    entries = [{**candidate, "weight": 0}, {**baseline, "weight": runtime_keys.FULL_WEIGHT}]
    return with_comment(
        f"Serves {name} from the baseline while no scorer leases its split (if_lost: baseline).",
        {
            **{key: value for key, value in without_own_comment(split).items() if key != "metadata"},
            "name": envoy_names.lost_route_name(name),
            "match": {key: value for key, value in split["match"].items() if key != "runtime_fraction"},
            "route": {**action, "weighted_clusters": {**weighted, "clusters": entries}},
            "typed_per_filter_config": {
                key: value for key, value in split["typed_per_filter_config"].items() if key != CAPTURE
            },
        },
    )
