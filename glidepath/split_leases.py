"""The leases of splits: the runtime layers of Envoy that carry them, and the duration of each lease.

A workload with ``if_lost: baseline`` has its split only while the leader leases it to Envoy. The lease is a runtime key
in a layer that Envoy gets by RTDS with a time to live. If no scorer renews it, Envoy itself drops the layer. Workloads
with the same ``lost_after`` share a layer. The layer for drills is empty, except during a drill of a lost lease.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glidepath import envoy_names

if TYPE_CHECKING:
    from glidepath.config.root import Config  # the configuration's own checks import this module

RENEWALS = 5  # during one time to live of a lease
LONGEST_RENEWAL_S = 1.0
RECONNECT_S = 2.0  # Envoy's longest time to find a new leader: its health check, and its pause before a retry
TAKEOVER = 1.25  # another scorer takes over from a dead one after this multiple of ``scorer.lease``


@dataclass(frozen=True, slots=True)
class LeaseLayer:
    """A runtime layer with the leases of some workloads' splits. Envoy drops it ``ttl_s`` after the last renewal."""

    name: str
    ttl_s: float
    workloads: tuple[str, ...]

    @property
    def renew_s(self) -> float:
        """The time between two renewals, in seconds."""
        return min(self.ttl_s / RENEWALS, LONGEST_RENEWAL_S)


def leased_workloads(config: Config) -> tuple[str, ...]:
    return tuple(name for name, workload in config.workloads.items() if workload.if_lost == "baseline")


def lease_layers(config: Config) -> tuple[LeaseLayer, ...]:
    """Return the layers with the leases of all splits, the longest leases first, without the layer for drills."""
    by_time: dict[float, list[str]] = {}
    for name in leased_workloads(config):
        by_time.setdefault(config.workloads[name].lost_after, []).append(name)
    return tuple(LeaseLayer(layer_name(ttl), ttl, tuple(names)) for ttl, names in sorted(by_time.items(), reverse=True))


def layer_name(ttl_s: float) -> str:
    return f"{envoy_names.LEASE_LAYER}-{ttl_s:g}s"


def serves_rtds(config: Config) -> bool:
    """Return whether the leader serves RTDS, for the weights or for the leases of splits.

    Without workloads, the leader does not serve RTDS.
    """
    return bool(config.workloads) and (config.envoy.actuator == "rtds" or bool(leased_workloads(config)))


def shortest_lost_after(scorer_lease_s: float) -> float:
    """Return the shortest ``lost_after``, in seconds, with which no split loses its lease when the leader changes.

    ``scorer_lease_s``: the duration of the leader's own lease (``scorer.lease``).
    """
    return scorer_lease_s * TAKEOVER + RECONNECT_S


def parse_lease(text: str) -> bool:
    """Return whether a lease with this runtime value lets at least some requests reach the split."""
    try:
        return float(text) > 0
    except ValueError:
        return bool(text)  # a FractionalPercent that a person set
