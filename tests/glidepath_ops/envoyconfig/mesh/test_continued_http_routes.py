"""Tests of the rule that is added to a user's HTTPRoute, and of the HTTPRoutes that are refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.mesh.continued_http_routes import CompletedRoutes, RuleChoice, complete_http_routes
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import CopyKind, refuse_unread
from glidepath_ops.envoyconfig.yaml_insertion import remove
from tests.support import quick_yaml

# Its requests are not read, so that one copy of a rule is enough.
CHAT: dict[str, Any] = {
    "match": {"path": "/v1/chat/completions"},
    "baseline": "a",
    "candidate": "b",
    "sticky": {"random": True},
    "stateless": True,
}
HEADER = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
HASHED = {"route": True}  # the policy hashes, and chooses the side too
ROUTE = HEADER + "metadata: {name: own, namespace: apps}\nspec:\n  rules:\n"
V1 = "    - matches: [{path: {type: PathPrefix, value: /v1}}]\n      backendRefs: [{name: models, port: 80}]\n"
REST = "    - backendRefs: [{name: web}]\n"


def config(**workload: Any) -> Config:
    backends = {"a": {"url": "http://a"}, "b": {"url": "http://b", "first_byte_timeout": "10s"}}
    return parse_config(yaml.safe_dump({"backends": backends, "workloads": {"chat": {**CHAT, **workload}}}))


def completed(text: str, choice: RuleChoice | None = None, **workload: Any) -> CompletedRoutes:
    choices = {} if choice is None else {"chat": choice}
    return complete_http_routes(text, config(**workload), "route.yaml", "default", choices)


def added(text: str, choice: RuleChoice | None = None, **workload: Any) -> Any:
    """Return the rule that is added, after checking that it is the last rule and that nothing else changes."""
    found = completed(text, choice, **workload)
    assert remove(found.text) == text
    assert complete_http_routes(found.text, config(**workload), "f", "default", {"chat": choice} if choice else {}) == (
        complete_http_routes(text, config(**workload), "f", "default", {"chat": choice} if choice else {})
    )
    routes = found.continued["chat"].routes
    for before, after in zip(quick_yaml.safe_load_all(text), quick_yaml.safe_load_all(found.text), strict=True):
        if before["metadata"]["name"] == routes.name:
            assert after["spec"]["rules"][:-1] == before["spec"]["rules"]
            assert routes.rule == len(before["spec"]["rules"])
            return after["spec"]["rules"][-1]
    raise AssertionError(routes)


def test_the_copy_has_all_that_the_users_rule_has() -> None:
    rule = V1 + (
        "      filters: [{type: CORS, cors: {allowOrigins: ['https://x']}}]\n      timeouts: {request: 30s}\n"
        "      retry: {attempts: 2}\n"
    )
    ours = added(ROUTE + REST + rule)
    assert ours["matches"] == [{"path": {"type": "Exact", "value": "/v1/chat/completions"}, "method": "POST"}]
    theirs = quick_yaml.safe_load(ROUTE + REST + rule)["spec"]["rules"][1]
    assert {key: ours[key] for key in ("filters", "timeouts", "retry")} == {
        key: theirs[key] for key in ("filters", "timeouts", "retry")
    }
    (reference,) = ours["backendRefs"]
    (forcing,) = reference.pop("filters")
    assert reference == theirs["backendRefs"][0]
    assert forcing["requestHeaderModifier"] == {"remove": ["x-glidepath-backend"]}


def test_the_generated_names() -> None:
    routes = completed(ROUTE + V1).continued["chat"].routes
    assert routes.cluster == "httproute/apps/own/rule/1/backend/0"
    assert routes.json_path() == "..routes[?(@.name =~ '^httproute/apps/own/rule/1/match/')]"
    without = completed((ROUTE + V1).replace(", namespace: apps", ""))
    assert without.continued["chat"].routes.namespace == "default"


@pytest.mark.parametrize(
    ("match", "workload", "wanted"),
    [
        ("{}", {"path": "/a"}, {"path": ("Exact", "/a")}),
        ("{path: {value: /a}}", {"path": "/a"}, {"path": ("Exact", "/a")}),
        ("{path: {value: /a/}}", {"path": "/a/b"}, {"path": ("Exact", "/a/b")}),
        ("{path: {type: RegularExpression, value: '/(a|b)'}}", {"path": "/b"}, {"path": ("Exact", "/b")}),
        ("{path: {value: /a}}", {"path_prefix": "/a/b/"}, {"path": ("PathPrefix", "/a/b")}),
        ("{path: {value: /a/b}}", {"path_prefix": "/a"}, {"path": ("PathPrefix", "/a/b")}),
        ("{path: {type: Exact, value: /a/b}}", {"path_prefix": "/a"}, {"path": ("Exact", "/a/b")}),
        ("{path: {value: /}}", {"path_prefix": "/"}, {"path": ("PathPrefix", "/")}),
        (
            "{headers: [{name: X-Team, value: s}], queryParams: [{name: q, value: '1'}]}",
            {"path": "/a", "headers": {"X-Kind": "k"}},
            {
                "path": ("Exact", "/a"),
                "headers": [("x-team", "s"), ("x-kind", "k")],
                "queryParams": [{"name": "q", "value": "1"}],
            },
        ),
        *(
            (
                f"{{headers: [{{type: RegularExpression, name: x-kind, value: '{pattern}'}}]}}",
                {"path": "/a", "headers": {"X-Kind": "kind"}},
                {"path": ("Exact", "/a"), "headers": [("x-kind", "kind")]},
            )
            for pattern in ("k.*", "[[:alpha:]]+", r"\p{L}+")
        ),
        ("{path: {type: RegularExpression, value: '/[[:alpha:]]+'}}", {"path": "/b"}, {"path": ("Exact", "/b")}),
    ],
)
def test_the_match_is_narrowed(match: str, workload: dict[str, Any], wanted: dict[str, Any]) -> None:
    text = ROUTE + f"    - matches: [{match}]\n      backendRefs: [{{name: models}}]\n"
    (found,) = added(text, match=workload)["matches"]
    assert found.pop("method") == "POST"
    assert (found["path"]["type"], found["path"]["value"]) == wanted["path"]
    headers = [(one["name"].lower(), one["value"]) for one in found.get("headers", [])]
    assert headers == wanted.get("headers", [])
    assert found.get("queryParams", []) == wanted.get("queryParams", [])


@pytest.mark.parametrize(
    ("match", "workload"),
    [
        ("{path: {value: /v2}}", {"path": "/v1"}),
        ("{path: {value: /v}}", {"path": "/v1"}),
        ("{path: {type: Exact, value: /v1}}", {"path": "/v1/a"}),
        ("{path: {type: RegularExpression, value: '/v'}}", {"path": "/v1"}),
        ("{method: GET}", {"path": "/v1"}),
        ("{headers: [{name: x-kind, value: other}]}", {"path": "/v1", "headers": {"x-kind": "k"}}),
        ("{path: {value: /v2}}", {"path_prefix": "/v1"}),
    ],
)
def test_a_rule_without_requests_of_the_workload_is_not_copied(match: str, workload: dict[str, Any]) -> None:
    text = ROUTE + f"    - matches: [{match}]\n      backendRefs: [{{name: models}}]\n"
    found = completed(text, match=workload)
    assert (found.text, found.continued) == (text, {})


@pytest.mark.parametrize(
    ("workload", "wanted"),
    [
        ({"path": "/v1/chat"}, {"type": "ReplaceFullPath", "replaceFullPath": "/api/chat"}),
        ({"path_prefix": "/v1/chat"}, {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/api/chat"}),
        ({"path_prefix": "/v1"}, {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/api"}),
    ],
)
def test_a_rewrite_of_the_prefix_makes_the_same_path(workload: dict[str, Any], wanted: dict[str, str]) -> None:
    rewrite = "{hostname: m, path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/}}"
    ours = added(ROUTE + V1 + f"      filters: [{{type: URLRewrite, urlRewrite: {rewrite}}}]\n", match=workload)
    assert ours["filters"][0]["urlRewrite"] == {"hostname": "m", "path": wanted}


REWRITTEN = (
    "      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api}}}]\n"
)


@pytest.mark.parametrize(
    ("matches", "wanted"),
    [
        ("[{path: {value: /longer/prefix}}, {path: {value: /v1}}]", "/api/chat/completions"),
        ("[{path: {value: /v1}}, {path: {value: /v1/chat}}]", "/api/completions"),
        ("[{path: {value: /v1/chat}}, {path: {value: /v1}}]", "/api/completions"),
    ],
)
def test_a_rewrite_of_the_prefix_replaces_that_of_the_match_that_serves_the_workload(matches: str, wanted: str) -> None:
    rule = V1.replace("[{path: {type: PathPrefix, value: /v1}}]", matches)
    ours = added(ROUTE + rule + REWRITTEN)
    assert ours["filters"][0]["urlRewrite"]["path"] == {"type": "ReplaceFullPath", "replaceFullPath": wanted}


def test_matches_that_a_rewrite_sends_to_different_paths_are_refused() -> None:
    matches = "[{path: {value: /v1}, headers: [{name: a, value: b}]}, {path: {value: /v1/chat}}]"
    rule = V1.replace("[{path: {type: PathPrefix, value: /v1}}]", matches)
    with pytest.raises(InputError, match="ReplacePrefixMatch rewrites each to another path; make it one rule for each"):
        completed(ROUTE + rule + REWRITTEN)


def test_the_most_specific_rule_that_has_all_requests_is_continued() -> None:
    chat = V1.replace("/v1}", "/v1/chat}").replace("models", "chat")
    assert added(ROUTE + V1 + chat + REST)["backendRefs"][0]["name"] == "chat"


def test_a_rule_that_is_narrow_already_gets_only_the_filter() -> None:
    narrow = (
        "    - matches:\n        - path: {type: Exact, value: /v1/chat/completions}\n          method: POST\n"
        "      name: chat\n      backendRefs:\n        - name: models\n          port: 80\n"
    )
    found = completed(ROUTE + V1 + narrow)
    before, after = quick_yaml.safe_load(ROUTE + V1 + narrow), quick_yaml.safe_load(found.text)
    assert found.continued["chat"].routes.rule == 1
    assert after["spec"]["rules"][1]["backendRefs"][0].pop("filters")
    assert after == before
    assert completed(found.text.replace("# glidepath:", "# ")).continued["chat"].routes.rule == 1


def test_requests_without_a_sticky_value_have_a_rule_of_their_own() -> None:
    sticky = {"header": "X-User"}
    found = completed(ROUTE + V1 + REST, sticky=sticky)
    split, other = quick_yaml.safe_load(found.text)["spec"]["rules"][2:]
    assert other == split
    chat = found.continued["chat"]
    assert (chat.routes.rule, [(routes.rule, copy.kind) for routes, copy in chat.others]) == (2, [(3, CopyKind.RANDOM)])
    narrow = ROUTE + V1.replace("{type: PathPrefix, value: /v1}", "{type: Exact, value: /v1/chat/completions}")
    narrow = narrow.replace("}}]", "}, method: POST}]")
    chat = completed(narrow, sticky=sticky).continued["chat"]
    assert (chat.routes.rule, chat.copy.headers != (), [routes.rule for routes, _ in chat.others]) == (0, True, [1])
    chat = completed(narrow + "      name: chat\n", sticky=sticky).continued["chat"]  # a named rule cannot be copied
    assert (chat.routes.rule, chat.copy.headers, chat.others) == (0, (), [])


def test_header_rules_are_returned_in_envoys_form() -> None:
    changes = "{set: [{name: Authorization, value: 'a%%b'}], add: [{name: x, value: y}], remove: [z]}"
    text = ROUTE + V1 + f"      filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {changes}}}]\n"
    assert completed(text).continued["chat"].header_rules == {
        "request_headers_to_remove": ["z"],
        "request_headers_to_add": [
            {"header": {"key": "Authorization", "value": "a%%b"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
            {"header": {"key": "x", "value": "y"}, "append_action": "APPEND_IF_EXISTS_OR_ADD"},
        ],
    }


POLICY = """\
---
kind: BackendTrafficPolicy
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: own}]
  timeout: {http: {requestTimeout: 20s}}
  loadBalancer: {type: ConsistentHash}
"""
GENERAL = (
    POLICY.replace("targetRefs: [", "targetRef: ")
    .replace("}]", "}")
    .replace("HTTPRoute, name: own", "Gateway, name: e")
)
HOSTS = ROUTE.replace("spec:\n", "spec:\n  hostnames: [a.example, llm.example]\n") + V1
TWO = ROUTE + V1 + "---\n" + ROUTE.replace("own", "other") + V1
CONDITION = V1.replace("{path", "{headers: [{name: x, value: y}], path").replace("models", "special")


def test_a_workload_with_a_host_takes_only_the_routes_of_that_host() -> None:
    found = completed(HOSTS, match={"path": "/v1", "host": "llm.example"})
    assert found.continued["chat"].routes.host == "llm.example"


def test_the_chosen_route_is_continued() -> None:
    assert completed(TWO, RuleChoice("apps", "other")).continued["chat"].routes.name == "other"
    assert completed(ROUTE + REST + V1, RuleChoice("apps", "own", 1)).continued["chat"].routes.rule == 2


@pytest.mark.parametrize(
    ("text", "choice", "workload", "problem"),
    [
        ("kind: Service\n", None, {}, "route.yaml: has no HTTPRoute"),
        ("a: [", None, {}, "route.yaml: is not YAML"),
        (TWO, None, {}, r"several HTTPRoutes .* --route \(allowed: apps/own/0, apps/other/0\)"),
        (TWO, RuleChoice("apps", "no"), {}, r"no HTTPRoute apps/no \(allowed: apps/own, apps/other\)"),
        (TWO, RuleChoice("apps", "own", 4), {}, "apps/own has no such rule"),
        (ROUTE + CONDITION + V1, None, {}, "serves only some requests of workloads.chat, and route.yaml:8"),
        (ROUTE + CONDITION + V1, RuleChoice("apps", "own", 1), {}, "which a copy of .* would take over"),
        (ROUTE + V1 + "      name: chat\n", None, {}, "has the name 'chat', so a policy"),
        (ROUTE + V1.replace("[{name: models, port: 80}]", "[{name: a}, {name: b}]"), None, {}, "has 2 backendRefs"),
        (ROUTE + "    - filters: [{type: RequestRedirect}]\n", None, {}, "redirects the requests"),
        (ROUTE + V1.replace("port: 80", "filters: [{type: CORS}]"), None, {}, "its backendRef has filters"),
        (HOSTS, None, {"match": {"path": "/v1", "host": "b.example"}}, "no hostname b.example .* a.example, llm"),
        (ROUTE + REST * 15 + V1, None, {}, "too many rules"),
        (
            ROUTE + V1.replace("PathPrefix", "RegularExpression"),
            None,
            {"match": {"path_prefix": "/v1"}},
            "give the workload a path",
        ),
        (ROUTE + V1.replace("PathPrefix, value: /v1", "RegularExpression, value: '('"), None, {}, "be evaluated"),
        (
            ROUTE + "    - matches: [{headers: [{type: RegularExpression, name: x-kind, value: '\\Qk'}]}]\n",
            None,
            {"match": {"path": "/a", "headers": {"x-kind": "k"}}},
            r"route.yaml:6: the regular expression '.*Qk' cannot be evaluated",
        ),
        (
            ROUTE + V1 + "      timeouts: {request: 10s}\n",
            None,
            {},
            r"after 10 s, .*b\.first_byte_timeout below",
        ),
        (ROUTE + V1 + "      timeouts: {request: soon}\n", None, {}, "not a duration"),
        (ROUTE + V1 + POLICY.replace("20s", "1s"), None, {"sticky": {"route": True}}, "after 1 s"),
        (ROUTE + V1 + POLICY, None, {}, "set workloads.chat.sticky: {route: true}"),
        (ROUTE + V1 + POLICY, None, {"sticky": {"source_ip": True}}, "remove workloads.chat.sticky"),
        (ROUTE + "    - matches: [{cookies: []}]\n", None, {}, "the condition cookies of this match is not known"),
    ],
)
def test_what_cannot_be_continued_is_refused(
    text: str, choice: RuleChoice | None, workload: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        completed(text, choice, **workload)


def test_filters_of_the_backend_are_kept_without_fallback() -> None:
    text = ROUTE + V1.replace("port: 80", "filters: [{type: CORS}]")
    assert added(text, fallback=False)["backendRefs"] == [{"name": "models", "filters": [{"type": "CORS"}]}]


@pytest.mark.parametrize("policies", ["", POLICY, GENERAL.replace("20s", "1s") + POLICY, POLICY.replace("own", "x")])
def test_a_time_limit_that_leaves_time_for_the_fallback_is_kept(policies: str) -> None:
    assert completed(ROUTE + V1 + policies, sticky=HASHED).continued
    unlimited = "      timeouts: {request: 0s}\n" + POLICY.replace("20s", "1s")
    assert completed(ROUTE + V1 + unlimited, sticky=HASHED).continued
    assert completed(ROUTE + V1 + POLICY.replace("20s", "1s"), fallback=False, sticky=HASHED).continued


def test_a_policy_of_the_gateway_sets_the_time_limit_too() -> None:
    with pytest.raises(InputError, match="after 1 s"):
        completed(ROUTE + V1 + GENERAL.replace("20s", "1s"), sticky=HASHED)


READ: dict[str, Any] = {"sticky": None, "stateless": False}  # each conversation stays on its side, so bodies are read


def test_a_workload_whose_requests_are_read_gets_equal_rules_and_the_split_is_the_first() -> None:
    found = completed(ROUTE + V1 + REST, **READ)
    rules = quick_yaml.safe_load(found.text)["spec"]["rules"]
    split, *others = rules[2:]
    assert len(others) == 4  # for what has state, what cannot be read, the reading, and the rest
    forced = [one.pop("filters", None) for rule in (split, *others) for one in rule["backendRefs"]]
    assert [one is not None for one in forced] == [True, False, False, False, False]
    assert all(rule == split for rule in others)
    chat = found.continued["chat"]
    assert (chat.routes.rule, [routes.rule for routes, _ in chat.others]) == (2, [3, 4, 5, 6])
    assert [copy.kind for _, copy in chat.others] == [CopyKind.PINNED, CopyKind.PINNED, CopyKind.READER, CopyKind.REST]


def test_what_the_candidate_cannot_serve_has_a_rule_before_the_split() -> None:
    backends = {"a": {"url": "http://a"}, "b": {"url": "http://b", "first_byte_timeout": "10s", "max_body": "1KiB"}}
    settings = parse_config(yaml.safe_dump({"backends": backends, "workloads": {"chat": CHAT}}))
    chat = complete_http_routes(ROUTE + V1, settings, "f", "default", {}).continued["chat"]
    assert (chat.routes.rule, chat.others[0][0].rule, chat.others[0][1].kind) == (2, 1, CopyKind.KEPT)
    narrow = ROUTE + V1.replace("{type: PathPrefix, value: /v1}", "{type: Exact, value: /v1/chat/completions}")
    narrow = narrow.replace("}}]", "}, method: POST}]")
    assert quick_yaml.safe_load(narrow)["spec"]["rules"][0]["matches"][0]["method"] == "POST"
    with pytest.raises(InputError, match=r"no rule can come before it for those that the candidate's section excludes"):
        complete_http_routes(narrow, settings, "f", "default", {})


def test_more_rules_than_an_httproute_may_have_are_refused() -> None:
    with pytest.raises(InputError, match=r"has too many rules for 5 more \(maximum: 16\)"):
        completed(ROUTE + V1 + REST * 11, **READ)


@pytest.mark.parametrize(
    ("workload", "key"),
    [
        ({"match": {"path": "/v1/chat/completions", "model": "small"}}, r"match\.model"),
        ({"sticky": {"body": "user"}}, "sticky"),
        ({"match": {"path_prefix": "/v1"}, "stateless": False}, r"match\.path_prefix"),
        ({"match": {"path": "/v1/responses"}, "stateless": False}, r"match\.path"),
    ],
)
def test_a_route_that_is_only_named_cannot_be_read(workload: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=rf"workloads\.chat\.{key}: here: a route that is given only by name"):
        refuse_unread(config(**workload), "chat", "here")
