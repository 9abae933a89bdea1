"""Tests of continuing a user's routes with the split, as data; tests/integration shows how Envoy behaves with it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from glidepath.config import parse_config
from glidepath.config.request_match import Match
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath.served_digest import served_digest
from glidepath_ops.envoyconfig.added_route import AddedRoute, UsersRoute, UsersRoutes
from glidepath_ops.envoyconfig.continued_routes import added_routes
from glidepath_ops.envoyconfig.header_rules import RoutedHeader
from glidepath_ops.envoyconfig.path_conditions import clear_path_headers, inference_path_headers

PATH = "/v1/chat/completions"
POST = {"name": ":method", "string_match": {"exact": "POST"}}
PREFIXED = [*clear_path_headers(Match(path_prefix="/")), *inference_path_headers(Match(path_prefix="/"))]
ONLY_CHAT = {"name": ":path", "string_match": {"safe_regex": {"regex": PATH + r"(\?.*)?"}}}


def config(cloud: Any = None, onprem: Any = None, envoy: Any = None, **chat: Any) -> Config:
    ours = {"url": "http://127.0.0.1:2", "first_byte_timeout": "10s", **(onprem or {})}
    workload = {"match": {"path": PATH}, "baseline": "cloud", "candidate": "onprem", "sticky": {"random": True}, **chat}
    backends = {"cloud": cloud or {"cluster": "theirs", "host": "api.test"}, "onprem": ours}
    return parse_config(yaml.safe_dump({"envoy": envoy or {}, "backends": backends, "workloads": {"chat": workload}}))


def users(*routes: Any, host: Any = None, table: Any = None) -> UsersRoutes:
    return UsersRoutes([UsersRoute(one, f"boot.yaml:{n}") for n, one in enumerate(routes, 1)], host or {}, table or {})


def to(cluster: str = "theirs", match: Any = None, **more: Any) -> dict[str, Any]:
    return {"match": match or {"prefix": "/"}, "route": {"cluster": cluster, **more}}


def only(added: list[AddedRoute]) -> AddedRoute:
    assert len(added) == 1
    return added[0]


def test_the_copy_has_all_that_the_users_route_has_and_splits_instead_of_its_cluster() -> None:
    theirs = {
        "name": "api",
        "match": {"prefix": "/v1/", "headers": [{"name": "x-a", "present_match": True}]},
        "metadata": {"filter_metadata": {"team": {"id": 7}}, "typed_filter_metadata": {"x": {}}},
        "typed_per_filter_config": {"rbac": {"@type": "x"}},
        "request_headers_to_add": [{"header": {"key": "x-b", "value": "c"}}],
        "response_headers_to_remove": ["x-d"],
        "decorator": {"operation": "chat"},
        "route": {
            "cluster": "theirs",
            "prefix_rewrite": "/api/",
            "timeout": "60s",
            "retry_policy": {"retry_on": "5xx"},
            "rate_limits": [{"actions": []}],
            "request_mirror_policies": [{"cluster": "mirror"}],
            "metadata_match": {"filter_metadata": {"envoy.lb": {"stage": "prod"}}},
        },
    }
    found = only(added_routes(config(), users(theirs)))
    copy = found.route
    assert found.before == 0
    assert copy["match"] == {"prefix": "/v1/", "headers": [*theirs["match"]["headers"], POST, ONLY_CHAT]}  # type: ignore[index]
    split = copy["route"].pop("weighted_clusters")
    assert [one["name"] for one in split["clusters"]] == ["onprem-or-cloud", "theirs"]
    assert split["clusters"][1] == {"name": "theirs", "weight": 10000}
    assert "use_hash_policy" not in split
    assert copy["route"] == {key: value for key, value in theirs["route"].items() if key != "cluster"}  # type: ignore[attr-defined]
    assert copy["metadata"] == {
        "filter_metadata": {
            "team": {"id": 7},
            "glidepath": {"workload": "chat", "served": served_digest(config(), "chat")},
        },
        "typed_filter_metadata": {"x": {}},
    }
    assert list(copy["typed_per_filter_config"]) == ["rbac", "glidepath.remember", "glidepath.capture"]
    for key in ("name", "request_headers_to_add", "response_headers_to_remove", "decorator"):
        assert copy[key] == theirs[key]


@pytest.mark.parametrize(
    ("rule", "match", "added"),
    [
        ({"path": PATH}, {"path": PATH}, [POST]),
        ({"path": PATH}, {"path": PATH, "headers": [POST]}, [POST]),
        ({"path": PATH}, {"path": PATH, "case_sensitive": False}, [POST, ONLY_CHAT]),
        ({"path": PATH}, {"safe_regex": {"regex": "/v1/.*"}}, [POST, ONLY_CHAT]),
        ({"path_prefix": "/v1/"}, {"path_separated_prefix": "/v1"}, [POST, *PREFIXED]),
        ({"path_prefix": "/"}, {"safe_regex": {"regex": "/v1/.*"}}, [POST, *PREFIXED]),
        (
            {"path_prefix": "/v1.0"},
            {"prefix": "/"},
            [POST, {"name": ":path", "string_match": {"safe_regex": {"regex": r"/v1\.0([/?].*)?"}}}, *PREFIXED],
        ),
        (
            {"path": PATH, "headers": {"X-Team": "a"}},
            {"path": PATH},
            [POST, {"name": "x-team", "string_match": {"exact": "a"}}],
        ),
    ],
)
def test_the_workloads_conditions_are_added_to_the_users(rule: Any, match: Any, added: Any) -> None:
    copy = only(added_routes(config(match=rule, stateless=True), users(to(match=match)))).route
    assert copy["match"] == {**match, "headers": added}


def test_each_route_that_can_get_the_requests_is_continued_until_one_gets_all() -> None:
    get = {"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}
    found = added_routes(
        config(),
        users(
            to("files", {"prefix": "/files"}),
            to("pages", get),
            to(match={"prefix": "/v1/", "headers": [{"name": "x-tenant", "string_match": {"exact": "a"}}]}),
            {"match": {"prefix": "/", "headers": [{"name": "x-blocked"}]}, "direct_response": {"status": 403}},
            to(match={"prefix": "/v1/"}),
            to("rest"),
        ),
    )
    assert [one.before for one in found] == [2, 4]


def test_a_route_below_the_workloads_prefix_takes_all_so_a_later_one_may_have_another_cluster() -> None:
    added = added_routes(config(match={"path_prefix": "/v1"}), users(to(match={"prefix": "/v1/"}), to("web")))
    assert {one.original for one in added} == {0}
    assert "web" not in str(added)


def test_the_most_specific_workload_comes_first_before_each_route() -> None:
    text = """
backends: {cloud: {cluster: theirs, host: h}, onprem: {url: "http://b", first_byte_timeout: 1s}}
workloads:
  all: {match: {path_prefix: /}, stateless: true, sticky: {random: true}, baseline: cloud, candidate: onprem}
  chat: {match: {path: /v1/chat/completions}, sticky: {random: true}, baseline: cloud, candidate: onprem}
"""
    found = added_routes(parse_config(text), users(to(match={"prefix": "/v1/"}), to()))
    assert [(one.workload, one.before) for one in found] == [("chat", 0), ("all", 0), ("all", 1)]


def test_a_request_is_read_on_a_copy_of_the_users_route_and_chosen_again_before_all_others() -> None:
    theirs = to(match={"prefix": "/v1/"}, prefix_rewrite="/api/")
    found = added_routes(config(match={"path": PATH, "model": "m"}), users(to("x", {"path": "/x"}), theirs))
    assert [(one.before, one.original, one.splits) for one in found] == [
        (0, 1, True),
        (0, 1, False),
        (0, 1, False),
        (1, 1, False),
        (0, 1, False),
    ]
    split, stateful, unread, reader, rest = (one.route for one in found)
    for second in (split, stateful, unread, rest):
        first, *_ = second["match"]["dynamic_metadata"]
        assert (first["path"], first["value"]) == ([{"key": "route"}], {"string_match": {"exact": "1"}})
    for own in (stateful, unread, reader, rest):
        assert own["route"] == theirs["route"]
    assert rest["match"].keys() == {"prefix", "dynamic_metadata"}
    assert rest["match"]["prefix"] == "/v1/"
    assert reader["request_body_buffer_limit"] == config().envoy.max_body
    assert reader["match"]["dynamic_metadata"][0]["invert"] is True


def test_a_workload_without_a_route_of_the_users_gets_a_complete_one_for_its_method() -> None:
    found = only(added_routes(config(cloud={"url": "http://127.0.0.1:1"}), users(to("files", {"prefix": "/files"}))))
    assert (found.before, found.continues) == (1, False)
    assert found.route["match"] == {"path": PATH, "headers": [POST]}
    assert found.route["route"]["weighted_clusters"]["clusters"][1]["name"] == "cloud"


def test_a_users_hash_policy_also_decides_the_split() -> None:
    policy = [{"header": {"header_name": "x-session"}}]
    said = config(sticky={"route": True})
    action = only(added_routes(said, users(to(hash_policy=policy)))).route["route"]
    assert (action["hash_policy"], action["weighted_clusters"]["use_hash_policy"]) == (policy, True)
    with pytest.raises(InputError, match=r"has its own hash_policy.*set workloads.chat.sticky: \{route: true\}"):
        added_routes(config(), users(to(hash_policy=policy)))
    sticky = config(sticky={"header": "X-User"})
    empty, other = (one.route for one in added_routes(sticky, users(to())))  # an empty value is none
    assert empty["match"]["headers"][-1] == {"name": "x-user", "string_match": {"exact": ""}}
    assert "hash_policy" not in empty["route"]
    assert other["route"]["hash_policy"] == [{"header": {"header_name": "x-user"}}]
    assert other["route"]["weighted_clusters"]["use_hash_policy"] is True


LIMITS = ("request_body_buffer_limit", "per_request_buffer_limit_bytes")


def limits(route: dict[str, Any]) -> dict[str, Any]:
    return {key: route[key] for key in LIMITS if key in route}


@pytest.mark.parametrize(
    ("fallback", "model", "expected"), [(True, None, True), (False, "m", True), (False, None, False)]
)
def test_the_copy_buffers_bodies_only_for_a_fallback_or_a_model(
    fallback: bool, model: str | None, expected: bool
) -> None:
    onprem = {"url": "http://127.0.0.1:2"} | ({} if model is None else {"model": model})
    copy = only(added_routes(config(onprem=onprem, fallback=fallback), users(to()))).route
    assert limits(copy) == ({LIMITS[0]: 32 * 2**20} if expected else {})


@pytest.mark.parametrize("key", LIMITS)
@pytest.mark.parametrize("theirs", [1000, 64 * 2**20])
def test_a_users_own_limit_on_buffered_bodies_stays(key: str, theirs: int) -> None:
    assert limits(only(added_routes(config(), users({**to(), key: theirs}))).route) == {key: theirs}
    assert limits(only(added_routes(config(), users(to(), host={key: theirs}))).route) == {}


def test_header_rules_of_route_virtual_host_and_table_are_gathered_in_envoys_order() -> None:
    def sets(value: str) -> dict[str, Any]:
        header = {"key": "authorization", "value": value}
        return {"request_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}

    route = {**to(), **sets("route")}
    expected = {}
    for wins in (False, True):
        table = {**sets("table"), "most_specific_header_mutations_wins": wins}
        found = only(added_routes(config(), users(route, host=sets("host"), table=table)))
        expected[wins] = found.headers["authorization"]
    assert expected == {False: RoutedHeader(False, "table"), True: RoutedHeader(False, "route")}


ALSO_DEFAULT = config(envoy={"default_backend": "onprem"}, fallback=False)
PASSED_ON = {"credential": {"passthrough": True}}
KEY = {"request_headers_to_add": [{"header": {"key": "x-api-key", "value": "a"}}]}
COMPUTED = {"request_headers_to_add": [{"header": {"key": "x-api-key", "value": "%HOSTNAME%"}}]}
REFUSED: list[tuple[dict[str, Any], Config, str]] = [
    (
        to(),
        config(cloud={"url": "http://c"}),
        r"set backends.cloud: {cluster: theirs, host: .*} .*\(now: url: http://c",
    ),
    (to(host_rewrite_literal="a.b"), config(cloud={"url": "http://c"}), "{cluster: theirs, host: a.b}"),
    (to("other"), config(), r"the cluster other: .*\(now: cluster: theirs\)"),
    ({"match": {"prefix": "/"}, "route": {"cluster_header": "x"}}, config(), "by cluster_header; .* only a route with"),
    ({"match": {"prefix": "/"}, "route": {"weighted_clusters": {}}}, config(), "by weighted_clusters; .*split this"),
    (
        {"match": {"prefix": "/"}, "redirect": {}},
        config(),
        "answers the workload's requests without a cluster; give it",
    ),
    (to(hash_policy=[{}]), config(sticky={"header": "x"}), "its own hash_policy.*: remove workloads.chat.sticky"),
    (to(), config(onprem={"first_byte_timeout": "30s"}), "after 15 s.*: set backends.onprem.first_byte_timeout below"),
    (to(timeout="5s"), config(), "after 5 s, .* silent for 10 s"),
    ({**to(), **COMPUTED}, config(), "its rule for x-api-key has a value that only Envoy knows.*fallback: false"),
    ({**to(), **KEY}, config(onprem=PASSED_ON, fallback=False), "the route sets x-api-key, which the candidate would"),
    ({**to(), **KEY}, ALSO_DEFAULT, "the route sets x-api-key, which the candidate would"),
    (to(auto_host_rewrite=True, timeout="0s"), config(), "auto_host_rewrite, .* can keep the candidate's host: write"),
    (to(internal_redirect_policy={}), config(fallback=False), "candidate's credential to another backend: remove"),
]


@pytest.mark.parametrize(("route", "settings", "reason"), REFUSED)
def test_a_route_that_cannot_be_continued_is_refused_with_place_reason_and_remedy(
    route: dict[str, Any], settings: Config, reason: str
) -> None:
    with pytest.raises(InputError, match=rf"^workloads.chat: boot.yaml:1: .*{reason}"):
        added_routes(settings, users(route))


OLD = {"version": "1.36"}
RETRIES = {"retry_policy": {"retry_on": "5xx"}}


@pytest.mark.parametrize(
    ("route", "host", "holder"),
    [(to(**RETRIES), {}, "the route has"), (to(), RETRIES, "the virtual host of this route has")],
)
def test_a_users_retry_policy_and_a_fallback_are_refused_for_envoy_1_36(route: Any, host: Any, holder: str) -> None:
    remedy = r"set workloads\.chat\.fallback: false, or use Envoy 1\.37 or newer and remove envoy\.version"
    with pytest.raises(InputError, match=rf"^workloads.chat: boot.yaml:1: {holder} a retry policy, .*{remedy}$"):
        added_routes(config(envoy=OLD), users(route, host=host))


@pytest.mark.parametrize("settings", [config(envoy=OLD, fallback=False), config(), config(envoy={"version": "1.37"})])
def test_a_users_retry_policy_stays_where_the_fallback_needs_none_on_the_route(settings: Config) -> None:
    copy = only(added_routes(settings, users(to(**RETRIES)))).route
    assert copy["route"]["retry_policy"] == RETRIES["retry_policy"]


def test_a_workload_without_any_route_needs_a_url() -> None:
    with pytest.raises(InputError, match=r"workloads.chat: no route .*: give backends.cloud a url instead of cluster"):
        added_routes(config(), users())


@pytest.mark.parametrize("more", [{"timeout": "0s"}, {"timeout": "10.5s"}])
def test_a_route_that_leaves_time_for_a_rescue_is_continued(more: dict[str, Any]) -> None:
    assert added_routes(config(), users(to(**more)))


def test_without_fallback_header_rules_and_timeouts_need_no_care() -> None:
    alone = config(fallback=False, onprem={"first_byte_timeout": "1h"})
    assert only(added_routes(alone, users({**to(), **COMPUTED}))).headers == {}
