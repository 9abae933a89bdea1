"""The checks of ``glidepath doctor`` on the HTTPRoutes that contain a workload's weights (``actuator``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glidepath.config import Config
from glidepath.runtime_keys import FULL_WEIGHT
from glidepath_ops.doctor.facts import Finding, fail, ok, warn
from scorer.steering.envoy.http_route_weights import (
    RouteError,
    SteeredRule,
    backends_of,
    controllers_of,
    entries_of,
    gateways,
    steered_rules,
    tests_of,
)
from scorer.steering.envoy.kubernetes_api import ApiError, KubernetesApi, http_route_path

_PERMISSION = "apply deploy/kubernetes/http-route with the HTTPRoute's namespace and name"
_REMEDIES = {
    0: "check kubernetes.api, token_file and ca_file, or run doctor in the scorer's pod",
    401: "check kubernetes.token_file",
    403: _PERMISSION,
    404: "correct actuator.namespace and actuator.name, or install the Gateway API's resource definitions",
}

_ISTIO, _POOL = "istio.io/gateway-controller", "InferencePool"


@dataclass(frozen=True, slots=True)
class HttpRouteFacts:
    """The API server's answers about the HTTPRoute of one workload.

    ``error``, ``status``: why the HTTPRoute cannot be read.
    ``refused``: why the server refused a patch that changes nothing, or "".
    """

    rule: SteeredRule
    route: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    status: int = 0
    refused: str = ""


async def gather_http_routes(config: Config) -> list[HttpRouteFacts]:
    """Ask the API server about the HTTPRoute of each workload that has one. Nothing is changed."""
    rules = steered_rules(config)
    if not rules:
        return []
    api = KubernetesApi(config.kubernetes)
    try:
        return [await _facts(api, rule) for rule in rules]
    finally:
        await api.close()


async def _facts(api: KubernetesApi, rule: SteeredRule) -> HttpRouteFacts:
    path = http_route_path(rule.target.namespace, rule.target.name)
    try:
        route = await api.get(path)
    except ApiError as error:
        return HttpRouteFacts(rule, error=str(error), status=error.status)
    try:
        await api.patch(path, tests_of(route, rule), dry_run=True)
    except RouteError:
        return HttpRouteFacts(rule, route)
    except ApiError as error:
        return HttpRouteFacts(rule, route, refused=str(error))
    return HttpRouteFacts(rule, route)


def examine_http_routes(found: Sequence[HttpRouteFacts]) -> Iterator[Finding]:
    """Yield the findings on each HTTPRoute. A problem that hides others comes before them."""
    for facts in found:
        subject, name = f"httproute {facts.rule.target.place}", facts.rule.workload
        if facts.error:
            remedy = _REMEDIES.get(facts.status, "look at the log of the API server")
            yield fail(subject, f"{name}: readable", facts.error, remedy)
            continue
        yield _weights(subject, facts)
        if facts.refused:
            yield fail(subject, f"{name}: may be changed", facts.refused, _PERMISSION)
        else:
            yield ok(subject, f"{name}: may be changed", "a patch without a change was accepted")
        yield from _served(subject, facts)
        yield from _picker(subject, facts)


def _weights(subject: str, facts: HttpRouteFacts) -> Finding:
    rule, check = facts.rule, f"{facts.rule.workload}: weights"
    try:
        entries = entries_of(facts.route, rule)
    except RouteError as error:
        remedy = "give the rule the two backendRefs that actuator names, or correct actuator"
        return fail(subject, check, str(error), remedy)
    candidate, baseline = int(entries[rule.keys.candidate]), int(entries[rule.keys.baseline])
    if candidate + baseline != FULL_WEIGHT:
        return fail(subject, check, "both are 0, so no backend serves the rule", "give the baseline a weight")
    percent = 100 * candidate / FULL_WEIGHT
    return ok(subject, check, f"{percent:g} % for {rule.target.candidate.kind} {rule.target.candidate.name}")


def _served(subject: str, facts: HttpRouteFacts) -> Iterator[Finding]:
    check = f"{facts.rule.workload}: served"
    for one in gateways(facts.route):
        if one.problem:
            remedy = "look at the status of the HTTPRoute; no share is confirmed before each Gateway serves it"
            yield warn(subject, check, f"{one.name}: {one.problem}", remedy)
        else:
            yield ok(subject, check, f"{one.name} serves it as it is")


def _picker(subject: str, facts: HttpRouteFacts) -> Iterator[Finding]:
    """Yield a warning if Istio does not use the endpoint picker of an InferencePool.

    Istio uses the picker of the rule's last backendRef with a weight, and no picker if that is not an InferencePool
    (1.31, ``buildHTTPDestination`` in pilot/pkg/config/kube/gateway/conversion.go).
    """
    if _ISTIO not in controllers_of(facts.route):
        return
    try:
        first, last = backends_of(facts.route, facts.rule)
    except RouteError:
        return
    if first.get("kind") == _POOL and last.get("kind") != _POOL:
        detail = f"InferencePool {first['name']} is not the last backendRef of the rule, so Istio asks no picker for it"
        yield warn(subject, f"{facts.rule.workload}: endpoint picker", detail, "put the InferencePool last")
