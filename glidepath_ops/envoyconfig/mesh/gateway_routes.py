"""Finds or makes the HTTPRoute rule of each workload, by the options of ``glidepath render envoy-gateway``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.continued_routes import refuse_unknown_header_rules
from glidepath_ops.envoyconfig.mesh.added_http_rules import Continued
from glidepath_ops.envoyconfig.mesh.continued_http_routes import RuleChoice, complete_http_routes
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import refuse_unread
from glidepath_ops.envoyconfig.mesh.envoy_gateway import GatewayRoutes
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import GeneratedRoutes

_CHOICE = re.compile(r"((?P<workload>[^=/]+)=)?(?P<namespace>[^=/]+)/(?P<name>[^=/]+)(/(?P<rule>\d+))?")


@dataclass(frozen=True, slots=True)
class UsersFile:
    """A file of the user: its name and its text."""

    name: str
    text: str


def route_choices(texts: Sequence[str], config: Config) -> dict[str, RuleChoice]:
    """Return the rules that the user names in ``texts``, by workload. A text is [WORKLOAD=]NAMESPACE/NAME[/RULE].

    A text without WORKLOAD is for all workloads. Raises InputError for a text of another form, and
    UnknownWorkloadError.
    """
    found: dict[str, RuleChoice] = {}
    for text in texts:
        match = _CHOICE.fullmatch(text)
        if match is None:
            raise InputError(f"--route: must be [WORKLOAD=]NAMESPACE/NAME[/RULE] (got {text!r})")
        rule = match["rule"]
        choice = RuleChoice(match["namespace"], match["name"], None if rule is None else int(rule))
        if match["workload"] is None:
            found = dict.fromkeys(config.workloads, choice) | found
        else:
            config.workload(match["workload"])
            found[match["workload"]] = choice
    return found


def gateway_routes(
    config: Config, file: UsersFile | None, choices: Mapping[str, RuleChoice], namespace: str, *, new_route: bool
) -> tuple[GatewayRoutes, str | None]:
    """Return the routes of all workloads, and the completed text of the user's file of HTTPRoutes, if there is one.

    ``new_route``: whether workloads without an HTTPRoute of the user get a new one; if not, such a workload raises
    InputError. So does a rule that cannot be split.
    """
    continued, text = {}, None
    if file is not None:
        completed = complete_http_routes(file.text, config, file.name, namespace, choices)
        continued, text = dict(completed.continued), completed.text
    else:
        continued = {workload: _without_file(config, workload, choice) for workload, choice in choices.items()}
    rest = tuple(workload for workload in config.workloads if workload not in continued)
    if rest and not new_route:
        raise InputError(
            f"workloads.{rest[0]}: no HTTPRoute is known that serves it; give yours with --into FILE, or a rule for "
            "only this workload with --route NAMESPACE/NAME/RULE, or write a new one with --new-route"
        )
    return GatewayRoutes(continued, rest), text


def _without_file(config: Config, workload: str, choice: RuleChoice) -> Continued:
    if choice.rule is None:
        raise InputError(
            f"--route {choice.namespace}/{choice.name}: without --into FILE, name the rule too (NAMESPACE/NAME/RULE); "
            "rules are counted from 0"
        )
    host = config.workload(workload).match.host
    routes = GeneratedRoutes(choice.namespace, choice.name, choice.rule, host)
    place = f"--route {routes.place}"
    refuse_unknown_header_rules(config, workload, place)
    refuse_unread(config, workload, place)
    return Continued(routes, {}, place)
