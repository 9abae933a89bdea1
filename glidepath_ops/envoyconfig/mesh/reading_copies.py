"""Which copies of a user's route a workload needs on Istio and Envoy Gateway, so that its requests are read first.

The user's file gets the copies, in the order of ``copies_of``; each is what the user's route is. The control plane's
Envoy gets conditions on the facts about a request (``request_reading.py``) by patches: a request takes the copy for
reading first, and Envoy then chooses among the others. Without the patches all copies do what the user's route does.
Each copy of the second choice demands that the request was read on a copy of the same original. See ADR 0340.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.config.workload import Workload
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.lease_routes import lease_condition
from glidepath_ops.envoyconfig.path_conditions import clear_path_headers, inference_path_headers
from glidepath_ops.envoyconfig.request_reading import (
    filter_of_reading_route,
    keeps_state,
    kept_from_candidate,
    metadata_of_pinned_route,
    metadata_of_reading_route,
    not_yet_read,
    reads,
    route_is,
    split_conditions,
    stateful_conditions,
    sticky_headers,
    unread_conditions,
)


class CopyKind(IntEnum):
    """What a copy is for. Where workloads share a user's route, all that read come after all others, the rest last."""

    KEPT = 0  # requests that the candidate declares that it cannot serve
    SPLIT = 1
    PINNED = 2  # requests that need or make state, and those that cannot be read
    READER = 3
    REST = 4  # what was read and belongs to no workload, or to one whose split has no lease


@dataclass(frozen=True, slots=True)
class RouteCopy:
    """One copy of a user's route. ``suffix``: of its name. ``conditions``: MetadataMatchers on the facts.

    ``metadata``, ``filters``: the route metadata and the ``typed_per_filter_config`` that it gets; those of the split
    are not among them. The default is the split of a workload whose requests are not read.
    """

    kind: CopyKind = CopyKind.SPLIT
    suffix: str = ""
    conditions: tuple[Json, ...] = ()
    metadata: Json = field(default_factory=dict)
    filters: Json = field(default_factory=dict)

    @property
    def is_read(self) -> bool:
        """Whether the requests of this copy may have been read."""
        return bool(self.conditions) if self.kind is CopyKind.SPLIT else self.kind is not CopyKind.READER


def copies_of(config: Config, name: str, original: str) -> list[RouteCopy]:
    """Return the copies that a workload needs of the user's route ``original``: one, if its requests are not read.

    ``original`` names the route among all routes of the user's, so that workloads which share it are read once.
    """
    if not reads(config, name):
        return [RouteCopy()]
    workload = config.workload(name)

    def after_reading(kind: CopyKind, suffix: str, conditions: Sequence[Json], metadata: Json) -> RouteCopy:
        return RouteCopy(kind, suffix, (route_is(original), *conditions), metadata)

    kept = kept_from_candidate(workload, config.backends[workload.candidate])
    return [
        *(
            after_reading(CopyKind.KEPT, _suffix(why), conditions, metadata_of_pinned_route(name, why))
            for why, conditions in kept
        ),
        after_reading(CopyKind.SPLIT, "", split_conditions(workload), {}),
        *(
            after_reading(CopyKind.PINNED, suffix, conditions, metadata_of_pinned_route(name))
            for suffix, conditions in _pinned(workload)
        ),
        RouteCopy(
            CopyKind.READER,
            _suffix("read"),
            (not_yet_read(),),
            _marked(metadata_of_reading_route(original)["filter_metadata"]),
            filter_of_reading_route(),
        ),
        after_reading(CopyKind.REST, _suffix("rest"), (), _marked({})),
    ]


def copies_of_new_route(config: Config, name: str) -> list[RouteCopy]:
    """Return the copies of a rule that is written for a workload, because the user has no route for it.

    What is not split would have no other route, so the last copy takes all of it, below a prefix also what is no
    inference call.
    """
    found = copies_of(config, name, f"new/{name}")
    if len(found) == 1 and config.workload(name).match.path is not None:
        return found
    rest = RouteCopy(CopyKind.REST, _suffix("rest"), metadata=_marked({}))
    return [*(one for one in found if one.kind is not CopyKind.REST), rest]


def _pinned(workload: Workload) -> Iterator[tuple[str, Sequence[Json]]]:
    if not workload.stateless:
        yield _suffix("state"), stateful_conditions(workload)
    yield _suffix("unread"), unread_conditions()


def _suffix(what: str) -> str:
    """Return the end of a copy's name. A dot is in no name of a workload, so the name is no other workload's."""
    return f".{what.replace('_', '-')}"


def _marked(by_filter: Json) -> Json:
    """Return metadata by which people and tools know that a route is a copy of the user's without the split."""
    return {"filter_metadata": {**by_filter, envoy_names.METADATA: {"copy": "unsplit"}}}


def conditions_of(config: Config, name: str, copy: RouteCopy) -> Json:
    """Return what a copy's RouteMatch gets beside the conditions in the user's file.

    Without a lease no request is read, and the user's own route serves.
    """
    rule = config.workload(name).match
    takes_all = copy.kind is CopyKind.REST and not copy.conditions
    headers = [] if takes_all else [*clear_path_headers(rule), *inference_path_headers(rule)]
    leased = copy.kind in (CopyKind.SPLIT, CopyKind.READER)
    return {
        **({"headers": headers} if headers else {}),
        **({"dynamic_metadata": list(copy.conditions)} if copy.conditions else {}),
        **(lease_condition(config, name) if leased else {}),
    }


def unsplit_settings(config: Config, copy: RouteCopy) -> Json:
    """Return the settings of a copy without the split, beside its conditions."""
    found: Json = {"metadata": copy.metadata}
    if copy.filters:
        found["typed_per_filter_config"] = copy.filters
    if copy.kind is CopyKind.READER:
        found["request_body_buffer_limit"] = config.envoy.max_body
    return found | removed_headers(config, copy)


def removed_headers(config: Config, copy: RouteCopy) -> Json:
    """Return what removes the headers with sticky values, so that no backend gets them."""
    headers = list(sticky_headers(config)) if copy.is_read else []
    return {"request_headers_to_remove": headers} if headers else {}


def refuse_unread(config: Config, name: str, where: str) -> None:
    """Raise InputError if a workload needs the reading on a route of which no copies can be made."""
    key = _needed(config.workload(name))
    if key is not None:
        raise InputError(
            f"workloads.{name}.{key[0]}: {where}: a route that is only named can have no copy, on which its requests "
            f"are read: give its file by --into, or {key[1]}"
        )


def _needed(workload: Workload) -> tuple[str, str] | None:
    """Return the key that needs the reading, and what to write instead; None if the workload can be split unread."""
    if workload.match.model is not None:
        return "match.model", "match on a header with the model's name (match.headers)"
    if workload.sticky is not None and workload.sticky.from_body:
        return "sticky", "use header, cookie or source_ip"
    if keeps_state(workload):
        remedy = "set stateless: true if every client sends store: false and no previous_response_id"
        return ("match.path" if workload.match.path is not None else "match.path_prefix"), remedy
    return None
