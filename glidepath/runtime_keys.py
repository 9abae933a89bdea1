"""The names of a workload's runtime keys in Envoy: weights, share of copies, autopilot and lease of the split."""

from __future__ import annotations

RETREAT = ".retreat"  # the suffix of a key that explains weights which are not stored yet
FULL_WEIGHT = 10_000  # basis points: the sum of a workload's weights


def weight_prefix(workload: str) -> str:
    """Return the ``runtime_key_prefix`` of the workload's weighted clusters. Envoy appends ``.<cluster>`` to it."""
    return f"glidepath.{workload}.weight"


def weight_key(workload: str, cluster: str) -> str:
    return f"{weight_prefix(workload)}.{cluster}"


def shadow_key(workload: str) -> str:
    """Return the runtime key of the share of requests that are captured and copied, in percent (0 to 100)."""
    return f"glidepath.{workload}.shadow"


# The share of the inference calls outside of workloads whose bodies extproc reads for the inventory, in percent.
INVENTORY_SAMPLE = "glidepath.inventory.sample"


def autopilot_key(workload: str) -> str:
    """Return the runtime key of the autopilot, the workload's automation.

    A person switches the autopilot off by setting the key to 0 at an Envoy. It is on if the key is 1 or absent.
    """
    return f"glidepath.{workload}.autopilot"


def lease_key(workload: str) -> str:
    """Return the runtime key of the share of requests, in percent, for which the workload's split is in force.

    The leading scorer leases 100 to Envoy for a few seconds at a time (``split_leases``). Without a lease the key is
    absent, which means 0.
    """
    return f"glidepath.{workload}.lease"


def retreat_key(workload: str) -> str:
    """Return the runtime key for a retreat: weights that Envoy gets before Redis stores them.

    Its value is the time (Unix ms), a space, and the reason. No route reads this key. It is for people, and for the
    next leader, which adopts the lower share. The key is removed when the share is stored.
    """
    return f"glidepath.{workload}{RETREAT}"
