"""Completes the user's VirtualServices (``glidepath render istio --into``).

For a workload, the user's HTTP route is continued by a copy: one more HTTP route directly before it, with narrower
conditions and all other settings of the user's route (CORS, faults, header rules, timeouts, retries, mirrors,
destination). By itself the copy has the same effect as the user's route. An EnvoyFilter finds the copy by its name and
turns the copy's destination into the split. No other byte of the file changes (``yaml_insertion``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import yaml

from glidepath.config.request_match import Match
from glidepath.config.root import Config
from glidepath.errors import ConfigError, InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.continued_routes import (
    headers_at_route,
    refuse_short_timeout,
    refuse_unknown_header_rules,
)
from glidepath_ops.envoyconfig.header_rules import RoutedHeader
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import CopyKind, RouteCopy, copies_of, refuse_unread
from glidepath_ops.envoyconfig.mesh.kubernetes_yaml import kubernetes_objects
from glidepath_ops.envoyconfig.mesh.shadow_route_rewrites import of_virtual_service
from glidepath_ops.envoyconfig.mesh.users_istio_objects import Document, hashed_by_the_user, refuse_patches_by_name
from glidepath_ops.envoyconfig.mesh.virtual_service_matches import NarrowMatch, covers, narrowed
from glidepath_ops.envoyconfig.mesh.virtual_service_route_settings import ends_after, header_rules
from glidepath_ops.envoyconfig.route_conditions import by_specificity
from glidepath_ops.envoyconfig.yaml_insertion import Insertion, child, insert, items, remove, verbatim

_T = TypeVar("_T")
_BY_HAND = (
    "whose routes Istio renames; continue it by hand, and give --route without --into, with fallback: false in the "
    "workload"
)
_ACTIONS = {
    "delegate": f"delegates to a VirtualService without hosts, {_BY_HAND}",
    "redirect": "redirects, so there is no backend to split: narrow the workload's match to the routes that serve it",
    "directResponse": "answers by itself, so there is no backend to split: narrow the workload's match",
}
_WITHOUT_BACKEND = ("redirect", "directResponse")  # such a route stays before the copies, as it is


@dataclass(frozen=True, slots=True)
class RouteChoice:
    """The VirtualService that ``--route`` names. ``route``: the HTTP route in the VirtualService, or None."""

    namespace: str
    name: str
    route: str | None = None

    def admits(self, service: Json) -> bool:
        metadata = service.get("metadata", {})
        return bool(metadata.get("name") == self.name and metadata.get("namespace", self.namespace) == self.namespace)


@dataclass(frozen=True, slots=True)
class SplitRoute:
    """A route that an EnvoyFilter patches for a workload: the route with the split, or one that helps to read requests.

    ``name``: its name in Envoy.
    ``operation``: the operation name of the original route, for traces and the header x-envoy-decorator-operation; None
    if the route keeps its own.
    ``copy``: the purpose of the route.
    """

    workload: str
    name: str
    operation: str | None = None
    copy: RouteCopy = field(default_factory=RouteCopy)


@dataclass(frozen=True, slots=True)
class ContinuedRoutes:
    """The routes to split.

    ``text``: the completed file, or None if there is none.
    ``resources``: VirtualServices to apply together with the EnvoyFilter.
    ``routed``: by aggregate cluster, the effect of the user's header rules on headers that the candidate changes.
    ``for_copies``: by workload, the effect of its last route on requests (``part_for_copies``), once for each match.
    """

    routes: Sequence[SplitRoute]
    text: str | None = None
    resources: Sequence[Json] = ()
    routed: Mapping[str, Mapping[str, RoutedHeader]] = field(default_factory=dict)
    for_copies: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    hashed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Added:
    """A copy that is inserted into the list ``routes`` before the user's route with the index ``before``."""

    routes: yaml.Node
    before: int
    kind: CopyKind
    entry: Json


def complete_virtual_services(
    text: str, config: Config, file: str, choice: RouteChoice | None = None
) -> ContinuedRoutes:
    """Return the YAML ``text`` of ``file`` with a copy of each HTTP route that serves requests of a workload.

    Copies from an earlier call are replaced. Raises InputError and ConfigError, with the place in the file, if a route
    cannot be continued.
    """
    base = remove(text)
    documents = [Document(one.node, verbatim(one.node), file) for one in kubernetes_objects(base, file)]
    services = [one for one in documents if one.data.get("kind") == "VirtualService"]
    chosen = [one for one in services if choice is None or choice.admits(one.data)]
    if not chosen:
        wanted = f" {choice.namespace}/{choice.name}" if choice else ""
        raise InputError(f"{file}: has no VirtualService{wanted}")
    added: list[_Added] = []
    routes: list[SplitRoute] = []
    routed: dict[str, Mapping[str, RoutedHeader]] = {}
    for_copies: dict[str, Sequence[Json]] = {}
    continued_names: set[str] = set()
    for workload in by_specificity(config):
        naming = CopyNames(config, workload)
        only = choice.route if choice else None
        found = [one for service in chosen for one in _continued(service, naming, only)]
        if not found:
            raise InputError(
                f"workloads.{workload}: no HTTP route of {file} serves its requests (POST "
                f"{_path(config.workloads[workload].match)}); give --into the VirtualService that does"
            )
        added += found
        routes += naming.routes
        for_copies[workload] = naming.for_copies
        continued_names |= naming.continued
        for headers in naming.headers:
            _refuse_other_rules(routed.setdefault(config.candidate_cluster(workload), headers), headers, workload, file)
    hashed = hashed_by_the_user(documents, config, file)
    refuse_patches_by_name(documents, continued_names, file)
    text = insert(base, _insertions(added), file)
    return ContinuedRoutes(routes, text, routed=routed, for_copies=for_copies, hashed=hashed)


def _insertions(added: Sequence[_Added]) -> list[Insertion]:
    """Return the insertions before each of the user's routes.

    If requests of several workloads are read on one route, all splits come before the first reader.
    """
    places: dict[tuple[int, int], list[_Added]] = {}
    for one in added:
        places.setdefault((id(one.routes), one.before), []).append(one)
    return [
        Insertion(found[0].routes, [one.entry for one in in_order(found, lambda one: one.kind)], at=found[0].before)
        for found in places.values()
    ]


def in_order(copies: Sequence[_T], kind: Callable[[_T], CopyKind]) -> list[_T]:
    """Return the copies of one route for all workloads, sorted by ``CopyKind``."""
    return sorted(copies, key=lambda one: max(kind(one), CopyKind.PINNED))


class CopyNames:
    """Names the copies for one workload. A patch finds a copy by its name.

    Copies share a name if they have the same operation and, if requests are read, the same original.
    """

    def __init__(self, config: Config, workload: str) -> None:
        self.config, self.workload = config, workload
        self.rule = config.workloads[workload].match
        self.routes: list[SplitRoute] = []
        self._named: list[tuple[str, Sequence[RouteCopy], str]] = []
        self.continued: set[str] = set()  # names of the user's routes
        self.headers: list[Mapping[str, RoutedHeader]] = []  # of each route that is continued
        self.for_copies: list[Json] = []  # of the route that is continued last

    def copies(self, uri: Json, original: str, ends_after: float = 0) -> list[tuple[str, RouteCopy]]:
        """Return the copies of a user's route for the path condition ``uri``, each with its name.

        ``original``, ``ends_after``: see ``copies_of``.
        """
        operation = _operation(self.config.baseline_cluster(self.workload), uri)
        copies = copies_of(self.config, self.workload, original, ends_after)
        first = self._name(operation, copies)
        return [(first + copy.suffix, copy) for copy in copies]

    def _name(self, operation: str, copies: Sequence[RouteCopy]) -> str:
        same = next((name for known, of, name in self._named if (known, of) == (operation, copies)), None)
        if same is not None:
            return same
        number = len(self._named) + 1
        name = f"glidepath-{self.workload}" + (f"-{number}" if number > 1 else "")
        self._named.append((operation, copies, name))
        self.routes += [SplitRoute(self.workload, name + copy.suffix, operation, copy) for copy in copies]
        return name


def _operation(cluster: str, uri: Json) -> str:
    """Return the name that Istio gives to the operation of a route (``GetRouteOperation``)."""
    _, port, _, host = cluster.split("|")
    if "exact" in uri:
        return f"{host}:{port}{uri['exact']}"
    return f"{host}:{port}{uri['regex']}" if "regex" in uri else f"{host}:{port}{uri.get('prefix', '/')}*"


def _path(rule: Match) -> str:
    return rule.path or f"{rule.path_prefix}*"


def _continued(service: Document, naming: CopyNames, only: str | None) -> Iterator[_Added]:
    """Yield copies of the VirtualService's routes that serve requests of the workload, in the order of the routes."""
    routes = child(child(service.node, "spec"), "http")
    if routes is None:
        return
    for index, node in enumerate(items(routes)):
        entry: Json = verbatim(node)
        place = f"{service.file}:{node.start_mark.line + 1}"
        matches: list[Json] = entry.get("match") or [{}]
        narrow = [(match, one) for match in matches for one in narrowed(match, naming.rule, place)]
        takes_all = any(covers(match, naming.rule, place) for match in matches)
        answers_some = not takes_all and any(key in entry for key in _WITHOUT_BACKEND)
        if narrow and only in (None, entry.get("name")) and not answers_some:
            _check(entry, service, naming.config, naming.workload, place)
            naming.continued.add(str(entry.get("name", "")))
            rules = header_rules(entry)
            naming.headers.append(headers_at_route(naming.config, naming.workload, [rules], place))
            copies = _copies(entry, narrow, naming, f"{service.name}/{index}")
            splits = [copy for kind, copy in copies if kind is CopyKind.SPLIT]
            naming.for_copies = [part for copy in splits for part in of_virtual_service(copy, rules)]
            yield from (_Added(routes, index, kind, copy) for kind, copy in copies)
        if takes_all:
            return


def _copies(
    entry: Json, narrow: Sequence[tuple[Json, NarrowMatch]], naming: CopyNames, original: str
) -> list[tuple[CopyKind, Json]]:
    """Return the copies of a route: one for each kind, name and path rewrite.

    A rewrite replaces the part of the path that the match covers. The copy's match covers more of the path, so its
    rewrite must contain the additional part.
    """
    rewrite = entry.get("rewrite", {}).get("uri")
    groups: dict[tuple[CopyKind, str, str | None], list[Json]] = {}
    for match, one in narrow:
        target = None if rewrite is None else rewrite + one.replaced
        for name, copy in naming.copies(match.get("uri", {}), original, ends_after(entry)):
            groups.setdefault((copy.kind, name, target), []).append(one.conditions)
    ordered = sorted(groups.items(), key=lambda group: group[0][0])
    return [(kind, _copy(entry, name, matches, target)) for (kind, name, target), matches in ordered]


def _copy(entry: Json, name: str, matches: list[Json], rewrite: str | None) -> Json:
    rest = {key: value for key, value in entry.items() if key not in ("name", "match")}
    if rewrite is not None:
        rest["rewrite"] = {**rest["rewrite"], "uri": rewrite}
    return {"name": name, "match": matches, **rest}


def _check(entry: Json, service: Document, config: Config, workload: str, place: str) -> None:
    """Raise an error if the destination of a route cannot become the baseline's side of the split."""
    where = f"workloads.{workload}: {place}: the route that serves it"
    if not service.data.get("spec", {}).get("hosts"):
        raise InputError(f"{where} is in a VirtualService without hosts, {_BY_HAND}")
    for key, problem in _ACTIONS.items():
        if key in entry:
            raise InputError(f"{where} {problem}")
    destinations = entry.get("route") or []
    if len(destinations) != 1:
        raise InputError(
            f"{where} has {len(destinations)} destinations, and a candidate cannot be added to a split of your own; "
            "give it one destination, or narrow the workload's match"
        )
    check_cluster(destinations[0].get("destination", {}), service.namespace, config, workload, where)
    if config.workload(workload).fallback:
        limit, remedy = ends_after(entry, where), "set a longer timeout in the route (0s: none)"
        for key in ("first_byte_timeout", "answer_timeout"):
            refuse_short_timeout(config, workload, limit, f"{where} ends", remedy, key)


def check_cluster(destination: Json, namespace: str | None, config: Config, workload: str, where: str) -> None:
    """Raise ConfigError unless the baseline's cluster is the one that Istio generates for ``destination``."""
    host, subset = destination.get("host", ""), destination.get("subset", "")
    if "." not in host and host != "*":
        if namespace is None:
            raise InputError(f"{where} has the short host {host!r}: set metadata.namespace, which completes it")
        host = f"{host}.{namespace}.svc.cluster.local"
    port = (destination.get("port") or {}).get("number")
    name = config.workloads[workload].baseline
    backend = config.backends[name]
    parts = (backend.cluster or "").split("|")
    if parts[:1] + parts[2:] == ["outbound", subset, host] and port in (None, parts[1]):
        return
    shown = f"outbound|{port or 'PORT'}|{subset}|{host}"
    unknown = "" if port else " (PORT: the port of the service that the route uses)"
    raise ConfigError(
        f'{where} sends requests to the cluster {shown}: set backends.{name}: {{cluster: "{shown}", host: {host}}}'
        f"{unknown} in glidepath.yaml, so that it continues to serve the baseline (now: {backend.address})"
    )


def _refuse_other_rules(
    first: Mapping[str, RoutedHeader], other: Mapping[str, RoutedHeader], workload: str, file: str
) -> None:
    if first != other:
        raise InputError(
            f"workloads.{workload}: {file}: the routes that serve the same two backends set different headers, so a "
            "request that failed at the candidate cannot get them again; give these routes the same header rules, or "
            "set fallback: false in the workload"
        )


def continued_by_name(config: Config, choices: Sequence[str]) -> ContinuedRoutes:
    """Return the routes named by ``--route`` without a file: [WORKLOAD=]NAMESPACE/NAME/HTTP-ROUTE.

    Raises InputError if a workload has no route, or if it has a ``fallback``.
    """
    found: dict[str, str] = {}
    for text in choices:
        workload, sign, place = text.rpartition("=")
        parts = place.split("/")
        if len(parts) != 3 or not all(parts):
            raise InputError(f"--route: without --into it must be NAMESPACE/NAME/HTTP-ROUTE (got {text!r})")
        if not sign and len(config.workloads) > 1:
            raise InputError(f"--route: put the workload before it: WORKLOAD={text}")
        if workload:
            config.workload(workload)  # raises an error for an unknown one
        workload = workload or next(iter(config.workloads))
        refuse_unknown_header_rules(config, workload, f"--route {place}")
        refuse_unread(config, workload, f"--route {place}")
        found[workload] = parts[2]
    if missing := [name for name in config.workloads if name not in found]:
        raise InputError(f"--route: give one for the workload {missing[0]}: {missing[0]}=NAMESPACE/NAME/HTTP-ROUTE")
    return ContinuedRoutes([SplitRoute(workload, name) for workload, name in found.items()])
