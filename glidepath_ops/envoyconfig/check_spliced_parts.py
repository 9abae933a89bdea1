"""Checks only the parts that are inserted into a user's bootstrap against Envoy's API.

The user's own parts are not checked, because they may use extensions that envoy-data-plane does not know. For the same
reason, a copy of a user's route is not checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from glidepath.errors import InputError
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.validation import check_strict
from glidepath_ops.envoyconfig.yaml_insertion import PlainScalar


@dataclass(frozen=True, slots=True)
class SplicedRoute:
    """A route that is inserted, and the user's route that it continues, or None."""

    route: Json
    continues: Json | None = None


@dataclass(frozen=True, slots=True)
class SplicedParts:
    """The inserted parts. ``manager``: fields of an HTTP connection manager. ``root``: fields of the bootstrap."""

    listeners: Sequence[Json]
    clusters: Sequence[Json]
    manager: Json
    root: Json
    routes: Sequence[SplicedRoute] = field(default=())


def check_spliced(parts: SplicedParts, name: str) -> None:
    """Raise InputError if a part that is inserted into the file ``name`` is not in Envoy's API."""
    routes = [_typed(one.route) for one in parts.routes if one.continues is None or _is_known(one.continues)]
    manager = {**parts.manager, **_manager(routes)}
    listener = {"name": "spliced", "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}]}
    resources = {"listeners": [*parts.listeners, listener], "clusters": list(parts.clusters)}
    try:
        check_strict(_typed({**parts.root, "static_resources": resources}))
    except InputError as error:
        raise InputError(f"{name}: was not changed, because what would be inserted is wrong: {error}") from error


def _is_known(users_route: Json) -> bool:
    listener = {"filter_chains": [{"filters": [{"name": "hcm", "typed_config": _manager([_typed(users_route)])}]}]}
    try:
        check_strict({"static_resources": {"listeners": [listener]}})
    except InputError:
        return False
    return True


def _manager(routes: list[Json]) -> Json:
    host = {"name": "spliced", "domains": ["*"], "routes": routes}
    return {"@type": filters.MANAGER_TYPE, "stat_prefix": "spliced", "route_config": {"virtual_hosts": [host]}}


def _typed(value: Any) -> Any:
    """Return data in which each PlainScalar has the type that YAML gives it when the file is read."""
    constructor = SafeConstructor()

    def typed(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: typed(child) for key, child in part.items()}
        if isinstance(part, list | tuple):
            return [typed(child) for child in part]
        if isinstance(part, PlainScalar):
            return constructor.construct_object(yaml.ScalarNode(part.tag, str(part)))
        return part

    return typed(value)
