"""Add to a user's HTTPRoute a copy of the rule that serves a workload, for the requests of that workload alone.

The copy has all that the user's rule has. The policies of the HTTPRoute hold for it, because it is a rule of the same
HTTPRoute. Its only backendRef gets a filter if it has none, because only then Envoy Gateway generates weighted clusters
for the rule. Without the patches, the copy does what the user's rule does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from glidepath import envoy_names
from glidepath.config.root import Config, Match
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.continued_routes import refuse_short_timeout
from glidepath_ops.envoyconfig.header_rules import APPEND_ACTIONS, header_added, joined_rules
from glidepath_ops.envoyconfig.mesh.backend_traffic_policies import TrafficSettings, traffic_settings
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import GeneratedRoutes
from glidepath_ops.envoyconfig.mesh.go_durations import duration
from glidepath_ops.envoyconfig.mesh.http_route_matches import covers, narrowed, path_of, precedence, same
from glidepath_ops.envoyconfig.mesh.kubernetes_yaml import ObjectNode, kubernetes_objects
from glidepath_ops.envoyconfig.mesh.reading_copies import CopyKind, RouteCopy, copies_of
from glidepath_ops.envoyconfig.mesh.routes_for_copies import of_http_route
from glidepath_ops.envoyconfig.yaml_insertion import Insertion, child, insert, items, remove, verbatim

MOST_RULES = 16  # of an HTTPRoute
# The header exists only inside Envoy, so its removal changes no request.
FORCING_FILTER: Json = {
    "type": "RequestHeaderModifier",
    "requestHeaderModifier": {"remove": [envoy_names.HEADER_BACKEND]},
}


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """The rule of an HTTPRoute that the user names for a workload. ``rule`` None: the rule that serves the workload."""

    namespace: str
    name: str
    rule: int | None = None


@dataclass(frozen=True, slots=True)
class Continued:
    """The Envoy routes of a workload, and the rule's header rules in the form of an Envoy route.

    ``routes``: those that get the split. ``others``: those that help to read, each with what it is for. ``copy``: what
    the split demands of a request that was read. ``for_copies``: what the rule does with requests
    (``part_for_copies``), once for each match. ``is_copy``: whether the routes are those of a copy of the user's rule,
    which is below them. ``hashed``: whether a policy of the user's chooses the endpoint by a hash.
    """

    routes: GeneratedRoutes
    header_rules: Json
    place: str
    for_copies: Sequence[Json] = ()
    is_copy: bool = False
    hashed: bool = False
    copy: RouteCopy = field(default_factory=RouteCopy)
    others: Sequence[tuple[GeneratedRoutes, RouteCopy]] = ()


@dataclass(frozen=True, slots=True)
class CompletedRoutes:
    """The completed file, and what is generated for each workload. A workload that no rule serves is left out."""

    text: str
    continued: Mapping[str, Continued]


@dataclass(frozen=True, slots=True)
class _RouteRule:
    route: ObjectNode
    node: yaml.MappingNode
    index: int
    data: Json
    matches: tuple[Json, ...]

    @property
    def place(self) -> str:
        return self.route.place(self.node)


def complete_http_routes(
    text: str, config: Config, file: str, namespace: str, choices: Mapping[str, RuleChoice]
) -> CompletedRoutes:
    """Return the user's file ``text`` with one more rule for each workload that has none of its own.

    ``namespace``: of HTTPRoutes that name none. ``choices``: by workload. Raises InputError.
    """
    base = remove(text)
    objects = kubernetes_objects(base, file)
    routes = [one for one in objects if one.kind == "HTTPRoute"]
    if not routes:
        raise InputError(f"{file}: has no HTTPRoute")
    insertions: list[Insertion] = []
    served: list[_Served] = []
    for workload, settings in config.workloads.items():
        rule = _serving_rule(_rules(routes), settings.match, choices.get(workload), namespace, f"workloads.{workload}")
        if rule is None:
            continue
        _refuse(rule, fallback=settings.fallback)
        policy = traffic_settings(objects, rule.route.name)
        _refuse_traffic_settings(rule, config, workload, policy)
        host = _host(rule, settings.match, workload)
        ours = [one for one in (narrowed(m, settings.match, rule.place) for m in rule.matches) if one is not None]
        copies = copies_of(config, workload, f"{rule.route.namespace or namespace}/{rule.route.name}/{rule.index}")
        narrow = _is_narrow(rule, ours)
        if narrow:
            _refuse_kept(rule, copies, workload)
            insertions += _forced(rule)
        found = Continued(
            GeneratedRoutes(rule.route.namespace or namespace, rule.route.name, rule.index, host),
            _header_rules(rule.data),
            rule.place,
            is_copy=not narrow,
            hashed=policy.hashed,
        )
        served.append(_Served(workload, rule, ours, copies, found))
    added = {id(one.rule.route): _rules_to_add(one.rule.route, served) for one in served}
    insertions += [_appended(route, added[id(route)]) for route in routes if added.get(id(route))]
    continued = {one.workload: _with_routes(one, added[id(one.rule.route)]) for one in served}
    return CompletedRoutes(insert(base, insertions, file), continued)


@dataclass(frozen=True, slots=True)
class _Served:
    """A workload, the rule that serves it, its narrowed ``matches``, and the ``copies`` of the rule that it needs."""

    workload: str
    rule: _RouteRule
    matches: Sequence[Json]
    copies: Sequence[RouteCopy]
    continued: Continued

    @property
    def made(self) -> list[RouteCopy]:
        """The copies that are rules of their own: a rule for only the workload's requests carries the split itself."""
        return [one for one in self.copies if self.continued.is_copy or one.kind is not CopyKind.SPLIT]


@dataclass(frozen=True, slots=True)
class _AddedRule:
    workload: str
    copy: RouteCopy
    rule: Json


def _rules_to_add(route: ObjectNode, served: Sequence[_Served]) -> list[_AddedRule]:
    """Return the rules to append to an HTTPRoute, those of one kind together.

    Envoy Gateway keeps the order of rules with equal conditions. The splits come first unless a candidate declares what
    it cannot serve: a rule's number is in the name of its cluster, which glidepath.yaml names.
    """
    found = [
        _AddedRule(one.workload, copy, _copy(one.rule, one.matches, splits=copy.kind is CopyKind.SPLIT))
        for one in served
        if one.rule.route is route
        for copy in one.made
    ]
    return sorted(found, key=lambda one: one.copy.kind)


def _with_routes(served: _Served, added: Sequence[_AddedRule]) -> Continued:
    """Return where the workload's routes are once the rules are appended."""
    first = len(_rule_nodes(served.rule.route))
    ours = [(first + at, one) for at, one in enumerate(added) if one.workload == served.workload]
    found = served.continued
    split = next((copy for copy in served.copies if copy.kind is CopyKind.SPLIT), RouteCopy())
    places = {one.copy.kind: (at, one.rule) for at, one in ours}
    index, rule = places.get(CopyKind.SPLIT, (served.rule.index, served.rule.data))
    others = [(replace(found.routes, rule=at), one.copy) for at, one in ours if one.copy.kind is not CopyKind.SPLIT]
    routes = replace(found.routes, rule=index)
    return replace(found, routes=routes, for_copies=_for_copies(rule), copy=split, others=others)


def _refuse_kept(rule: _RouteRule, copies: Sequence[RouteCopy], workload: str) -> None:
    if any(one.kind is CopyKind.KEPT for one in copies):
        raise InputError(
            f"{rule.place}: is only for requests of workloads.{workload}, so no rule can come before it for those that "
            "the candidate declares that it cannot serve (context, modalities, tools, max_body, foreign_reasoning): "
            "let the rule serve more paths or methods, or remove the declaration"
        )


def _rule_nodes(route: ObjectNode) -> list[yaml.Node]:
    return items(child(child(route.node, "spec"), "rules"))


def _rules(routes: Sequence[ObjectNode]) -> list[_RouteRule]:
    found = []
    for route in routes:
        for index, node in enumerate(_rule_nodes(route)):
            data = verbatim(node)
            if not isinstance(node, yaml.MappingNode) or not isinstance(data, dict):
                raise InputError(f"{route.place(node)}: a rule must be a mapping")
            found.append(_RouteRule(route, node, index, data, tuple(data.get("matches") or [{}])))
    return found


def _serving_rule(
    rules: Sequence[_RouteRule], match: Match, choice: RuleChoice | None, namespace: str, key: str
) -> _RouteRule | None:
    """Return the rule that serves the requests of a workload. Raises InputError if that is not one rule alone."""
    serving = [
        (precedence(m), rule, m) for rule in rules for m in rule.matches if narrowed(m, match, rule.place) is not None
    ]
    serving.sort(key=lambda one: one[0], reverse=True)
    if choice is not None:
        chosen = _chosen(rules, serving, choice, namespace, key)
    else:
        if not serving:
            return None
        chosen = _only(serving, match, key)
    _refuse_conflicts(chosen, serving, match, key)
    return chosen


_Serving = tuple[tuple[int, ...], _RouteRule, Json]


def _only(serving: Sequence[_Serving], match: Match, key: str) -> _RouteRule:
    first = serving[0][1]
    others = {id(rule.route): rule for _, rule, _ in serving if rule.route is not first.route}
    if others:
        names = ", ".join(dict.fromkeys(_named(rule) for _, rule, _ in serving))
        raise InputError(f"{key}: several HTTPRoutes have its requests; choose one with --route (allowed: {names})")
    for _, rule, theirs in serving:
        if rule is not first:
            raise InputError(
                f"{first.place}: has only some requests of {key}, and {rule.place} has others; choose one with --route "
                f"(allowed: {_named(first)}, {_named(rule)})"
            )
        if covers(theirs, match):
            break
    return first


def _chosen(
    rules: Sequence[_RouteRule], serving: Sequence[_Serving], choice: RuleChoice, namespace: str, key: str
) -> _RouteRule:
    place = f"{choice.namespace}/{choice.name}"
    known = [r for r in rules if ((r.route.namespace or namespace), r.route.name) == (choice.namespace, choice.name)]
    if not known:
        raise InputError(f"--route: the file has no HTTPRoute {place} (allowed: {_all_named(rules, namespace)})")
    found = [rule for _, rule, _ in serving if rule in known and choice.rule in (None, rule.index)]
    if not found:
        raise InputError(f"--route: {place} has no such rule for requests of {key}")
    return found[0]


def _all_named(rules: Sequence[_RouteRule], namespace: str) -> str:
    return ", ".join(dict.fromkeys(f"{rule.route.namespace or namespace}/{rule.route.name}" for rule in rules))


def _named(rule: _RouteRule) -> str:
    return f"{rule.route.namespace or 'NAMESPACE'}/{rule.route.name}/{rule.index}"


def _refuse_conflicts(chosen: _RouteRule, serving: Sequence[_Serving], match: Match, key: str) -> None:
    """Raise InputError if a copy of ``chosen`` would take requests that another rule serves today."""
    own = [theirs for _, rule, theirs in serving if rule is chosen]
    copies = [precedence(one) for one in (narrowed(m, match, chosen.place) for m in own) if one is not None]
    for order, rule, _ in serving:
        if rule is chosen or not _same_hosts(rule.route, chosen.route):
            continue
        if min(precedence(m) for m in own) < order < max(copies):
            raise InputError(
                f"{rule.place}: has some requests of {key}, which a copy of {chosen.place} would take from it; give "
                f"its match the workload's path and the method POST as well"
            )


def _same_hosts(one: ObjectNode, other: ObjectNode) -> bool:
    names = [{str(name) for name in _hostnames(route)} for route in (one, other)]
    return not names[0] or not names[1] or bool(names[0] & names[1])


def _hostnames(route: ObjectNode) -> list[Any]:
    return [node.value for node in items(child(child(route.node, "spec"), "hostnames"))]


def _host(rule: _RouteRule, match: Match, workload: str) -> str | None:
    """Return the hostname of the HTTPRoute whose Envoy routes are the workload's, or None for all of them."""
    if match.host is None:
        return None
    names = _hostnames(rule.route)
    if match.host not in names:
        place = f"workloads.{workload}.match.host"
        known = ", ".join(names) or "none"
        raise InputError(
            f"{rule.route.place()}: has no hostname {match.host} ({place}; its hostnames: {known}); add it"
        )
    return match.host


def _refuse(rule: _RouteRule, *, fallback: bool) -> None:
    place, references = rule.place, rule.data.get("backendRefs") or []
    kinds = {str(one.get("type")) for one in rule.data.get("filters") or []}
    if "RequestRedirect" in kinds:
        raise InputError(f"{place}: redirects the requests, so no backend serves them; choose another rule")
    if len(references) != 1:
        raise InputError(
            f"{place}: has {len(references)} backendRefs, and the split needs one, the baseline; make it one Service "
            "or Backend"
        )
    if fallback and references[0].get("filters") not in (None, [], [FORCING_FILTER]):
        raise InputError(
            f"{place}: its backendRef has filters, which a request that failed at the candidate would miss; move them "
            "to the rule, or set fallback: false"
        )


def _refuse_traffic_settings(rule: _RouteRule, config: Config, workload: str, policy: TrafficSettings) -> None:
    """Raise InputError for a time limit that leaves no time for the fallback, and for two hash policies."""
    settings = config.workload(workload)
    if policy.hashed and settings.declared_sticky is not None:
        raise InputError(
            f"{rule.place}: a BackendTrafficPolicy hashes its requests, which chooses the endpoint: remove workloads."
            f"{workload}.sticky, so that this policy keeps users on one side too"
        )
    text = (rule.data.get("timeouts") or {}).get("request")
    limit = policy.timeout if text is None else duration(str(text), rule.place)
    remedy = (
        "timeouts.request of the rule (0s: none; Envoy's default: 15s). If a BackendTrafficPolicy sets it, put that "
        "into the file"
    )
    refuse_short_timeout(config, workload, limit, f"{rule.place}: its routes end", remedy)


def _is_narrow(rule: _RouteRule, ours: Sequence[Json]) -> bool:
    return len(ours) == len(rule.matches) and all(same(a, b) for a, b in zip(ours, rule.matches, strict=True))


def _forced(rule: _RouteRule) -> list[Insertion]:
    """Return the insertion of a filter into the backendRef of a rule that is narrow already."""
    reference = items(child(rule.node, "backendRefs"))[0]
    filters = child(reference, "filters")
    if filters is not None and items(filters):
        return []
    return [Insertion(reference, {"filters": [FORCING_FILTER]})]


def _copy(rule: _RouteRule, matches: Sequence[Json], *, splits: bool) -> Json:
    if rule.data.get("name"):
        raise InputError(
            f"{rule.place}: has the name {rule.data['name']!r}, so a policy can hold for it and not for its copy; "
            "remove the name, and let the policy target the HTTPRoute"
        )
    reference = dict(rule.data["backendRefs"][0])
    if splits and not reference.get("filters"):
        reference["filters"] = [FORCING_FILTER]
    copy = {**rule.data, "matches": list(matches), "backendRefs": [reference]}
    if rule.data.get("filters"):
        copy["filters"] = [_rewriting(one, rule, matches) for one in rule.data["filters"]]
    return copy


def _rewriting(one: Json, rule: _RouteRule, matches: Sequence[Json]) -> Json:
    """Return a filter of the rule for its copy. A rewrite of the prefix must replace the same text of the path."""
    path = (one.get("urlRewrite") or {}).get("path") or {}
    if str(path.get("type")) != "ReplacePrefixMatch":
        return one
    before, (kind, value) = path_of(rule.matches[0])[1].rstrip("/"), path_of(matches[0])
    text = str(path.get("replacePrefixMatch", "")).rstrip("/") + value[len(before) :]
    if kind == "Exact":
        return _with_path(one, {"type": "ReplaceFullPath", "replaceFullPath": text or "/"})
    return _with_path(one, {"type": "ReplacePrefixMatch", "replacePrefixMatch": text or "/"})


def _with_path(one: Json, path: Json) -> Json:
    return {**one, "urlRewrite": {**one["urlRewrite"], "path": path}}


def _appended(route: ObjectNode, added: Sequence[_AddedRule]) -> Insertion:
    node = child(child(route.node, "spec"), "rules")
    if node is None or len(items(node)) + len(added) > MOST_RULES:
        raise InputError(
            f"{route.place()}: has too many rules for {len(added)} more (most: {MOST_RULES}); split it. A workload "
            "needs one rule, or several if its requests must be read: they are not with sticky: {header: …} and, for a "
            "path_prefix or the Responses API, stateless: true"
        )
    return Insertion(node, [one.rule for one in added])


def _for_copies(rule: Json) -> list[Json]:
    """Return what the rule does with requests. Envoy applies the header rules of a backendRef before the rule's."""
    return of_http_route(rule, joined_rules([_header_rules(rule["backendRefs"][0]), _header_rules(rule)]))


def _header_rules(rule: Json) -> Json:
    """Return the changes of request headers by the filters of a rule or a backendRef, in the form of an Envoy route.

    Envoy Gateway passes a value on as it is, so Envoy reads ``%...%`` in it as a command.
    """
    found: Json = {"request_headers_to_remove": [], "request_headers_to_add": []}
    for one in rule.get("filters") or []:
        changes = one.get("requestHeaderModifier") or {}
        found["request_headers_to_remove"] += [str(name) for name in changes.get("remove") or []]
        for key, action in APPEND_ACTIONS:
            for header in changes.get(key) or []:
                found["request_headers_to_add"].append(header_added(header["name"], header["value"], action))
    return found
