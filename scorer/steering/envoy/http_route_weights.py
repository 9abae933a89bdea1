"""Read the weights of a workload from an HTTPRoute, and make the patch that changes them. Pure.

The weights of the two backendRefs are the workload's weights. Its other runtime values, such as the autopilot, are
annotations of the HTTPRoute: ``glidepath/WORKLOAD.autopilot`` and the like. So manual overrides are found by the same
comparison as for an Envoy (observation.py). Source: Gateway API v1, HTTPRoute (``backendRefs[].weight``: a proportion,
1 if absent) and its status conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glidepath import runtime_keys
from glidepath.config import Config
from glidepath.config.kubernetes import BackendReference, HttpRouteSection
from scorer.steering.envoy.runtime_values import RuntimeEntries, RuntimeKeys

Json = Mapping[str, Any]
PREFIX = "httproute "
_ANNOTATIONS = "/metadata/annotations"
_MAX_SHOWN = 200
_MOST_GATEWAYS = 32  # in a status, by the Gateway API


class RouteError(ValueError):
    """The HTTPRoute lacks the rule or a backendRef that the configuration names."""


@dataclass(frozen=True, slots=True)
class SteeredRule:
    """The rule of an HTTPRoute that has a workload's weights. ``keys``: the workload's runtime keys."""

    workload: str
    target: HttpRouteSection
    keys: RuntimeKeys

    @property
    def name(self) -> str:
        """The name of the rule among the leader's "Envoys"."""
        return PREFIX + self.target.place


def steered_rules(config: Config) -> list[SteeredRule]:
    """Return the rules that are configured as actuators of workloads, in the order of the workloads."""
    return [
        SteeredRule(name, workload.actuator, RuntimeKeys.of(config, name))
        for name, workload in config.workloads.items()
        if workload.actuator is not None
    ]


@dataclass(frozen=True, slots=True)
class _Weights:
    """The two backendRefs of a rule: their paths in the object, and their weights (None if a weight is absent)."""

    candidate_path: str
    baseline_path: str
    candidate_reference: Json
    baseline_reference: Json

    @property
    def candidate(self) -> int | None:
        return _weight(self.candidate_reference)

    @property
    def baseline(self) -> int | None:
        return _weight(self.baseline_reference)


def entries_of(route: Json, rule: SteeredRule) -> dict[str, str]:
    """Return the workload's runtime entries, as an Envoy would have them, from an HTTPRoute.

    Weights are proportions, so they are converted to basis points. Raises RouteError if the rule or one of its two
    backendRefs is missing, or if the rule has a further backendRef.
    """
    found = _weights(route, rule.target)
    candidate, baseline = (1 if one is None else one for one in (found.candidate, found.baseline))
    total = candidate + baseline
    points = round(runtime_keys.FULL_WEIGHT * candidate / total) if total else 0
    rest = runtime_keys.FULL_WEIGHT - points if total else 0  # two zeros: no backend serves
    annotations = _mapping(_mapping(route.get("metadata")).get("annotations"))
    entries = {rule.keys.candidate: str(points), rule.keys.baseline: str(rest)}
    for key, annotation in _annotations(rule).items():
        if value := annotations.get(annotation):
            entries[key] = str(value)
    return entries


def backends_of(route: Json, rule: SteeredRule) -> list[Json]:
    """Return the two backendRefs in their order. Raises RouteError as ``entries_of`` does."""
    found = _weights(route, rule.target)
    sides = ((found.candidate_path, found.candidate_reference), (found.baseline_path, found.baseline_reference))
    return [reference for _, reference in sorted(sides, key=lambda side: side[0])]


def patch_of(route: Json, rule: SteeredRule, values: RuntimeEntries, *, at_once: bool = False) -> list[Json]:
    """Return the JSON patch that sets ``values``; an empty patch if the rule has them already. Raises RouteError.

    The patch fails if the backendRefs or their weights have changed since ``route`` was read, so it cannot overwrite a
    change by somebody else. ``at_once``: for a retreat. It replaces any weights, so the patch tests only the names of
    the backendRefs.
    """
    found, operations = _weights(route, rule.target), list[Json]()
    for path, now, key in (
        (found.candidate_path, found.candidate, rule.keys.candidate),
        (found.baseline_path, found.baseline, rule.keys.baseline),
    ):
        if key in values and now != int(values[key]):
            operations.append({"op": "add", "path": f"{path}/weight", "value": int(values[key])})
    operations += _annotation_changes(route, rule, values, at_once=at_once)
    return [*_tests(found, at_once=at_once), *operations] if operations else []


def tests_of(route: Json, rule: SteeredRule) -> list[Json]:
    """Return a patch that changes nothing, to test whether this rule may be patched. Raises RouteError."""
    return _tests(_weights(route, rule.target), at_once=False)


def _tests(found: _Weights, *, at_once: bool) -> list[Json]:
    sides = ((found.candidate_path, found.candidate_reference), (found.baseline_path, found.baseline_reference))
    if at_once:
        return [{"op": "test", "path": f"{path}/name", "value": one["name"]} for path, one in sides]
    return [{"op": "test", "path": path, "value": one} for path, one in sides]


def _annotation_changes(route: Json, rule: SteeredRule, values: RuntimeEntries, *, at_once: bool) -> Iterator[Json]:
    metadata = _mapping(route.get("metadata"))
    annotations = _mapping(metadata.get("annotations"))
    changes = {
        annotation: values[key]
        for key, annotation in _annotations(rule).items()
        if key in values and str(annotations.get(annotation, "")) != values[key]
    }
    if not changes or (at_once and not annotations):
        return
    if not annotations:  # a new mapping would replace a mapping that another program has added since
        yield {"op": "test", "path": "/metadata/resourceVersion", "value": metadata.get("resourceVersion", "")}
        yield {"op": "add", "path": _ANNOTATIONS, "value": {}}
    for annotation, value in changes.items():
        path = f"{_ANNOTATIONS}/{annotation.replace('~', '~0').replace('/', '~1')}"
        yield {"op": "add", "path": path, "value": value} if value else {"op": "remove", "path": path}


def _annotations(rule: SteeredRule) -> dict[str, str]:
    """Return, for each runtime key, the name of the annotation that holds its value."""
    keys = (rule.keys.shadow, rule.keys.autopilot, rule.keys.retreat)
    return {key: f"glidepath/{rule.workload}.{key.rpartition('.')[2]}" for key in keys}


def _weights(route: Json, target: HttpRouteSection) -> _Weights:
    index, rule = _rule(route, target)
    references = [one for one in _items(rule.get("backendRefs")) if isinstance(one, Mapping)]
    namespace = target.namespace
    at = {
        side: [place for place, one in enumerate(references) if _is(one, wanted, namespace)]
        for side, wanted in (("baseline", target.baseline), ("candidate", target.candidate))
    }
    for side, places in at.items():
        if len(places) != 1:
            wanted = getattr(target, side)
            shown = f"{wanted.kind} {wanted.name}"
            what = "no backendRef" if not places else f"{len(places)} backendRefs (name the port too)"
            raise RouteError(f"rule {target.rule} has {what} for the {side}, {shown}; it has {_shown(references)}")
    if len(references) != 2:
        raise RouteError(f"rule {target.rule} has more backendRefs than the two sides: {_shown(references)}")
    (candidate,), (baseline,) = at["candidate"], at["baseline"]
    path = f"/spec/rules/{index}/backendRefs"
    for place in (candidate, baseline):
        _weight(references[place])  # raises an error if it is not a number
    return _Weights(f"{path}/{candidate}", f"{path}/{baseline}", references[candidate], references[baseline])


def _rule(route: Json, target: HttpRouteSection) -> tuple[int, Json]:
    rules = _items(_mapping(route.get("spec")).get("rules"))
    for index, rule in enumerate(rules):
        if isinstance(rule, Mapping) and target.rule in (index, rule.get("name")):
            return index, rule
    names = [str(one.get("name")) for one in rules if isinstance(one, Mapping) and one.get("name")]
    named = f", named {', '.join(names)}" if names else ""
    raise RouteError(f"the HTTPRoute has no rule {target.rule}: it has {len(rules)}{named}")


def _is(reference: Json, wanted: BackendReference, namespace: str) -> bool:
    return (
        reference.get("name") == wanted.name
        and (reference.get("kind") or "Service") == wanted.kind
        and (reference.get("group") or "") == wanted.group
        and (reference.get("namespace") or namespace) == (wanted.namespace or namespace)
        and wanted.port in (None, reference.get("port"))
    )


def _weight(reference: Json) -> int | None:
    value = reference.get("weight")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RouteError(f"the weight of {reference.get('name')} is not a whole number")
    return value


def _shown(references: Sequence[Json]) -> str:
    return (
        ", ".join(f"{one.get('kind') or 'Service'} {one.get('name')}" for one in references)[:_MAX_SHOWN]
        or "none at all"
    )


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class ServingGateway:
    """A Gateway in the HTTPRoute's status. ``problem``: why it does not serve the present weights; "" if it does."""

    name: str
    problem: str = ""


def gateways(route: Json) -> list[ServingGateway]:
    """Return the Gateways in the HTTPRoute's status, and whether each serves the present generation.

    ``observedGeneration`` is the generation that a Gateway's condition describes. If the status has no Gateway, the
    result is one entry with a problem.
    """
    generation = _mapping(route.get("metadata")).get("generation")
    found: dict[str, ServingGateway] = {}
    for parent in _parents(route):
        reference = _mapping(_mapping(parent).get("parentRef"))
        name = str(reference.get("name"))
        if section := reference.get("sectionName"):
            name = f"{name}/{section}"
        found[name] = ServingGateway(name, _problem(_items(_mapping(parent).get("conditions")), generation))
    return list(found.values()) or [ServingGateway("no Gateway", "no Gateway has accepted the HTTPRoute")]


def controllers_of(route: Json) -> frozenset[str]:
    """Return the names of the programs that serve the HTTPRoute's Gateways, e.g. ``istio.io/gateway-controller``."""
    return frozenset(str(_mapping(parent).get("controllerName")) for parent in _parents(route))


def _parents(route: Json) -> list[Any]:
    return _items(_mapping(route.get("status")).get("parents"))[:_MOST_GATEWAYS]


def _problem(conditions: Sequence[Any], generation: Any) -> str:
    by_kind = {str(one.get("type")): one for one in conditions if isinstance(one, Mapping)}
    wanted = {"Accepted": "True", "ResolvedRefs": "True", "PartiallyInvalid": "False"}
    accepted = by_kind.get("Accepted")
    if accepted is None:
        return "it has not accepted the HTTPRoute"
    for kind, status in wanted.items():
        condition = by_kind.get(kind)
        if condition is not None and condition.get("status") != status:
            text = f"{kind} is {condition.get('status')}: {condition.get('reason')}: {condition.get('message')}"
            return "".join(c if c.isprintable() else "?" for c in text[:_MAX_SHOWN])
    observed = accepted.get("observedGeneration")
    if isinstance(observed, int) and isinstance(generation, int) and observed < generation:
        return f"it serves generation {observed} of the HTTPRoute, which has {generation}"
    return ""
