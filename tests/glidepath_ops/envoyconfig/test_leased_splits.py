"""The rendered split with a lease: its route, the route below it, the runtime layers and the cluster."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from glidepath import envoy_names, runtime_keys
from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError, InputError
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap, runtime_layers
from glidepath_ops.envoyconfig.commented_yaml import without_comments
from glidepath_ops.envoyconfig.filters import CAPTURE
from glidepath_ops.envoyconfig.insert_into_bootstrap import insert_glidepath
from glidepath_ops.envoyconfig.route_metadata import workload_of_route
from glidepath_ops.envoyconfig.routes import workload_routes
from glidepath_ops.envoyconfig.validation import check_splits, check_strict
from tests.support import chat_config, quick_yaml

CHAT_CONFIG = chat_config.CHAT_CONFIG + "    sticky: {random: true}\n"
LEASED = CHAT_CONFIG + "    if_lost: baseline\n"
FRACTION = {
    "default_value": {"numerator": 0, "denominator": "HUNDRED"},
    "runtime_key": runtime_keys.lease_key("chat"),
}
USERS = """
static_resources:
  listeners:
  - name: users
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: users
          route_config:
            virtual_hosts:
            - name: users
              domains: ["*"]
              routes:
              - {match: {prefix: /}, route: {cluster: theirs, timeout: 0s}}
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - {name: theirs}
"""


def routes_of(config: Config) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = without_comments(list(workload_routes(config)))
    return found


def test_without_if_lost_nothing_is_rendered_for_leases() -> None:
    config = parse_config(CHAT_CONFIG)
    (route,) = routes_of(config)
    assert "runtime_fraction" not in route["match"]
    assert [layer["name"] for layer in runtime_layers(config)] == ["glidepath-file", "admin"]
    clusters = render_bootstrap(config)["static_resources"]["clusters"]
    assert envoy_names.RTDS_CLUSTER not in [one["name"] for one in clusters]


def test_the_split_matches_only_with_a_lease_and_the_route_below_gives_all_to_the_baseline() -> None:
    split, lost = routes_of(parse_config(LEASED))
    assert split["match"].pop("runtime_fraction") == FRACTION
    assert lost["match"] == split["match"]
    assert "runtime_key_prefix" not in lost["route"]["weighted_clusters"]
    weights = {one["name"]: one["weight"] for one in lost["route"]["weighted_clusters"]["clusters"]}
    assert weights == {"onprem-or-cloud": 0, "cloud": 10_000}


def test_requests_without_a_lease_are_no_evidence() -> None:
    split, lost = routes_of(parse_config(LEASED))
    assert workload_of_route(split) == "chat"
    assert workload_of_route(lost) is None
    assert lost["typed_per_filter_config"].keys() == split["typed_per_filter_config"].keys() - {CAPTURE}


def test_the_bootstrap_has_a_layer_of_leases_below_the_admin_layer_and_is_valid() -> None:
    bootstrap = render_bootstrap(parse_config(LEASED + "    lost_after: 20s\n"))
    layers = [layer["name"] for layer in bootstrap["layered_runtime"]["layers"]]
    assert layers == ["glidepath-file", "glidepath-lease-20s", "glidepath-lease-drill", "admin"]
    assert envoy_names.RTDS_CLUSTER in [one["name"] for one in bootstrap["static_resources"]["clusters"]]
    check_strict(bootstrap)
    assert check_splits(bootstrap) == ["chat"]


def inserted(text: str, users: str = USERS) -> list[dict[str, Any]]:
    data = quick_yaml.safe_load(text)
    data["backends"]["cloud"] = {"cluster": "theirs", "host": "theirs"}
    bootstrap = quick_yaml.safe_load(insert_glidepath(users, parse_config(yaml.safe_dump(data)), "envoy.yaml"))
    chain = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert bootstrap.get("node") or "if_lost" not in text
    found: list[dict[str, Any]] = chain["route_config"]["virtual_hosts"][0]["routes"]
    return found


def test_the_users_own_route_stays_unchanged_below_a_continued_route() -> None:
    split, own = inserted(LEASED)
    assert split["match"]["runtime_fraction"] == FRACTION
    assert own == {"match": {"prefix": "/"}, "route": {"cluster": "theirs", "timeout": "0s"}}


def test_a_users_route_with_a_fraction_of_its_own_is_refused() -> None:
    fraction = "runtime_fraction: {default_value: {numerator: 50}}"
    with pytest.raises(InputError, match=r"envoy.yaml:\d+: .*if_lost: hold"):
        inserted(LEASED, USERS.replace("{prefix: /}", f"{{prefix: /, {fraction}}}"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("    if_lost: baseline\n    lost_after: 5s\nscorer: {lease: 3s}\n", "at least 5.75s with scorer.lease: 3s"),
        ("    lost_after: 20s\n", "has no effect with if_lost: hold"),
        ("    if_lost: never\n", "hold"),
        ("    if_lost: baseline\n    lost_after: 1s\n", "lost_after"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(lines: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(CHAT_CONFIG + lines)


def test_if_lost_changes_no_evidence() -> None:
    assert parse_config(LEASED).digest("chat") == parse_config(CHAT_CONFIG).digest("chat")
