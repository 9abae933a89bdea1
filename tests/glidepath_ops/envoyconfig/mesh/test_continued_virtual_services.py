"""Tests of the completed VirtualServices: the continued routes, the content of a copy, and refusals."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath.errors import GlidepathError
from glidepath_ops.envoyconfig.header_rules import RoutedHeader
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import (
    RouteChoice,
    SplitRoute,
    complete_virtual_services,
    continued_by_name,
)
from glidepath_ops.envoyconfig.mesh.new_virtual_service import routes_of_service
from glidepath_ops.envoyconfig.yaml_insertion import remove
from tests.support import quick_yaml

HOST = "llm.models.svc.cluster.local"
CLUSTER = f"outbound|8000||{HOST}"
DESTINATION = f"{{destination: {{host: {HOST}, port: {{number: 8000}}}}}}"
PATH = "/v1/chat/completions"


HASH = "{loadBalancer: {consistentHash: {httpHeaderName: a}}}"


def config(fallback: bool = True, cluster: str = CLUSTER, sticky: dict[str, Any] | None = None, **match: Any) -> Config:
    """Return a configuration with which Envoy reads no requests, so that one copy of a route is enough."""
    workload: dict[str, Any] = {"match": match or {"path": PATH}, "baseline": "cloud", "candidate": "onprem"}
    workload |= {"stateless": True, "sticky": sticky or {"random": True}}
    return parse_config(
        yaml.safe_dump(
            {
                "backends": {"cloud": {"cluster": cluster, "host": HOST}, "onprem": {"url": "http://127.0.0.1:9"}},
                "workloads": {"chat": {**workload, "fallback": fallback}},
            }
        )
    )


def service(*entries: str, namespace: str = "namespace: apps, ") -> str:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    head = f"kind: VirtualService\nmetadata: {{{namespace}name: vs}}\nspec:\n  hosts: ['*']\n  http:\n"
    return f"apiVersion: networking.istio.io/v1\n{head}{lines}"


def entry(rest: str = "", route: str = DESTINATION) -> str:
    return f"{{{rest}{', ' if rest else ''}route: [{route}]}}"


def routes(text: str, settings: Config | None = None) -> list[dict[str, Any]]:
    """Return the HTTP routes of the completed VirtualService ``text``."""
    found = complete_virtual_services(text, settings or config(), "vs.yaml")
    assert found.text is not None
    assert remove(found.text) == text
    assert complete_virtual_services(found.text, settings or config(), "vs.yaml").text == found.text
    result: list[dict[str, Any]] = quick_yaml.safe_load(found.text)["spec"]["http"]
    return result


def copies(text: str, settings: Config | None = None) -> list[dict[str, Any]]:
    return [one for one in routes(text, settings) if str(one.get("name")).startswith("glidepath-")]


def test_a_copy_has_all_that_the_route_has_and_comes_directly_before_it() -> None:
    rest = (
        "name: models, match: [{uri: {prefix: /v1/}, gateways: [public]}], timeout: 60s, retries: {attempts: 3}, "
        "fault: {delay: {fixedDelay: 1s}}, corsPolicy: {maxAge: 24h}, headers: {request: {set: {x-tenant: 'yes'}}}, "
        "mirror: {host: copy.example}, mirrorPercentage: {value: 1.5}"
    )
    pages, own, theirs, _, last = routes(
        service(entry("name: pages, match: [{uri: {prefix: /pages}}]"), entry(rest), entry())
    )
    assert (pages["name"], last) == ("pages", {"route": theirs["route"]})
    condition = {"uri": {"exact": PATH}, "method": {"exact": "POST"}, "gateways": ["public"]}
    assert own == {**theirs, "name": "glidepath-chat", "match": [condition]}


def test_the_file_is_otherwise_unchanged_to_the_byte() -> None:
    text = "# mine\n" + service(entry("match: [{uri: {prefix: /v1/}}]")).replace("hosts", "hosts ") + "# end"
    completed = complete_virtual_services(text, config(), "vs.yaml").text
    assert completed is not None
    assert [line for line in completed.splitlines() if line in text.splitlines()] == text.splitlines()


@pytest.mark.parametrize(
    ("match", "theirs", "ours"),
    [
        ({"path": PATH}, "", [{"exact": PATH}]),
        ({"path": PATH}, "match: [{uri: {exact: /v1/chat/completions}}]", [{"exact": PATH}]),
        ({"path": PATH}, "match: [{uri: {regex: '/v[12]/.*'}}]", [{"exact": PATH}]),
        ({"path": PATH}, "match: [{uri: {prefix: /V1}, ignoreUriCase: true}]", [{"exact": PATH}]),
        ({"path_prefix": "/v1"}, "", [{"exact": "/v1"}, {"prefix": "/v1/"}]),
        ({"path_prefix": "/v1"}, "match: [{uri: {prefix: /v1/}}]", [{"prefix": "/v1/"}]),
        ({"path_prefix": "/v1"}, "match: [{uri: {prefix: /v1/chat}}]", [{"prefix": "/v1/chat"}]),
        ({"path_prefix": "/v1"}, "match: [{uri: {exact: /v1/chat}}]", [{"exact": "/v1/chat"}]),
        ({"path_prefix": "/"}, "match: [{uri: {prefix: /v1}}]", [{"prefix": "/v1"}]),
        ({"path_prefix": "/"}, "", [{"prefix": "/"}]),
    ],
)
def test_the_copy_matches_the_paths_of_both_the_route_and_the_workload(
    match: dict[str, str], theirs: str, ours: list[dict[str, str]]
) -> None:
    found = [one for copy in copies(service(entry(theirs)), config(**match)) for one in copy["match"]]
    assert [one["uri"] for one in found] == ours
    assert not any("ignoreUriCase" in one for one in found)


@pytest.mark.parametrize(
    "theirs",
    [
        "{uri: {prefix: /v2}}",
        "{uri: {exact: /v1}}",
        "{uri: {regex: /v2/.*}}",
        "{method: {exact: OPTIONS}}",
        "{headers: {x-team: {exact: b}}}",
        "{withoutHeaders: {x-team: {}}}",
        "{authority: {exact: other.example}}",
    ],
)
def test_a_route_that_matches_no_request_of_the_workload_is_not_continued(theirs: str) -> None:
    settings = config(path=PATH, headers={"X-Team": "a"}, host="llm.example")
    text = service(entry(f"name: first, match: [{theirs}]"), entry("name: second"))
    assert [one.get("name") for one in routes(text, settings)] == ["first", "glidepath-chat", "second"]


def test_the_copy_has_the_conditions_of_both_the_route_and_the_workload() -> None:
    theirs = "match: [{headers: {x-team: {prefix: a}, x-tier: {exact: gold}}, queryParams: {beta: {exact: '1'}}}]"
    (copy,) = copies(service(entry(theirs)), config(path=PATH, headers={"X-Team": "abc"}, host="*.example"))
    (condition,) = copy["match"]
    assert condition["headers"] == {"x-team": {"exact": "abc"}, "x-tier": {"exact": "gold"}}
    assert condition["queryParams"] == {"beta": {"exact": "1"}}
    assert condition["authority"] == {"regex": r"(?i)[^:]+\.example(:\d+)?"}


def test_each_route_that_may_serve_a_request_is_continued_until_one_serves_all() -> None:
    beta = entry("name: beta, match: [{headers: {x-beta: {}}}]")
    text = service(beta, entry("name: rest"), entry("name: never"))
    names = [one["name"] for one in routes(text)]
    assert names == ["glidepath-chat", "beta", "glidepath-chat", "rest", "never"]


def test_a_rewrite_keeps_the_part_of_the_path_that_the_copy_matches_in_addition() -> None:
    text = service(entry("match: [{uri: {prefix: /v1/}}], rewrite: {uri: /openai/v1/, authority: x.example}"))
    (copy,) = copies(text)
    assert copy["rewrite"] == {"uri": "/openai/v1/chat/completions", "authority": "x.example"}
    exact, below = copies(service(entry("rewrite: {uri: /a/}")), config(path_prefix="/v1"))
    assert (exact["match"][0]["uri"], exact["rewrite"]["uri"]) == ({"exact": "/v1"}, "/a/v1")
    assert (below["match"][0]["uri"], below["rewrite"]["uri"]) == ({"prefix": "/v1/"}, "/a/v1/")


def test_the_operation_is_that_of_the_users_route() -> None:
    text = service(entry("match: [{uri: {prefix: /v1/}, headers: {a: {}}}, {uri: {regex: '/v.*'}}]"))
    found = complete_virtual_services(text, config(), "vs.yaml").routes
    assert found == [
        SplitRoute("chat", "glidepath-chat", f"{HOST}:8000/v1/*"),
        SplitRoute("chat", "glidepath-chat-2", f"{HOST}:8000/v.*"),
    ]


def test_header_rules_of_credentials_are_known_to_the_fallback() -> None:
    rules = "headers: {request: {set: {Authorization: Bearer a, x-tenant: b}, remove: [x-api-key]}}"
    destination = DESTINATION.removesuffix("}") + ", headers: {request: {set: {authorization: Bearer b}}}}"
    found = complete_virtual_services(service(entry(rules, destination)), config(), "vs.yaml")
    assert found.routed == {
        "onprem-or-cloud": {
            "x-api-key": RoutedHeader(keeps=False),
            "authorization": RoutedHeader(keeps=False, value="Bearer b"),
        }
    }


def test_short_hosts_and_subsets_name_the_cluster() -> None:
    route = "{destination: {host: llm, subset: v2, port: {number: 80}}}"
    cluster = "outbound|80|v2|llm.apps.svc.cluster.local"
    assert len(copies(service(entry(route=route)), config(cluster=cluster))) == 1
    no_port = "{destination: {host: llm, subset: v2}}"
    assert len(copies(service(entry(route=no_port)), config(cluster=cluster))) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            service(entry(route="{destination: {host: a.example, port: {number: 443}}}")),
            r'vs.yaml:7: .*cluster outbound\|443\|\|a.example: set backends.cloud: \{cluster: "outbound\|443\|\|a'
            r".example\", host: a.example\} in glidepath.yaml, .* \(now: outbound\|8000",
        ),
        (service(entry(route="{destination: {host: a.example}}")), r"outbound\|PORT\|\|a.example.* \(PORT: the port"),
        (service(entry(route="{destination: {host: llm}}"), namespace=""), "set metadata.namespace"),
        (service(entry(route=f"{DESTINATION}, {DESTINATION}")), "has 2 destinations"),
        (service("{redirect: {uri: /x}}"), "redirects"),
        (service("{directResponse: {status: 404}}"), "answers by itself"),
        (service("{delegate: {name: x}}"), "delegates to .* without hosts, .* without --into, with fallback: false"),
        (service(entry()).replace("hosts: ['*']", "x: y"), "without hosts"),
        (service(entry("match: [{uri: {prefix: /pages}}]")), "workloads.chat: no HTTP route .*POST /v1/chat"),
        (service(entry("match: [{uri: {regex: '[[:alpha:]]+'}}]")), "vs.yaml:7: the regular expression"),
        (service(entry("match: [{uri: {regex: '('}}]")), "vs.yaml:7: the regular expression"),
        (service(entry("timeout: 20s")), "ends every answer after 20 s.*first_byte_timeout below 20s"),
        (service(entry("timeout: soon")), "not a duration"),
        (service(entry("headers: {request: {set: {authorization: '%REQ(x)%'}}}")), "authorization"),
        ("kind: Gateway\n", "has no VirtualService"),
        ("{", "is not YAML"),
    ],
)
def test_what_cannot_be_continued_is_refused_with_place_and_remedy(text: str, problem: str) -> None:
    with pytest.raises(GlidepathError, match=problem):
        complete_virtual_services(text, config(), "vs.yaml")


@pytest.mark.parametrize(
    "first",
    [
        "{match: [{port: 80}], redirect: {scheme: https}}",
        "{match: [{scheme: {exact: http}}], redirect: {scheme: https}}",
        "{match: [{headers: {x-old: {exact: 'yes'}}}], directResponse: {status: 410}}",
    ],
)
def test_a_route_that_answers_some_requests_without_a_backend_stays_before_the_copy(first: str) -> None:
    found = routes(service(first, entry("name: models")))
    assert [one.get("name") for one in found] == [None, "glidepath-chat", "models"]
    assert found[0] == quick_yaml.safe_load(first)


def test_a_timeout_of_minutes_leaves_time_for_the_fallback() -> None:
    assert len(copies(service(entry("timeout: 1m30.5s")))) == 1
    assert len(copies(service(entry("timeout: 1s")), config(fallback=False))) == 1


def test_a_host_condition_that_cannot_be_combined_is_refused() -> None:
    text = service(entry("match: [{authority: {prefix: llm}}]"))
    with pytest.raises(GlidepathError, match=r"vs.yaml:7: .*remove match.host"):
        complete_virtual_services(text, config(path=PATH, host="llm.example"), "vs.yaml")


def test_a_sticky_workload_with_a_hash_of_the_users_is_refused() -> None:
    rule = (
        f"---\nkind: DestinationRule\nspec: {{host: {HOST}, trafficPolicy: {{loadBalancer: {{consistentHash: "
        "{httpHeaderName: a}}}}\n"
    )
    with pytest.raises(GlidepathError, match=r"workloads.chat.sticky: vs.yaml:9: .*remove sticky or consistentHash"):
        complete_virtual_services(service(entry()) + rule, config(sticky={"header": "x-user"}), "vs.yaml")


def test_where_users_are_assigned_by_a_hash_of_their_own_the_file_must_not_say_at_random() -> None:
    text = service(entry()) + f"---\nkind: DestinationRule\nspec: {{host: {HOST}, trafficPolicy: {HASH}}}\n"
    assert complete_virtual_services(text, config(sticky={"route": True}), "vs.yaml").text
    with pytest.raises(GlidepathError, match=r"vs.yaml:9: .*set workloads.chat.sticky: \{route: true\}"):
        complete_virtual_services(text, config(), "vs.yaml")


def test_a_route_that_an_envoy_filter_finds_by_its_name_is_refused() -> None:
    patch = "{applyTo: HTTP_ROUTE, match: {routeConfiguration: {vhost: {route: {name: %s}}}}}"
    text = service(entry("name: models")) + "---\nkind: EnvoyFilter\nspec: {configPatches: [" + patch + "]}\n"
    assert complete_virtual_services(text % "pages", config(), "vs.yaml").text
    with pytest.raises(GlidepathError, match=r"vs.yaml:9: this EnvoyFilter finds the route models by its name"):
        complete_virtual_services(text % "models", config(), "vs.yaml")


def test_an_option_chooses_the_virtual_service_and_the_route() -> None:
    first = service(entry("name: a"), entry("name: b"))
    second = first.replace("name: vs", "name: other")
    text = f"{first}---\n{second}"
    found = complete_virtual_services(text, config(), "vs.yaml", RouteChoice("apps", "other", "a")).text or ""
    documents = list(quick_yaml.safe_load_all(found))
    assert [[one["name"] for one in document["spec"]["http"]] for document in documents] == [
        ["a", "b"],
        ["glidepath-chat", "a", "b"],
    ]
    with pytest.raises(GlidepathError, match="has no VirtualService web/vs"):
        complete_virtual_services(text, config(), "vs.yaml", RouteChoice("web", "vs"))


def test_routes_named_by_an_option_need_a_workload_if_there_are_several() -> None:
    alone = config(fallback=False)
    assert continued_by_name(alone, ["apps/vs/narrow"]).routes == [SplitRoute("chat", "narrow")]
    assert continued_by_name(alone, ["chat=apps/vs/narrow"]).routes == [SplitRoute("chat", "narrow")]
    for choices, problem in (
        (["apps/vs"], "NAMESPACE/NAME/HTTP-ROUTE"),
        (["x=apps/vs/r"], "unknown workload 'x'"),
        ([], "give one for the workload chat"),
    ):
        with pytest.raises(GlidepathError, match=problem):
            continued_by_name(alone, choices)


def test_a_service_without_virtual_service_gets_one_that_alone_changes_no_destination() -> None:
    found = routes_of_service(config(), f"{HOST}:8000", "sidecar", "apps", {"app": "a"})
    (resource,) = found.resources
    assert resource["metadata"] == {"name": "glidepath", "namespace": "apps"}
    assert resource["spec"]["exportTo"] == ["."]
    narrow, rest = resource["spec"]["http"]
    (condition,) = narrow["match"]
    assert condition == {
        "uri": {"exact": PATH},
        "method": {"exact": "POST"},
        "port": 8000,
        "sourceLabels": {"app": "a"},
    }
    assert narrow["route"] == [{"destination": {"host": HOST, "port": {"number": 8000}}}]
    assert rest["route"] == [{"destination": {"host": HOST}}]
    assert found.routes == [SplitRoute("chat", "glidepath-chat", f"{HOST}:8000/*")]


@pytest.mark.parametrize(
    ("service_name", "context", "problem"),
    [
        ("llm:8000", "sidecar", "whole name"),
        (HOST, "sidecar", "HOST:PORT"),
        (f"{HOST}:8000", "gateway", "--context sidecar"),
        (f"{HOST}:80", "sidecar", r'set backends.cloud: \{cluster: "outbound\|80\|\|llm'),
    ],
)
def test_an_invalid_service_is_refused(service_name: str, context: str, problem: str) -> None:
    with pytest.raises(GlidepathError, match=problem):
        routes_of_service(config(), service_name, context, "apps", {"app": "a"})


def test_requests_without_a_sticky_value_have_a_copy_of_their_own() -> None:
    settings = config(sticky={"header": "X-User"})
    split, random, own = routes(service(entry()), settings)
    assert (split.pop("name"), random.pop("name")) == ("glidepath-chat", "glidepath-chat.random")
    assert random == split
    assert "name" not in own
    found = routes_of_service(settings, f"{HOST}:8000", "sidecar", "apps", {"app": "a"})
    assert [one.name for one in found.routes] == ["glidepath-chat", "glidepath-chat.random"]


def test_of_workloads_with_one_route_all_splits_come_before_the_first_that_reads() -> None:
    workloads = {
        name: {"match": {"path": PATH, "model": name}, "baseline": "cloud", "candidate": "onprem"}
        for name in ("large", "small")
    }
    backends = {"cloud": {"cluster": CLUSTER, "host": HOST}, "onprem": {"url": "http://127.0.0.1:9"}}
    settings = parse_config(yaml.safe_dump({"backends": backends, "workloads": workloads}))
    names = [one.get("name", "own") for one in routes(service(entry()), settings)]
    assert names == [
        *("glidepath-large", "glidepath-large.whole", "glidepath-large.state", "glidepath-large.unread"),
        *("glidepath-small", "glidepath-small.whole", "glidepath-small.state", "glidepath-small.unread"),
        *("glidepath-large.read", "glidepath-small.read", "glidepath-large.rest", "glidepath-small.rest", "own"),
    ]


def read_config(**candidate: str) -> Config:
    """Return a configuration with which Envoy reads requests. ``candidate``: further settings of the candidate."""
    workload = {"match": {"path": PATH}, "baseline": "cloud", "candidate": "onprem", "stateless": True}
    backends = {"cloud": {"cluster": CLUSTER, "host": HOST}, "onprem": {"url": "http://127.0.0.1:9", **candidate}}
    return parse_config(yaml.safe_dump({"backends": backends, "workloads": {"chat": workload}}))


@pytest.mark.parametrize(
    ("timeout", "candidate", "whole"),
    [
        ("0s", {}, ["glidepath-chat.whole"]),
        ("700s", {}, ["glidepath-chat.whole"]),
        ("600s", {}, []),  # the baseline could not answer any more after the default limit
        ("0s", {"first_byte_timeout": "40s"}, []),
        ("0s", {"first_byte_timeout": "40s", "answer_timeout": "60s"}, ["glidepath-chat.whole"]),
    ],
)
def test_answers_that_are_not_streamed_have_a_copy_of_their_own_if_their_limit_differs(
    timeout: str, candidate: dict[str, str], whole: list[str]
) -> None:
    settings = read_config(**candidate)
    names = [one["name"] for one in copies(service(entry(f"timeout: {timeout}")), settings)]
    assert [name for name in names if "whole" in name] == whole


def test_a_route_that_ends_before_a_declared_limit_of_whole_answers_is_refused() -> None:
    settings = read_config(answer_timeout="90s")
    with pytest.raises(GlidepathError, match=r"set backends\.onprem\.answer_timeout below 60s"):
        routes(service(entry("timeout: 60s")), settings)


def test_every_copy_has_all_that_the_route_has() -> None:
    settings = config()
    read = settings.workload("chat").model_copy(update={"sticky": None})
    settings = settings.model_copy(update={"workloads": {"chat": read}})
    first, *others = copies(service(entry("timeout: 60s, corsPolicy: {maxAge: 24h}")), settings)
    assert len(others) == 3
    assert all({**one, "name": ""} == {**first, "name": ""} for one in others)


def test_a_hash_of_the_users_decides_where_no_sticky_value_is_declared() -> None:
    rule = (
        f"---\nkind: DestinationRule\nspec: {{host: {HOST}, trafficPolicy: {{loadBalancer: {{consistentHash: "
        "{httpHeaderName: a}}}}\n"
    )
    by_route = config(sticky={"route": True})
    assert complete_virtual_services(service(entry()) + rule, by_route, "vs.yaml").hashed == {"chat"}
    assert complete_virtual_services(service(entry()), config(), "vs.yaml").hashed == frozenset()
