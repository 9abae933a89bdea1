"""Backend settings that cannot work are refused."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.config.backends import Backend
from glidepath.errors import ConfigError

WORKLOAD = "workloads: {chat: {match: {path: /v1}, baseline: cloud, candidate: onprem}}\n"


def parse(onprem: str) -> None:
    parse_config(f'backends: {{cloud: {{url: "http://a"}}, onprem: {{url: "http://b", {onprem}}}}}\n{WORKLOAD}')


@pytest.mark.parametrize(
    ("onprem", "message"),
    [
        ('headers: {x-a: "b\\nx-c: d"}', "line breaks"),
        ('headers: {"x a": b}', "not a valid header name"),
        ('headers: {":path": /x}', "not a valid header name"),
        ("headers: {Host: x}", "set by Envoy"),
        ("headers: {content-length: '3'}", "set by Envoy"),
        ('credential: {env: A, prefix: "x\\n"}', "line breaks"),
        ("max_pending: 0", "must be at least 1"),
    ],
)
def test_a_header_that_would_break_a_request_is_refused(onprem: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(onprem)
    assert "\n" not in str(caught.value)


def test_a_client_certificate_needs_https_and_a_cluster_of_our_own() -> None:
    certificate = "client_cert: {cert: /a.pem, key: /a.key}"
    with pytest.raises(ConfigError, match="client_cert needs a url that starts with https"):
        parse(certificate)
    with pytest.raises(ConfigError, match="client_cert needs url"):
        parse_config(
            f'backends: {{cloud: {{url: "http://a"}}, onprem: {{cluster: x, host: y, {certificate}}}}}\n{WORKLOAD}'
        )


def test_a_protocol_needs_a_cluster_of_our_own_and_is_one_of_three() -> None:
    parse("protocol: http2")
    with pytest.raises(ConfigError, match="protocol needs url"):
        parse_config(
            f'backends: {{cloud: {{url: "http://a"}}, onprem: {{cluster: x, host: y, protocol: http2}}}}\n{WORKLOAD}'
        )
    with pytest.raises(ConfigError, match="auto"):
        parse("protocol: grpc")


def test_usual_headers_are_accepted() -> None:
    parse('headers: {OpenAI-Organization: "org-1", x-note: "tab\\tand ü"}, credential: {env: A, prefix: "Token "}')


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("{model: m}", "needs exactly one of: url, cluster"),
        ('{url: "http://b", cluster: theirs, host: b}', "needs exactly one of: url, cluster"),
        ("{cluster: theirs}", "cluster needs host"),
        ('{cluster: "two words", host: b}', "cluster"),
        ('{cluster: "", host: b}', "cluster"),
    ],
)
def test_a_backend_has_either_a_url_or_the_name_of_a_cluster_and_its_host(backend: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_config(f'backends: {{cloud: {{url: "http://a"}}, onprem: {backend}}}\n{WORKLOAD}')
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["outbound|443|v1|api.example.com", "httproute/default/chat/rule/0", "a.b_c-d"])
def test_the_names_of_clusters_in_meshes_are_accepted_and_name_the_split(name: str) -> None:
    config = parse_config(
        f'backends: {{cloud: {{cluster: "{name}", host: a}}, onprem: {{url: "http://b"}}}}\n{WORKLOAD}'
    )
    assert (config.baseline_cluster("chat"), config.candidate_cluster("chat")) == (name, "onprem-or-cloud")
    assert config.backends["cloud"].address == name


@pytest.mark.parametrize(
    ("settings", "unread", "read"),
    [
        ({}, 30, 600),
        ({"first_byte_timeout": "5s"}, 5, 5),
        ({"answer_timeout": "2m"}, 120, 120),
        ({"first_byte_timeout": "5s", "answer_timeout": "2m"}, 120, 120),
    ],
)
def test_an_answer_that_is_not_streamed_has_a_limit_of_its_own(
    settings: dict[str, str], unread: float, read: float
) -> None:
    backend = Backend.model_validate({"url": "http://a", **settings})
    assert backend.whole_answer_timeout(is_read=False) == unread
    assert backend.whole_answer_timeout(is_read=True) == read


@pytest.mark.parametrize("name", ["", "x y", "a*b", "*a", "x-a**"])
def test_a_text_that_is_neither_a_header_nor_the_beginning_of_one_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is neither the name of a header nor the beginning of one"):
        parse(f'pass_headers: ["{name}"]')


def test_names_of_headers_that_pass_are_in_lower_case() -> None:
    assert Backend(url="http://a", pass_headers=("X-Acme-*", "Http-Referer")).pass_headers == (
        "x-acme-*",
        "http-referer",
    )


def test_a_model_that_no_filter_can_replace_is_refused() -> None:
    text = (
        'backends: {cloud: {url: "http://a"}, onprem: {url: "http://b", model: w3}}\nworkloads: {w: {match: {path: %s}'
    )
    for path in ("/v1/audio/transcriptions", "/v1/images/edits/", "/inference.GRPCInferenceService/ModelInfer"):
        with pytest.raises(ConfigError, match=r"backends\.onprem\.model: has no effect on"):
            parse_config(f"{text % path}, baseline: cloud, candidate: onprem}}}}\n")
    for path in ("/v1/audio/speech", "/Inference/Infer", "/v1.0/infer", "/api.v1/Chat/x"):
        parse_config(f"{text % path}, baseline: cloud, candidate: onprem}}}}\n")


def test_reasoning_cannot_be_stripped_from_requests_to_a_users_cluster() -> None:
    text = (
        "backends: {cloud: {cluster: llm, host: llm, foreign_reasoning: HOW}, "
        'onprem: {url: "http://b", foreign_reasoning: strip}}\n' + WORKLOAD
    )
    with pytest.raises(ConfigError, match=r"backends\.cloud\.foreign_reasoning: strip needs url"):
        parse_config(text.replace("HOW", "strip"))
    parse_config(text.replace("HOW", "accepts"))


def test_model_keep_is_the_same_as_no_model_but_is_kept_as_written() -> None:
    kept = Backend.model_validate({"url": "http://b", "model": "keep"})
    assert kept.model is None
    assert kept.model_dump(exclude_unset=True) == {"url": "http://b", "model": None}
    assert Backend.model_validate({"url": "http://b", "model": "keeper"}).model == "keeper"
