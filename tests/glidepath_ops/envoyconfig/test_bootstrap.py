"""Tests of the rendered bootstrap as data; tests/integration shows how Envoy behaves with it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glidepath import envoy_names, runtime_keys
from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError
from glidepath.served_digest import served_digest
from glidepath_ops.envoyconfig.backend_adaptation import REQUEST_CREDENTIALS
from glidepath_ops.envoyconfig.bootstrap import OWNER_ONLY, admin_address, annotated_bootstrap, render_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.envoyconfig.extensions import used_extensions
from glidepath_ops.envoyconfig.validation import check_splits, check_strict
from tests.support import quick_yaml
from tests.support.chat_config import CHAT_CONFIG
from tests.support.kubernetes_api_server import steered_by_http_route


def changed_config(valid_yaml: str, **changes: Any) -> Config:
    data = quick_yaml.safe_load(valid_yaml)
    for dotted, value in changes.items():
        *path, last = dotted.split("__")
        target = data
        for part in path:
            target = target.setdefault(part, {})
        target[last] = value
    return parse_config(yaml.safe_dump(data))


def cluster(bootstrap: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in bootstrap["static_resources"]["clusters"] if c["name"] == name)


def manager(bootstrap: dict[str, Any], listener: int) -> dict[str, Any]:
    chain = bootstrap["static_resources"]["listeners"][listener]["filter_chains"][0]
    found: dict[str, Any] = chain["filters"][0]["typed_config"]
    return found


def routes(bootstrap: dict[str, Any], listener: int) -> list[dict[str, Any]]:
    """Return the routes of a listener without those that refuse methods."""
    found: list[dict[str, Any]] = manager(bootstrap, listener)["route_config"]["virtual_hosts"][0]["routes"]
    return [one for one in found if one["name"] != envoy_names.REFUSED_METHOD_ROUTE]


def test_the_shadow_listener_has_every_part_of_a_workloads_split(valid_yaml: str) -> None:
    """An Envoy that refuses one of the parts therefore refuses the shadow listener too."""
    bootstrap = render_bootstrap(changed_config(valid_yaml))
    live, shadow = manager(bootstrap, 0), manager(bootstrap, 1)
    kinds = [[one["typed_config"]["@type"] for one in where["http_filters"]] for where in (live, shadow)]
    assert kinds[0] == kinds[1]
    split, (required, *_) = routes(bootstrap, 0)[0], routes(bootstrap, 1)
    assert shadow["route_config"]["validate_clusters"] is True
    assert required["match"]["headers"] == [{"name": ":method", "present_match": True, "invert_match": True}]
    assert required["route"]["weighted_clusters"] == split["route"]["weighted_clusters"]
    assert required["typed_per_filter_config"] == split["typed_per_filter_config"]


def capture(bootstrap: dict[str, Any]) -> dict[str, Any]:
    """Return the action that captures a sample of the first workload's requests."""
    per_filter = routes(bootstrap, 0)[0]["typed_per_filter_config"]
    action: dict[str, Any] = per_filter["glidepath.capture"]["xds_matcher"]["on_no_match"]["action"]["typed_config"]
    return action


def test_each_workload_has_one_route_that_captures_a_sample_by_a_runtime_key(valid_yaml: str) -> None:
    bootstrap = render_bootstrap(changed_config(valid_yaml, workloads__chat__shadow={"sample": "0.5%"}))
    route, companion, last = routes(bootstrap, 0)
    assert route["name"] == envoy_names.route_name("chat")
    assert companion["route"]["cluster"] == "cloud"
    assert route["metadata"]["filter_metadata"] == {
        "glidepath": {"workload": "chat", "served": served_digest(parse_config(valid_yaml), "chat")}
    }
    assert capture(bootstrap)["sample_percent"] == {
        "default_value": {"numerator": 5000, "denominator": "MILLION"},
        "runtime_key": runtime_keys.shadow_key("chat"),
    }
    assert last["direct_response"]["status"] == 404


def test_each_per_route_message_is_of_a_filter_that_the_chain_has(valid_yaml: str) -> None:
    """No message is wrapped in a FilterConfig, because a control plane refuses its empty Any."""
    bootstrap = render_bootstrap(changed_config(valid_yaml))
    chain = {one["name"] for one in manager(bootstrap, 0)["http_filters"]}
    weighted = routes(bootstrap, 0)[0]["route"]["weighted_clusters"]["clusters"][0]
    for place in (routes(bootstrap, 0)[0], weighted):
        assert set(place["typed_per_filter_config"]) < chain
    assert "FilterConfig" not in to_yaml(bootstrap)


def test_the_candidate_comes_first_and_weights_sum_to_ten_thousand_basis_points(valid_yaml: str) -> None:
    bootstrap = render_bootstrap(changed_config(valid_yaml, workloads__chat__start=25))
    weighted = routes(bootstrap, 0)[0]["route"]["weighted_clusters"]
    assert [(c["name"], c["weight"]) for c in weighted["clusters"]] == [("onprem-or-cloud", 2500), ("cloud", 7500)]
    assert weighted["runtime_key_prefix"] == runtime_keys.weight_prefix("chat")
    assert check_splits(bootstrap) == ["chat"]


def test_the_first_runtime_layer_has_the_start_values_and_the_admin_layer_is_last(valid_yaml: str) -> None:
    layers = render_bootstrap(changed_config(valid_yaml, envoy__actuator="rtds"))["layered_runtime"]["layers"]
    assert layers[0]["static_layer"] == {
        "re2.max_program_size.error_level": 2000,
        runtime_keys.weight_key("chat", "onprem-or-cloud"): 0,
        runtime_keys.weight_key("chat", "cloud"): 10_000,
        runtime_keys.shadow_key("chat"): 100,
        runtime_keys.autopilot_key("chat"): 1,
    }
    assert layers[1]["rtds_layer"]["name"] == envoy_names.RTDS_LAYER
    assert layers[-1] == {"name": "admin", "admin_layer": {}}


def test_the_rtds_cluster_exists_only_if_rtds_is_the_actuator(valid_yaml: str) -> None:
    names = [c["name"] for c in render_bootstrap(changed_config(valid_yaml))["static_resources"]["clusters"]]
    assert envoy_names.RTDS_CLUSTER not in names
    assert cluster(render_bootstrap(changed_config(valid_yaml, envoy__actuator="rtds")), envoy_names.RTDS_CLUSTER)


def test_ext_proc_runs_in_observability_mode_with_all_addresses_and_a_stream_limit(valid_yaml: str) -> None:
    bootstrap = render_bootstrap(
        changed_config(valid_yaml, extproc={"workers": 2, "listen": "unix:/a", "max_streams": 7})
    )
    ext_proc = capture(bootstrap)["typed_config"]["typed_config"]
    assert ext_proc["observability_mode"] is True
    assert ext_proc["failure_mode_allow"] is True
    assert ext_proc["grpc_service"]["initial_metadata"] == [
        {"key": "x-glidepath-workload", "value": "chat"},
        {"key": "x-glidepath-served", "value": served_digest(parse_config(valid_yaml), "chat")},
        {"key": "x-glidepath-started", "value": "%START_TIME(%s%9f)%"},
    ]
    sent = [p["exact"] for p in ext_proc["forward_rules"]["allowed_headers"]["patterns"]]
    read = (*envoy_names.READ_REQUEST_HEADERS, *envoy_names.READ_RESPONSE_HEADERS)
    assert {*read, "x-user-id", "x-no-store"} == set(sent)
    assert set(sent).isdisjoint(envoy_names.CREDENTIAL_HEADERS)
    own = cluster(bootstrap, envoy_names.EXTPROC_CLUSTER)
    endpoints = own["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert [e["endpoint"]["address"]["pipe"]["path"] for e in endpoints] == ["/a.0", "/a.1"]
    assert own["circuit_breakers"]["thresholds"][0]["max_requests"] == 7
    assert "ExternalProcessor" not in to_yaml(manager(bootstrap, 1)["http_filters"])


def test_an_extproc_that_listens_on_all_interfaces_is_reached_on_loopback(valid_yaml: str) -> None:
    own = cluster(
        render_bootstrap(changed_config(valid_yaml, extproc__listen="0.0.0.0:9000")), envoy_names.EXTPROC_CLUSTER
    )
    address = own["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert address == {"address": "127.0.0.1", "port_value": 9000}


def test_only_the_aggregate_cluster_retries_and_its_retry_limit_is_the_request_limit(valid_yaml: str) -> None:
    bootstrap = render_bootstrap(changed_config(valid_yaml, backends__cloud__max_requests=77))
    option = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    retrying = [
        c["name"]
        for c in bootstrap["static_resources"]["clusters"]
        if "retry_policy" in c["typed_extension_protocol_options"][option]
    ]
    assert retrying == ["onprem-or-cloud"]
    assert "retry_policy" not in to_yaml(routes(bootstrap, 0))
    assert cluster(bootstrap, "onprem-or-cloud")["circuit_breakers"]["thresholds"][0]["max_retries"] == 77


def test_without_fallback_there_is_no_aggregate_cluster(valid_yaml: str) -> None:
    bootstrap = render_bootstrap(changed_config(valid_yaml, workloads__chat__fallback=False))
    names = [c["name"] for c in bootstrap["static_resources"]["clusters"]]
    assert names == ["cloud", "onprem", envoy_names.EXTPROC_CLUSTER, envoy_names.ACCESS_LOG_CLUSTER]
    assert "hedge" not in to_yaml(routes(bootstrap, 0))


def test_two_workloads_with_the_same_sides_share_their_clusters(valid_yaml: str) -> None:
    more = {"match": {"path": "/v1/embeddings"}, "baseline": "cloud", "candidate": "onprem"}
    bootstrap = render_bootstrap(changed_config(valid_yaml, workloads__embed=more))
    names = [c["name"] for c in bootstrap["static_resources"]["clusters"]]
    assert len(names) == len(set(names))
    assert check_splits(bootstrap) == ["embed", "chat"] or check_splits(bootstrap) == ["chat", "embed"]


@pytest.mark.parametrize("name", ["onprem-or-cloud", "glidepath-extproc"])
def test_a_backend_with_the_name_of_a_glidepath_cluster_is_refused(valid_yaml: str, name: str) -> None:
    settings_ = changed_config(valid_yaml, **{f"backends__{name}": {"url": "http://127.0.0.1:1"}})
    with pytest.raises(ConfigError, match=f"backends.{name}: Envoy has a cluster of this name already"):
        render_bootstrap(settings_)


CLUSTER = {"cluster": "outbound|443||api.example.com", "host": "api.example.com"}


def test_the_share_of_a_baseline_with_cluster_goes_to_that_cluster_and_is_not_adapted(valid_yaml: str) -> None:
    bootstrap = render_bootstrap(changed_config(valid_yaml, backends__cloud={**CLUSTER, "model": "m"}))
    candidate, baseline = routes(bootstrap, 0)[0]["route"]["weighted_clusters"]["clusters"]
    assert baseline == {"name": CLUSTER["cluster"], "weight": 10_000}
    assert candidate["name"] == "onprem-or-cloud"
    keys = render_bootstrap_weights(bootstrap)
    assert keys == {"glidepath.chat.weight.onprem-or-cloud", f"glidepath.chat.weight.{CLUSTER['cluster']}"}
    members = cluster(bootstrap, "onprem-or-cloud")["cluster_type"]["typed_config"]["clusters"]
    assert members == ["onprem", CLUSTER["cluster"]]
    assert cluster(bootstrap, "cloud")["cluster_type"]["typed_config"]["clusters"] == [CLUSTER["cluster"]]
    check_strict(bootstrap)


def render_bootstrap_weights(bootstrap: dict[str, Any]) -> set[str]:
    layer = bootstrap["layered_runtime"]["layers"][0]["static_layer"]
    return {key for key in layer if ".weight." in key}


def test_two_backends_with_cluster_and_fallback_take_a_hop_whose_endpoint_names_the_candidate(valid_yaml: str) -> None:
    both = {"backends__cloud": CLUSTER, "backends__onprem": {"cluster": "vllm", "host": "vllm"}}
    bootstrap = render_bootstrap(changed_config(valid_yaml, **both))
    check_strict(bootstrap)
    members = cluster(bootstrap, "onprem-or-cloud")["cluster_type"]["typed_config"]["clusters"]
    assert members == ["glidepath-to-onprem", CLUSTER["cluster"]]
    (group,) = cluster(bootstrap, "glidepath-to-onprem")["load_assignment"]["endpoints"]
    (endpoint,) = group["lb_endpoints"]
    assert endpoint["metadata"]["filter_metadata"] == {"glidepath": {"backend": "onprem"}}
    hop = bootstrap["static_resources"]["listeners"][-1]
    address = endpoint["endpoint"]["address"]["envoy_internal_address"]
    assert address == {"server_listener_name": hop["name"]}
    assert "address" not in hop
    (extension,) = bootstrap["bootstrap_extensions"]
    assert extension["name"] in used_extensions(changed_config(valid_yaml, **both))


@pytest.mark.parametrize(
    ("listen", "shadow", "admin", "key"),
    [
        ("0.0.0.0:9000", "127.0.0.1:9001", "127.0.0.1:9000", "listen"),
        ("127.0.0.1:9000", "127.0.0.1:9901", None, "shadow_listen"),
        ("127.0.0.1:9000", "unix:/run/a.sock", "unix:/run/a.sock", "shadow_listen"),
    ],
)
def test_the_admin_api_needs_an_address_of_its_own(
    valid_yaml: str, listen: str, shadow: str, admin: str | None, key: str
) -> None:
    changed = changed_config(valid_yaml, envoy={"listen": listen, "shadow_listen": shadow})
    with pytest.raises(ConfigError, match=rf"^envoy\.{key}: .* is also the address of Envoy's admin API"):
        render_bootstrap(changed, admin=admin)
    assert render_bootstrap(changed, admin="127.0.0.1:9002")


def test_two_backends_with_cluster_and_no_fallback_take_no_hop(valid_yaml: str) -> None:
    both = {"backends__cloud": CLUSTER, "backends__onprem": {"cluster": "vllm", "host": "vllm"}}
    bootstrap = render_bootstrap(changed_config(valid_yaml, **both, workloads__chat__fallback=False))
    weighted = routes(bootstrap, 0)[0]["route"]["weighted_clusters"]["clusters"]
    assert [one["name"] for one in weighted] == ["onprem", CLUSTER["cluster"]]
    assert "glidepath-to-" not in str(bootstrap)
    assert "bootstrap_extensions" not in bootstrap


@pytest.mark.parametrize("path", ["key", "/a b", "/a)%REQ(x)%", "/a:b"])
def test_a_credential_path_that_envoy_cannot_read_is_refused(valid_yaml: str, path: str) -> None:
    settings_ = changed_config(valid_yaml, backends__onprem__credential={"file": path})
    with pytest.raises(ConfigError, match=r"backends\.onprem\.credential\.file"):
        render_bootstrap(settings_)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"workloads__chat__fallback": False, "backends__onprem": {"url": "http://b"}}, []),
        ({"workloads__chat__fallback": False, "backends__onprem": {"url": "http://b/v2"}}, []),
        ({"backends__onprem": {"url": "http://b", "headers": {"X-A": "b"}}}, [":path", *REQUEST_CREDENTIALS, "x-a"]),
    ],
)
def test_only_headers_that_a_retry_may_need_are_stored(
    valid_yaml: str, changes: dict[str, Any], expected: list[str]
) -> None:
    bootstrap = render_bootstrap(changed_config(valid_yaml, backends__cloud={"url": "http://a"}, **changes))
    remember = routes(bootstrap, 0)[0]["typed_per_filter_config"]["glidepath.remember"]
    names = [value["object_key"] for value in remember["on_request_headers"]]
    assert names == [f"glidepath.client.{name}" for name in expected]


def test_the_idle_timeout_is_longer_than_the_wait_for_the_first_byte(valid_yaml: str) -> None:
    slow = changed_config(
        valid_yaml,
        backends__cloud__first_byte_timeout="20m",
        backends__cloud__idle_timeout="5m",
        backends__onprem__idle_timeout="1m",
    )
    assert routes(render_bootstrap(slow), 0)[0]["route"]["idle_timeout"] == "1201s"


@pytest.mark.parametrize(
    ("admin", "expected"),
    [
        ([], "127.0.0.1:9901"),
        (["http://localhost:15000"], "127.0.0.1:15000"),
        (["dns://envoys:9901", "unix:/run/a.sock"], "unix:/run/a.sock"),
        (["http://envoy.example.com:9999"], "127.0.0.1:9901"),
    ],
)
def test_the_admin_api_listens_on_loopback_whatever_envoy_admin_says(
    valid_yaml: str, admin: list[str], expected: str
) -> None:
    assert admin_address(changed_config(valid_yaml, envoy__admin=admin)) == expected


def test_tls_uses_the_backends_sni_and_ca_file(valid_yaml: str) -> None:
    backend = {"url": "https://10.0.0.1/v2", "sni": "llm.example.com", "ca_file": "/etc/ca.pem"}
    onprem = cluster(render_bootstrap(changed_config(valid_yaml, backends__onprem=backend)), "onprem")
    context = onprem["transport_socket"]["typed_config"]
    assert context["sni"] == "llm.example.com"
    validation = context["common_tls_context"]["validation_context"]
    assert validation["trusted_ca"] == {"filename": "/etc/ca.pem"}
    assert validation["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": "llm.example.com"}}]
    endpoint = onprem["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
    assert endpoint["socket_address"] == {"address": "10.0.0.1", "port_value": 443}


def test_comments_and_quotes_do_not_change_the_data(valid_yaml: str) -> None:
    settings_ = changed_config(valid_yaml)
    text = to_yaml(annotated_bootstrap(settings_), "a header\nof two lines")
    assert text.startswith("# a header\n# of two lines\n")
    assert quick_yaml.safe_load(text) == render_bootstrap(settings_)
    assert max(map(len, (line for line in text.splitlines() if line.lstrip().startswith("#")))) <= 120


def test_an_envoy_sends_no_client_to_the_candidate_of_a_workload_that_an_http_route_splits() -> None:
    started = f"{CHAT_CONFIG}    start: 25\n"
    bootstrap = render_bootstrap(parse_config(steered_by_http_route(started, "http://127.0.0.1:8001")))
    split = routes(bootstrap, 0)[0]["route"]["weighted_clusters"]
    assert {one["name"]: one["weight"] for one in split["clusters"]} == {"onprem": 0, "cloud": 10_000}
    values = bootstrap["layered_runtime"]["layers"][0]["static_layer"]
    assert {name: value for name, value in values.items() if name.startswith(split["runtime_key_prefix"])} == {
        f"{split['runtime_key_prefix']}.onprem": 0,
        f"{split['runtime_key_prefix']}.cloud": 10_000,
    }


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    sample=st.integers(0, 10_000).map(lambda n: n / 100),
    start=st.sampled_from([0, 1, 5, 10, 25, 50, 75, 100]),
    fallback=st.booleans(),
    model=st.text(min_size=1, max_size=20),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)
@example(sample=0, start=0, fallback=False, model="0\n0", value="")  # a comment names the model
def test_every_valid_configuration_renders_to_fields_of_envoys_api(
    sample: float, start: float, fallback: bool, model: str, value: str
) -> None:
    text = yaml.safe_dump(
        {
            "backends": {
                "cloud": {"url": "https://api.example.com"},
                "onprem": {"url": "http://[::1]:80", "model": model, "headers": {"x-a": value}},
            },
            "workloads": {
                "chat": {
                    "match": {"path_prefix": "/"},
                    "baseline": "cloud",
                    "candidate": "onprem",
                    "start": start,
                    "fallback": fallback,
                    "shadow": {"sample": f"{sample}%"},
                }
            },
        }
    )
    settings_ = parse_config(text)
    bootstrap = render_bootstrap(settings_)
    check_strict(bootstrap)
    assert check_splits(bootstrap) == ["chat"]
    assert quick_yaml.safe_load(to_yaml(annotated_bootstrap(settings_))) == bootstrap


def test_a_header_declared_as_credential_is_never_sent_to_extproc(valid_yaml: str) -> None:
    declared = {"url": "http://b", "credential": {"passthrough": True, "header": "X-House-Key"}}
    for header, sent in (("X-House-Key", False), ("X-House-User", True)):
        changed = {"backends__onprem": declared, "workloads__chat__sticky": {"header": header}}
        ext_proc = capture(render_bootstrap(changed_config(valid_yaml, **changed)))["typed_config"]["typed_config"]
        patterns = ext_proc["forward_rules"]["allowed_headers"]["patterns"]
        assert ({"exact": header.lower()} in patterns) is sent


def test_a_socket_of_the_shadow_listener_is_closed_to_other_users(valid_yaml: str) -> None:
    config = changed_config(valid_yaml, envoy__shadow_listen="unix:/run/glidepath/shadow.sock")
    shared = render_bootstrap(config)["static_resources"]["listeners"][1]["address"]
    assert shared == {"pipe": {"path": "/run/glidepath/shadow.sock", "mode": 0o660}}
    own = annotated_bootstrap(config, socket_mode=OWNER_ONLY)["static_resources"]["listeners"][1]["address"]
    assert own["pipe"]["mode"] == 0o600


def test_the_id_of_a_request_is_the_clients_and_returned_with_feedback_in_place_of_a_backends(valid_yaml: str) -> None:
    key = "always_set_request_id_in_response"
    for feedback in (None, {}):
        changes = {} if feedback is None else {"workloads__chat__feedback": feedback}
        rendered = render_bootstrap(changed_config(valid_yaml, **changes))
        live, copies = manager(rendered, 0), manager(rendered, 1)
        assert (live["preserve_external_request_id"], key in live) == (True, feedback is not None)
        assert key not in copies
        check_strict(rendered)
