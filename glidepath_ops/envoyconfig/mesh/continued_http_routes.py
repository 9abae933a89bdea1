"""Adds a copy of the rule that serves a workload to a user's HTTPRoute. Only the workload's requests match the copy.

The copy has all settings of the user's rule. The policies of the HTTPRoute apply to it, because it is a rule of the
same HTTPRoute. Its only backendRef gets a filter if it has none, because otherwise Envoy Gateway does not generate
weighted clusters for the rule. Without the patches, the copy has the same effect as the user's rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from glidepath.config.request_match import Match
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.continued_routes import not_at_random, refuse_short_timeout
from glidepath_ops.envoyconfig.mesh.added_http_rules import (
    FORCING_FILTER,
    Continued,
    RouteRule,
    Served,
    appended,
    header_rules_of,
    refuse_kept,
    rule_nodes,
    rules_to_add,
    with_routes,
)
from glidepath_ops.envoyconfig.mesh.backend_traffic_policies import TrafficSettings, traffic_settings
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import copies_of, without_random
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import GeneratedRoutes
from glidepath_ops.envoyconfig.mesh.go_durations import duration
from glidepath_ops.envoyconfig.mesh.http_route_matches import covers, narrowed, precedence, same
from glidepath_ops.envoyconfig.mesh.kubernetes_yaml import ObjectNode, kubernetes_objects
from glidepath_ops.envoyconfig.yaml_insertion import Insertion, child, insert, items, remove, verbatim


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """The rule of an HTTPRoute that the user names for a workload. ``rule``: None if only the HTTPRoute is named."""

    namespace: str
    name: str
    rule: int | None = None


@dataclass(frozen=True, slots=True)
class CompletedRoutes:
    """The completed file, and the routes generated for each workload. Workloads without a rule are left out."""

    text: str
    continued: Mapping[str, Continued]


def complete_http_routes(
    text: str, config: Config, file: str, namespace: str, choices: Mapping[str, RuleChoice]
) -> CompletedRoutes:
    """Return the user's file ``text`` with one more rule for each workload that has no rule of its own.

    ``namespace``: the namespace of HTTPRoutes that name none. ``choices``: by workload. Raises InputError if the file
    has no HTTPRoute, or Glidepath cannot split a rule that serves a workload.
    """
    base = remove(text)
    objects = kubernetes_objects(base, file)
    routes = [one for one in objects if one.kind == "HTTPRoute"]
    if not routes:
        raise InputError(f"{file}: has no HTTPRoute")
    insertions: list[Insertion] = []
    served: list[Served] = []
    for workload, settings in config.workloads.items():
        rule = _serving_rule(_rules(routes), settings.match, choices.get(workload), namespace, f"workloads.{workload}")
        if rule is None:
            continue
        _refuse(rule, fallback=settings.fallback)
        policy = traffic_settings(objects, rule.route.name)
        _refuse_traffic_settings(rule, config, workload, policy)
        host = _host(rule, settings.match, workload)
        pairs = [(m, ours) for m in rule.matches if (ours := narrowed(m, settings.match, rule.place)) is not None]
        original = f"{rule.route.namespace or namespace}/{rule.route.name}/{rule.index}"
        copies = copies_of(config, workload, original, _ends_after(rule, policy))
        narrow = _is_narrow(rule, [ours for _, ours in pairs])
        if narrow:
            if rule.data.get("name"):  # such a rule cannot be copied
                copies = without_random(copies)
            refuse_kept(rule, copies, workload)
            insertions += _forced(rule)
        found = Continued(
            GeneratedRoutes(rule.route.namespace or namespace, rule.route.name, rule.index, host),
            header_rules_of(rule.data),
            rule.place,
            is_copy=not narrow,
            hashed=policy.hashed,
        )
        served.append(Served(workload, rule, pairs, copies, found))
    added = {id(one.rule.route): rules_to_add(one.rule.route, served) for one in served}
    insertions += [appended(route, added[id(route)]) for route in routes if added.get(id(route))]
    continued = {one.workload: with_routes(one, added[id(one.rule.route)]) for one in served}
    return CompletedRoutes(insert(base, insertions, file), continued)


def _rules(routes: Sequence[ObjectNode]) -> list[RouteRule]:
    found = []
    for route in routes:
        for index, node in enumerate(rule_nodes(route)):
            data = verbatim(node)
            if not isinstance(node, yaml.MappingNode) or not isinstance(data, dict):
                raise InputError(f"{route.place(node)}: a rule must be a mapping")
            found.append(RouteRule(route, node, index, data, tuple(data.get("matches") or [{}])))
    return found


def _serving_rule(
    rules: Sequence[RouteRule], match: Match, choice: RuleChoice | None, namespace: str, key: str
) -> RouteRule | None:
    """Return the rule that serves the requests of a workload, or None if no rule does.

    Raises InputError if several rules serve them and ``choice`` names none, and if the rule that it names does not
    serve them.
    """
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


_Serving = tuple[tuple[int, ...], RouteRule, Json]


def _only(serving: Sequence[_Serving], match: Match, key: str) -> RouteRule:
    first = serving[0][1]
    others = {id(rule.route): rule for _, rule, _ in serving if rule.route is not first.route}
    if others:
        names = ", ".join(dict.fromkeys(_named(rule) for _, rule, _ in serving))
        raise InputError(f"{key}: several HTTPRoutes serve its requests; choose one with --route (allowed: {names})")
    for _, rule, theirs in serving:
        if rule is not first:
            raise InputError(
                f"{first.place}: serves only some requests of {key}, and {rule.place} serves others; choose one with "
                f"--route (allowed: {_named(first)}, {_named(rule)})"
            )
        if covers(theirs, match):
            break
    return first


def _chosen(
    rules: Sequence[RouteRule], serving: Sequence[_Serving], choice: RuleChoice, namespace: str, key: str
) -> RouteRule:
    place = f"{choice.namespace}/{choice.name}"
    known = [r for r in rules if ((r.route.namespace or namespace), r.route.name) == (choice.namespace, choice.name)]
    if not known:
        raise InputError(f"--route: the file has no HTTPRoute {place} (allowed: {_all_named(rules, namespace)})")
    found = [rule for _, rule, _ in serving if rule in known and choice.rule in (None, rule.index)]
    if not found:
        raise InputError(f"--route: {place} has no such rule for requests of {key}")
    return found[0]


def _all_named(rules: Sequence[RouteRule], namespace: str) -> str:
    return ", ".join(dict.fromkeys(f"{rule.route.namespace or namespace}/{rule.route.name}" for rule in rules))


def _named(rule: RouteRule) -> str:
    return f"{rule.route.namespace or 'NAMESPACE'}/{rule.route.name}/{rule.index}"


def _refuse_conflicts(chosen: RouteRule, serving: Sequence[_Serving], match: Match, key: str) -> None:
    """Raise InputError if a copy of ``chosen`` would match requests that another rule serves today."""
    own = [theirs for _, rule, theirs in serving if rule is chosen]
    copies = [precedence(one) for one in (narrowed(m, match, chosen.place) for m in own) if one is not None]
    for order, rule, _ in serving:
        if rule is chosen or not _same_hosts(rule.route, chosen.route):
            continue
        if min(precedence(m) for m in own) < order < max(copies):
            raise InputError(
                f"{rule.place}: serves some requests of {key}, which a copy of {chosen.place} would take over; give "
                f"its match the workload's path and the method POST as well"
            )


def _same_hosts(one: ObjectNode, other: ObjectNode) -> bool:
    names = [{str(name) for name in _hostnames(route)} for route in (one, other)]
    return not names[0] or not names[1] or bool(names[0] & names[1])


def _hostnames(route: ObjectNode) -> list[Any]:
    return [node.value for node in items(child(child(route.node, "spec"), "hostnames"))]


def _host(rule: RouteRule, match: Match, workload: str) -> str | None:
    """Return the hostname of the HTTPRoute to which the workload is limited, or None for all hostnames."""
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


def _refuse(rule: RouteRule, *, fallback: bool) -> None:
    place, references = rule.place, rule.data.get("backendRefs") or []
    kinds = {str(one.get("type")) for one in rule.data.get("filters") or []}
    if "RequestRedirect" in kinds:
        raise InputError(f"{place}: redirects the requests, so no backend serves them; choose another rule")
    if len(references) != 1:
        raise InputError(
            f"{place}: has {len(references)} backendRefs, and the split needs exactly one, the baseline; make it one "
            "Service or Backend"
        )
    if fallback and references[0].get("filters") not in (None, [], [FORCING_FILTER]):
        raise InputError(
            f"{place}: its backendRef has filters, which a request that failed at the candidate would miss; move them "
            "to the rule, or set fallback: false"
        )


def _refuse_traffic_settings(rule: RouteRule, config: Config, workload: str, policy: TrafficSettings) -> None:
    """Raise InputError if a time limit leaves no time for the fallback, or if there are two hash policies."""
    settings = config.workload(workload)
    if policy.hashed and settings.assigned_at_random:
        raise InputError(f"{rule.place}: a BackendTrafficPolicy hashes its requests, {not_at_random(workload)}")
    if policy.hashed and settings.declared_sticky is not None:
        raise InputError(
            f"{rule.place}: a BackendTrafficPolicy hashes its requests, which chooses the endpoint: remove workloads."
            f"{workload}.sticky, so that this policy keeps users on one side too"
        )
    remedy = (
        "raise timeouts.request of the rule (0s: none; Envoy's default: 15s). If a BackendTrafficPolicy sets it, put "
        "that into the file"
    )
    for key in ("first_byte_timeout", "answer_timeout"):
        refuse_short_timeout(config, workload, _ends_after(rule, policy), f"{rule.place}: its routes end", remedy, key)


def _ends_after(rule: RouteRule, policy: TrafficSettings) -> float:
    """Return the time limit of a rule's routes for a whole answer, in seconds; 0: none."""
    text = (rule.data.get("timeouts") or {}).get("request")
    return policy.timeout if text is None else duration(str(text), rule.place)


def _is_narrow(rule: RouteRule, ours: Sequence[Json]) -> bool:
    return len(ours) == len(rule.matches) and all(same(a, b) for a, b in zip(ours, rule.matches, strict=True))


def _forced(rule: RouteRule) -> list[Insertion]:
    """Return the insertion of a filter into the backendRef of a rule that already serves only the workload."""
    reference = items(child(rule.node, "backendRefs"))[0]
    filters = child(reference, "filters")
    if filters is not None and items(filters):
        return []
    return [Insertion(reference, {"filters": [FORCING_FILTER]})]
