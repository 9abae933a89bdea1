"""Checks the rules that concern more than one section of the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from glidepath.call_classes import MULTIPART_CALLS, CallClass, call_class, is_grpc_method
from glidepath.config.comparison import FREE_TEXT
from glidepath.config.doubled_paths import doubled_path
from glidepath.config.gates import EXACT_TASKS
from glidepath.config.listen_addresses import conflicts, listen_addresses
from glidepath.config.partial_validation import FAULTY, FaultyValueError, has_faults
from glidepath.config.root import Config
from glidepath.config.workload import Workload
from glidepath.envoy_names import CREDENTIAL_HEADERS
from glidepath.name_suggestions import allowed_names
from glidepath.split_leases import shortest_lost_after

_ROLES = ("baseline", "candidate")
_LONGEST_ANNOTATED = 53  # the name of an annotation has at most 63 characters, with .autopilot
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Problem:
    """A violation of a rule: the path of the key at fault, and a message about its value."""

    path: tuple[str | int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Names:
    """The names of all backends and workloads in the configuration file."""

    backends: tuple[str, ...]
    workloads: tuple[str, ...]


def cross_check(config: Config, names: Names) -> list[Problem]:
    """Return all violations of rules in the configuration.

    ``config`` may have FAULTY in place of invalid values (``partial_validation``). A rule that needs such a value is
    not checked. ``names`` has the names of all backends and workloads in the file.
    """
    rules = [
        _no_workloads(config),
        _no_backends(config),
        _unknown_default(config, names),
        _unknown_in_registry(config, names),
        *(_unknown_side(name, workload, role, names) for name, workload in _workloads(config) for role in _ROLES),
        *(_unknown_after(name, workload, names) for name, workload in _workloads(config)),
        *(rule(config, name, workload) for name, workload in _workloads(config) for rule in _WORKLOAD_RULES),
        *(_doubled_path(config, backend, served) for backend, served in _served(config).items()),
        _same_address(config),
        _same_match(config),
        _same_rule(config),
        _order_cycle(config),
    ]
    return [problem for rule in rules for problem in unless_faulty(rule)]


def _workloads(config: Config) -> list[tuple[str, Workload]]:
    return list(unless_faulty(_items(config)))


def _items(config: Config) -> Iterator[tuple[str, Workload]]:
    yield from config.workloads.items()


def unless_faulty(found: Iterable[_T]) -> Iterator[_T]:
    """Yield the results of a rule until the rule needs a value that has an error of its own."""
    with suppress(FaultyValueError):
        yield from found


def _no_workloads(config: Config) -> Iterator[Problem]:
    if not config.workloads and config.inventory is None:
        yield Problem(
            ("workloads",), "is missing (add a workload, or inventory: {} to observe the traffic without one)"
        )


def _no_backends(config: Config) -> Iterator[Problem]:
    if config.workloads and not config.backends:
        yield Problem(("backends",), "is missing (workloads need a baseline and a candidate)")


def _unknown_default(config: Config, names: Names) -> Iterator[Problem]:
    default = config.envoy.default_backend
    if default is not None and default not in names.backends:
        yield _unknown(("envoy", "default_backend"), "backend", default, names.backends)


def _unknown_in_registry(config: Config, names: Names) -> Iterator[Problem]:
    for backend in config.registry.models if config.registry else ():
        if backend not in names.backends:
            yield _unknown(("registry", "models", backend), "backend", backend, names.backends)


def _unknown_side(name: str, workload: Workload, role: str, names: Names) -> Iterator[Problem]:
    backend = getattr(workload, role)
    if names.backends and backend not in names.backends:
        yield _unknown(("workloads", name, role), "backend", backend, names.backends)


def _unknown_after(name: str, workload: Workload, names: Names) -> Iterator[Problem]:
    for other in workload.after:
        if other not in names.workloads:
            yield _unknown(("workloads", name, "after"), "workload", other, names.workloads)


def _unknown(path: tuple[str, ...], what: str, name: str, names: tuple[str, ...]) -> Problem:
    return Problem(path, f"unknown {what} {name!r} {allowed_names(names, name)}")


def _same_side(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    if workload.baseline == workload.candidate:
        yield Problem(("workloads", name, "candidate"), f"is {workload.candidate!r}, the same backend as baseline")


def _opt_out_by_credential(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report an opt-out by a header with a credential.

    The rule would never apply: extproc never reads such a header.
    """
    own = [backend.credential.header for backend in config.backends.values() if backend.credential is not None]
    unread = {*CREDENTIAL_HEADERS, *config.redaction.credential_headers, *own}
    for number, rule in enumerate(workload.shadow.opt_out):
        if rule.header in unread:
            path = ("workloads", name, "shadow", "opt_out", number, "header")
            yield Problem(path, f"{rule.header!r} carries a credential, so extproc never reads it; name another header")


def _start_off_the_ramp(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    if workload.start not in (0, *workload.ramp.steps):
        allowed = ", ".join(f"{s:g}" for s in (0, *workload.ramp.steps))
        yield Problem(
            ("workloads", name, "start"), f"{workload.start:g} is not a step of the ramp (allowed: {allowed})"
        )


def _probes_without_path(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    if workload.probes is not None and workload.probes.path is None and workload.match.path is None:
        yield Problem(("workloads", name, "probes"), "needs a path, since match has only a path_prefix")


def _evaluator_without_text(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report an evaluator that cannot judge the answers of its workload."""
    if workload.scoring.evaluator is not None and workload.task not in FREE_TEXT:
        message = f"has no effect on answers of task {workload.task}; it judges {', '.join(FREE_TEXT)}"
        yield Problem(("workloads", name, "scoring", "evaluator"), message)


def _preference_without_evaluator(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    gates = workload.gates
    given = gates.preference is not None and "preference" in gates.model_fields_set
    if given and workload.scoring.evaluator is None:
        message = "has no effect without an evaluator; add scoring.evaluator"
        yield Problem(("workloads", name, "gates", "preference"), message)


def _correctness_without_truth(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report a correctness gate in a workload without any evidence of which answers are right."""
    given = workload.gates.correctness is not None and "correctness" in workload.gates.model_fields_set
    if given and workload.scoring.verifier is None and workload.task not in (*EXACT_TASKS, *FREE_TEXT):
        message = f"has no effect on answers of task {workload.task} without a verifier; add scoring.verifier"
        yield Problem(("workloads", name, "gates", "correctness"), message)


def _feedback_gate_without_feedback(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    given = workload.gates.feedback is not None and "feedback" in workload.gates.model_fields_set
    if given and workload.feedback is None:
        message = f"has no effect without feedback; add workloads.{name}.feedback"
        yield Problem(("workloads", name, "gates", "feedback"), message)


def _cost_without_price(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report a limit on the cost of copies that has no effect, because neither backend has a price."""
    if workload.shadow.budget.cost is None:
        return
    sides = [config.backends[side] for side in (workload.baseline, workload.candidate) if side in config.backends]
    if len(sides) == 2 and not any(side.price is not None and side.price.by_token for side in sides):
        message = f"has no effect, because neither {workload.baseline} nor {workload.candidate} has a price of tokens"
        yield Problem(("workloads", name, "shadow", "budget", "cost"), message)


def _never_split(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report a path whose calls are never split: files, batches, threads and the like."""
    key = "path" if workload.match.path is not None else "path_prefix"
    path = workload.match.path or workload.match.path_prefix or ""
    found = call_class("POST", path)
    if found in (CallClass.MANAGEMENT, CallClass.STATEFUL):
        message = f"has only {found.value} calls ({path}), which always go to the baseline; name a path of inference"
        yield Problem(("workloads", name, "match", key), message)


def _model_of_an_unchanged_body(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report a ``model`` that has no effect, because Envoy does not change the bodies of the workload's requests."""
    path = (workload.match.path or "").rstrip("/")
    is_form = path.endswith(MULTIPART_CALLS)
    if not is_form and not is_grpc_method(path):
        return
    why = (
        "whose requests are forms with a file" if is_form else "a method of gRPC, whose messages Envoy does not change"
    )
    for role in _ROLES:
        for backend in unless_faulty(_side(config, workload, role)):
            if config.backends[backend].model is not None:
                message = (
                    f"has no effect on {path} (workloads.{name}), {why}: serve the model under the name that clients "
                    "send, and use a backend without model for this workload"
                )
                yield Problem(("backends", backend, "model"), message)


def _lost_before_takeover(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report a ``lost_after`` that is too short: the split's lease would end before another scorer can take over."""
    least = shortest_lost_after(config.scorer.lease)
    if workload.if_lost == "baseline" and workload.lost_after < least:
        message = (
            f"{workload.lost_after:g} s is less than a change of the leading scorer takes, so each change would end "
            f"the split (set at least {least:g}s with scorer.lease: {config.scorer.lease:g}s)"
        )
        yield Problem(("workloads", name, "lost_after"), message)


def _time_of_no_lease(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    if workload.if_lost == "hold" and "lost_after" in workload.model_fields_set:
        yield Problem(("workloads", name, "lost_after"), "has no effect with if_lost: hold; set if_lost: baseline")


def _not_in_an_http_route(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report settings that only Envoy's own split supports, in a workload whose weights are in an HTTPRoute."""
    if workload.actuator is None:
        return
    path = ("workloads", name)
    if workload.fallback:
        yield Problem((*path, "fallback"), "is not possible where an HTTPRoute splits (actuator): set fallback: false")
    if workload.declared_sticky is not None:
        message = "has no effect where an HTTPRoute splits (actuator): set sticky: {random: true}, or leave it out"
        yield Problem((*path, "sticky"), message)
    if workload.if_lost == "baseline":
        message = "is not possible where an HTTPRoute splits (actuator), which keeps its weights: set if_lost: hold"
        yield Problem((*path, "if_lost"), message)
    if len(name) > _LONGEST_ANNOTATED:
        message = f"must have at most {_LONGEST_ANNOTATED} characters, because annotations have the workload's name"
        yield Problem(path, message)


def _same_rule(config: Config) -> Iterator[Problem]:
    """Report two workloads that have their weights in the same rule of an HTTPRoute."""
    seen: dict[str, str] = {}
    for name, workload in _workloads(config):
        if workload is FAULTY or has_faults(workload.actuator) or workload.actuator is None:
            continue
        other = seen.setdefault(workload.actuator.place, name)
        if other != name:
            message = f"is the rule {workload.actuator.place}, which has the weights of {other!r} already"
            yield Problem(("workloads", name, "actuator"), message)


def _strips_at_a_cluster(config: Config, name: str, workload: Workload) -> Iterator[Problem]:
    """Report ``foreign_reasoning: strip`` of a baseline with ``cluster``.

    Glidepath does not change requests to a baseline that is an existing cluster of Envoy.
    """
    for backend in unless_faulty(_side(config, workload, "baseline")):
        section = config.backends[backend]
        if section.cluster is not None and section.foreign_reasoning == "strip":
            message = "strip needs url: Glidepath does not change requests to a baseline that is an existing cluster"
            yield Problem(("backends", backend, "foreign_reasoning"), message)


_WORKLOAD_RULES = (
    _strips_at_a_cluster,
    _model_of_an_unchanged_body,
    _same_side,
    _never_split,
    _opt_out_by_credential,
    _start_off_the_ramp,
    _probes_without_path,
    _evaluator_without_text,
    _preference_without_evaluator,
    _correctness_without_truth,
    _feedback_gate_without_feedback,
    _cost_without_price,
    _lost_before_takeover,
    _time_of_no_lease,
    _not_in_an_http_route,
)


def _served(config: Config) -> Mapping[str, Sequence[Workload]]:
    """Return for each backend the workloads that it serves."""
    served: dict[str, list[Workload]] = {}
    for _, workload in _workloads(config):
        for role in _ROLES:
            for backend in unless_faulty(_side(config, workload, role)):
                served.setdefault(backend, []).append(workload)
    return served


def _side(config: Config, workload: Workload, role: str) -> Iterator[str]:
    name = getattr(workload, role)
    if name in config.backends:
        yield name


def _doubled_path(config: Config, name: str, served: Sequence[Workload]) -> Iterator[Problem]:
    message = doubled_path(config.backends[name], served)
    if message is not None:
        yield Problem(("backends", name, "url"), message)


def _same_address(config: Config) -> Iterator[Problem]:
    """Report each address on which one process would listen twice.

    Two processes may have the same address, because they may run on different machines.
    """
    for conflict in conflicts(listen_addresses(config), on_one_machine=False):
        yield Problem(conflict.second.key, conflict.message)


def _same_match(config: Config) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, workload in _workloads(config):
        if workload is FAULTY or has_faults(workload.match):
            continue
        match = workload.match.model_dump_json()
        if match in seen:
            yield Problem(("workloads", name, "match"), f"is the same as the match of {seen[match]!r}")
        seen.setdefault(match, name)


def _order_cycle(config: Config) -> Iterator[Problem]:
    try:
        TopologicalSorter({name: workload.after for name, workload in config.workloads.items()}).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        yield Problem(("workloads", cycle[0], "after"), f"waits for itself: {' → '.join(cycle)}")
