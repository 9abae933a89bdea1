"""Decides from a request's headers whether it may be copied, and to which sides (``shadow.opt_out``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glidepath.config.shadow_traffic import OptOut
from glidepath.sides import Side


def is_kept_out(rules: Sequence[OptOut], headers: Mapping[str, str]) -> bool:
    """Return whether no part of a request may be copied or stored. The names in ``headers`` are in lower case."""
    return bool(rules) and any(rule.to is None and _applies(rule, headers) for rule in rules)


def sides_kept_out(rules: Sequence[OptOut], headers: Mapping[str, str]) -> frozenset[Side]:
    """Return the sides that must not get a copy of a request."""
    return frozenset(Side(rule.to) for rule in rules if rule.to is not None and _applies(rule, headers))


def _applies(rule: OptOut, headers: Mapping[str, str]) -> bool:
    """Return whether a rule applies. If the header has several values, one matching value is enough."""
    value = headers.get(rule.header)
    if value is None or not rule.values:
        return value is not None
    return value in rule.values or any(one.strip() in rule.values for one in value.split(","))
