"""Defines the copies of a user's route that a workload needs on Istio and Envoy Gateway: for its split and for reading.

``copies_of`` lists the copies. In the user's file, each copy equals the user's route. Patches then add conditions on
the facts about a request (``request_reading.py``) to the generated Envoy routes. A request takes the copy for reading
first. Envoy then chooses among the other copies. Without the patches, all copies have the same effect as the user's
route. Each copy for the second choice requires that the request was read on a copy of the same original. See ADR 0340.

With a sticky header there are two copies for the split, because Envoy would hash an empty value. The first takes the
requests with a value. The second takes all others and splits them at random. See ADR 0460.

If the candidate has another time limit for answers that are not streamed, each copy for the split exists twice: once
for requests for streams, and once for all other requests. See ADR 0492.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.config.sticky_values import Sticky
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
    streamed,
    unread_conditions,
)
from glidepath_ops.envoyconfig.sticky_hash_policy import headers_from_bodies


class CopyKind(IntEnum):
    """The purpose of a copy. The values give the order of the copies of one route, for all its workloads."""

    KEPT = 0  # requests that the candidate declares it cannot serve
    SPLIT = 1
    RANDOM = 2  # the split of requests without a value in the sticky header
    WHOLE = 3  # the split of requests for answers that are not streamed; SPLIT then has those for streams
    WHOLE_RANDOM = 4  # both of the above
    PINNED = 5  # requests that need or make state, and those that cannot be read
    READER = 6
    REST = 7  # requests that were read and belong to no workload, or to one whose split has no lease


@dataclass(frozen=True, slots=True)
class RouteCopy:
    """One copy of a user's route. The default is the split of a workload whose requests Envoy does not read.

    ``suffix``: the end of its name.
    ``conditions``: MetadataMatchers on the facts about a request.
    ``metadata``, ``filters``: the added route metadata and ``typed_per_filter_config``, without those of the split.
    ``headers``: HeaderMatchers, as more conditions.
    ``limit``: the candidate's limit for the first byte in seconds; None: ``first_byte_timeout``.
    """

    kind: CopyKind = CopyKind.SPLIT
    suffix: str = ""
    conditions: tuple[Json, ...] = ()
    metadata: Json = field(default_factory=dict)
    filters: Json = field(default_factory=dict)
    headers: tuple[Json, ...] = ()
    limit: float | None = None

    @property
    def is_read(self) -> bool:
        """Whether Envoy may have read requests on this copy before it chose the copy."""
        return bool(self.conditions) if self.splits else self.kind is not CopyKind.READER

    @property
    def splits(self) -> bool:
        return CopyKind.SPLIT <= self.kind <= CopyKind.WHOLE_RANDOM

    @property
    def at_random(self) -> bool:
        """Whether the copy splits requests without a value in the sticky header."""
        return self.kind in (CopyKind.RANDOM, CopyKind.WHOLE_RANDOM)


def copies_of(config: Config, name: str, original: str, ends_after: float = 0) -> list[RouteCopy]:
    """Return the copies of the user's route ``original`` that a workload needs.

    If Envoy does not read the workload's requests, one copy is enough, or two copies with a sticky header.

    ``original``: the name of the route. It must be unique among all routes of the user, because Envoy reads a request
    only once for all workloads that share the route. ``ends_after``: the route's time limit for a whole answer, in
    seconds; 0: none.
    """
    workload = config.workload(name)
    if not reads(config, name):
        return _splits(workload, ())

    def after_reading(kind: CopyKind, suffix: str, conditions: Sequence[Json], metadata: Json) -> RouteCopy:
        return RouteCopy(kind, suffix, (route_is(original), *conditions), metadata)

    kept = kept_from_candidate(workload, config.backends[workload.candidate])
    return [
        *(
            after_reading(CopyKind.KEPT, _suffix(why), conditions, metadata_of_pinned_route(name, why))
            for why, conditions in kept
        ),
        *_splits_by_limit(config, workload, (route_is(original), *split_conditions(workload)), ends_after),
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


def _splits(workload: Workload, conditions: tuple[Json, ...]) -> list[RouteCopy]:
    """Return the copy for the split, or two with a sticky header."""
    sticky = workload.declared_sticky
    if sticky is None or sticky.header is None:
        return [RouteCopy(conditions=conditions)]
    empty: Json = {"name": sticky.header.lower(), "string_match": {"exact": ""}}
    return [
        RouteCopy(conditions=conditions, headers=({**empty, "invert_match": True},)),  # not met without the header
        RouteCopy(
            CopyKind.RANDOM,
            _suffix("random"),
            conditions,
            headers=({**empty, "treat_missing_header_as_empty": True},),
        ),
    ]


def _splits_by_limit(
    config: Config, workload: Workload, conditions: tuple[Json, ...], ends_after: float
) -> list[RouteCopy]:
    """Return the route copies that split requests which Envoy has read.

    If the candidate's time limits for streams and for whole answers differ, there are two copies of each: one for
    streams and one for whole answers. Without ``fallback``, these limits have no effect, so one copy is enough. One
    copy is also enough if the user's route ends an answer after ``ends_after`` seconds (0: never), before the limit of
    whole answers. The limit of streams then applies to all answers, because the longer limit would leave no time for
    the baseline.
    """
    candidate = config.backends[workload.candidate]
    whole = candidate.whole_answer_timeout(is_read=True)
    one_limit = not workload.fallback or whole == candidate.first_byte_timeout or 0 < ends_after <= whole
    if one_limit:
        return _splits(workload, conditions)
    names = {
        CopyKind.SPLIT: (CopyKind.WHOLE, _suffix("whole")),
        CopyKind.RANDOM: (CopyKind.WHOLE_RANDOM, _suffix("whole-random")),
    }
    return [
        *_splits(workload, (*conditions, streamed())),
        *(
            replace(one, kind=names[one.kind][0], suffix=names[one.kind][1], limit=whole)
            for one in _splits(workload, conditions)
        ),
    ]


def without_random(copies: Sequence[RouteCopy]) -> list[RouteCopy]:
    """Return the copies for a route that cannot get a second split: its only split hashes an empty header too."""
    return [replace(one, headers=()) for one in copies if one.kind is not CopyKind.RANDOM]


def copies_of_new_route(config: Config, name: str) -> list[RouteCopy]:
    """Return the copies of a new rule for a workload, because the user has no route for it.

    The last copy serves all requests that are not split, because no other route would serve them. Below a prefix, this
    includes calls that are not inference.
    """
    found = copies_of(config, name, f"new/{name}")
    if not reads(config, name) and config.workload(name).match.path is not None:
        return found
    rest = RouteCopy(CopyKind.REST, _suffix("rest"), metadata=_marked({}))
    return [*(one for one in found if one.kind is not CopyKind.REST), rest]


def _pinned(workload: Workload) -> Iterator[tuple[str, Sequence[Json]]]:
    if not workload.stateless:
        yield _suffix("state"), stateful_conditions(workload)
    yield _suffix("unread"), unread_conditions()


def _suffix(what: str) -> str:
    """Return the end of a copy's name. It contains a dot, which no workload's name has, so names cannot collide."""
    return f".{what.replace('_', '-')}"


def _marked(by_filter: Json) -> Json:
    """Return metadata that mark a route, for people and tools, as a copy of the user's route without the split."""
    return {"filter_metadata": {**by_filter, envoy_names.METADATA: {"copy": "unsplit"}}}


def conditions_of(config: Config, name: str, copy: RouteCopy) -> Json:
    """Return the conditions that a copy's RouteMatch gets in addition to those in the user's file.

    While the split has no lease, Envoy reads no request, and the user's own route serves all requests.
    """
    rule = config.workload(name).match
    takes_all = copy.kind is CopyKind.REST and not copy.conditions
    paths = [] if takes_all else [*clear_path_headers(rule), *inference_path_headers(rule)]
    headers = [*paths, *copy.headers]
    leased = copy.splits or copy.kind is CopyKind.READER
    return {
        **({"headers": headers} if headers else {}),
        **({"dynamic_metadata": list(copy.conditions)} if copy.conditions else {}),
        **(lease_condition(config, name) if leased else {}),
    }


def sticky_of(config: Config, name: str, copy: RouteCopy) -> Sticky | None:
    """Return the sticky value of a copy with the split, or None if the copy assigns each request at random."""
    if copy.at_random:
        return None
    workload = config.workload(name)
    return workload.assignment if copy.is_read else workload.declared_sticky


def unsplit_settings(config: Config, copy: RouteCopy) -> Json:
    """Return the settings of a copy without the split, except its conditions."""
    found: Json = {"metadata": copy.metadata}
    if copy.filters:
        found["typed_per_filter_config"] = copy.filters
    if copy.kind is CopyKind.READER:
        found["request_body_buffer_limit"] = config.envoy.max_body
    return found | removed_headers(config, copy)


def removed_headers(config: Config, copy: RouteCopy) -> Json:
    """Return the settings that remove the headers with sticky values, so that no backend gets them."""
    headers = list(headers_from_bodies(config)) if copy.is_read else []
    return {"request_headers_to_remove": headers} if headers else {}


def refuse_unread(config: Config, name: str, where: str) -> None:
    """Raise InputError if Envoy must read a workload's requests but no copies of its route can be made."""
    key = _needed(config.workload(name))
    if key is not None:
        raise InputError(
            f"workloads.{name}.{key[0]}: {where}: a route that is given only by name has no copy on which requests can "
            f"be read: give its file with --into, or {key[1]}"
        )


def _needed(workload: Workload) -> tuple[str, str] | None:
    """Return the key that makes reading necessary, and how to avoid it; None if the split needs no reading."""
    if workload.match.model is not None:
        return "match.model", "match on a header with the model's name (match.headers)"
    if workload.sticky is not None and workload.sticky.from_body:
        return "sticky", "use header, cookie or source_ip"
    if keeps_state(workload):
        remedy = (
            "set stateless: true if every client sends store: false and no previous_response_id (Ollama: no context; "
            "Cohere: no conversation_id)"
        )
        return ("match.path" if workload.match.path is not None else "match.path_prefix"), remedy
    return None
