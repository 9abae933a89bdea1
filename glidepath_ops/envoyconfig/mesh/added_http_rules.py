"""The rules that are added to a user's HTTPRoute: copies of the rule that serves a workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import yaml

from glidepath import envoy_names
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.header_rules import APPEND_ACTIONS, header_added, joined_rules
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import CopyKind, RouteCopy
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import GeneratedRoutes
from glidepath_ops.envoyconfig.mesh.http_route_matches import path_of, precedence, same
from glidepath_ops.envoyconfig.mesh.kubernetes_yaml import ObjectNode
from glidepath_ops.envoyconfig.mesh.shadow_route_rewrites import of_http_route
from glidepath_ops.envoyconfig.yaml_insertion import Insertion, child, items

MOST_RULES = 16  # of an HTTPRoute
# The header exists only inside Envoy, so its removal changes no request.
FORCING_FILTER: Json = {
    "type": "RequestHeaderModifier",
    "requestHeaderModifier": {"remove": [envoy_names.HEADER_BACKEND]},
}


@dataclass(frozen=True, slots=True)
class Continued:
    """The Envoy routes of a workload that continue a rule of the user.

    ``routes``: the routes that get the split.
    ``others``: the routes that help to read requests, or that split those without a sticky value, each with its copy.
    ``copy``: the conditions of the split on requests.
    ``for_copies``: the effect of the rule on requests (``part_for_copies``), once for each match.
    ``is_copy``: whether the routes belong to a copy of the user's rule, which comes after them.
    ``hashed``: whether a policy of the user chooses the endpoint by a hash.
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
class RouteRule:
    """A rule of a user's HTTPRoute. ``index``: its number in the HTTPRoute."""

    route: ObjectNode
    node: yaml.MappingNode
    index: int
    data: Json
    matches: tuple[Json, ...]

    @property
    def place(self) -> str:
        return self.route.place(self.node)


def rule_nodes(route: ObjectNode) -> list[yaml.Node]:
    return items(child(child(route.node, "spec"), "rules"))


@dataclass(frozen=True, slots=True)
class Served:
    """A workload, the rule that serves it, and the ``copies`` of the rule that it needs.

    ``narrowed``: those of the rule's matches that serve the workload, each with its restriction to the workload.
    """

    workload: str
    rule: RouteRule
    narrowed: Sequence[tuple[Json, Json]]
    copies: Sequence[RouteCopy]
    continued: Continued

    @property
    def made(self) -> list[RouteCopy]:
        """The copies that are added as new rules.

        If the user's rule serves only this workload, that rule itself gets the split, and no copy is added for it.
        """
        return [one for one in self.copies if self.continued.is_copy or one.kind is not CopyKind.SPLIT]


@dataclass(frozen=True, slots=True)
class _AddedRule:
    workload: str
    copy: RouteCopy
    rule: Json


def rules_to_add(route: ObjectNode, served: Sequence[Served]) -> list[_AddedRule]:
    """Return the rules to append to an HTTPRoute, grouped by the kind of copy.

    Envoy Gateway keeps the order of rules with equal conditions. The splits come first unless a candidate declares that
    it cannot serve some requests. (The order matters: glidepath.yaml names the cluster of a rule, and the cluster's
    name contains the rule's number.)
    """
    found = [
        _AddedRule(one.workload, copy, _copy(one.rule, one.narrowed, splits=copy.splits))
        for one in served
        if one.rule.route is route
        for copy in one.made
    ]
    return sorted(found, key=lambda one: one.copy.kind)


def with_routes(served: Served, added: Sequence[_AddedRule]) -> Continued:
    """Return the workload's routes with their rule numbers after the rules are appended."""
    first = len(rule_nodes(served.rule.route))
    ours = [(first + at, one) for at, one in enumerate(added) if one.workload == served.workload]
    found = served.continued
    split = next((copy for copy in served.copies if copy.kind is CopyKind.SPLIT), RouteCopy())
    places = {one.copy.kind: (at, one.rule) for at, one in ours}
    index, rule = places.get(CopyKind.SPLIT, (served.rule.index, served.rule.data))
    others = [(replace(found.routes, rule=at), one.copy) for at, one in ours if one.copy.kind is not CopyKind.SPLIT]
    routes = replace(found.routes, rule=index)
    return replace(found, routes=routes, for_copies=_for_copies(rule), copy=split, others=others)


def refuse_kept(rule: RouteRule, copies: Sequence[RouteCopy], workload: str) -> None:
    if any(one.kind is CopyKind.KEPT for one in copies):
        raise InputError(
            f"{rule.place}: serves only requests of workloads.{workload}, so no rule can come before it for those that "
            "the candidate's section excludes (context, modalities, tools, max_body, foreign_reasoning): "
            "let the rule serve more paths or methods, or remove the declaration"
        )


def _copy(rule: RouteRule, narrowed: Sequence[tuple[Json, Json]], *, splits: bool) -> Json:
    if rule.data.get("name"):
        raise InputError(
            f"{rule.place}: has the name {rule.data['name']!r}, so a policy may apply to it and not to its copy; "
            "remove the name, and let the policy target the HTTPRoute"
        )
    reference = dict(rule.data["backendRefs"][0])
    if splits and not reference.get("filters"):
        reference["filters"] = [FORCING_FILTER]
    copy = {**rule.data, "matches": [ours for _, ours in narrowed], "backendRefs": [reference]}
    if rule.data.get("filters"):
        copy["filters"] = [_rewriting(one, rule, narrowed) for one in rule.data["filters"]]
    return copy


def _rewriting(one: Json, rule: RouteRule, narrowed: Sequence[tuple[Json, Json]]) -> Json:
    """Return a filter of the rule for its copy. A prefix rewrite is adapted so that it replaces the same text.

    If two matches of the rule take the same request, Envoy Gateway applies the one of higher precedence.
    """
    path = (one.get("urlRewrite") or {}).get("path") or {}
    if str(path.get("type")) != "ReplacePrefixMatch":
        return one
    target, found = str(path.get("replacePrefixMatch", "")).rstrip("/"), []  # type: str, list[Json]
    for theirs, ours in narrowed:
        if all(precedence(theirs) >= precedence(other) for other, restricted in narrowed if same(restricted, ours)):
            found.append(_replacement(target, theirs, ours))
    if any(other != found[0] for other in found[1:]):
        raise InputError(
            f"{rule.place}: several of its matches serve the workload, and ReplacePrefixMatch rewrites each to another "
            "path; make it one rule for each match"
        )
    return {**one, "urlRewrite": {**one["urlRewrite"], "path": found[0]}}


def _replacement(target: str, theirs: Json, ours: Json) -> Json:
    """Return the rewrite for the narrower match ``ours``.

    It gives the same path as the rewrite ``target`` for ``theirs``.
    """
    before, (kind, value) = path_of(theirs)[1].rstrip("/"), path_of(ours)
    text = (target + value[len(before) :]) or "/"
    if kind == "Exact":
        return {"type": "ReplaceFullPath", "replaceFullPath": text}
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": text}


def appended(route: ObjectNode, added: Sequence[_AddedRule]) -> Insertion:
    node = child(child(route.node, "spec"), "rules")
    if node is None or len(items(node)) + len(added) > MOST_RULES:
        raise InputError(
            f"{route.place()}: has too many rules for {len(added)} more (maximum: {MOST_RULES}); split it. A workload "
            "needs one rule, two with sticky: {header: …}, or several if Envoy must read its requests. Envoy need not "
            "read them with sticky: {header: …}; for a path_prefix, the Responses API, /api/generate or /v1/chat, set "
            "stateless: true as well"
        )
    return Insertion(node, [one.rule for one in added])


def _for_copies(rule: Json) -> list[Json]:
    """Return the effect of the rule on requests. Envoy applies the header rules of a backendRef before the rule's."""
    return of_http_route(rule, joined_rules([header_rules_of(rule["backendRefs"][0]), header_rules_of(rule)]))


def header_rules_of(rule: Json) -> Json:
    """Return the header changes by the filters of a rule or a backendRef, in the form of an Envoy route.

    Envoy Gateway passes a value on unchanged, so Envoy interprets ``%...%`` in it as a command.
    """
    found: Json = {"request_headers_to_remove": [], "request_headers_to_add": []}
    for one in rule.get("filters") or []:
        changes = one.get("requestHeaderModifier") or {}
        found["request_headers_to_remove"] += [str(name) for name in changes.get("remove") or []]
        for key, action in APPEND_ACTIONS:
            for header in changes.get(key) or []:
                found["request_headers_to_add"].append(header_added(header["name"], header["value"], action))
    return found
