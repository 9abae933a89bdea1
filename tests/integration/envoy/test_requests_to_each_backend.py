"""Tests of the requests that each backend receives from a real Envoy: model, path, host, headers and credentials."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from glidepath import envoy_names
from glidepath.served_digest import served_digest
from tests.support.envoy_with_backends import BODY, PATH, EnvoySetup, envoy_with_backends
from tests.support.planted_secrets import SECRET, headers_of_secrets, query_of_secrets
from tests.support.tls_certificate import make_certificate
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one Envoy serves the tests that take `shared`

CLIENT = {"authorization": "Bearer client-key", "x-api-key": "client-x", "cookie": "session=client"}
LIVE = {"start": 100}
PREFIX = {"match": {"path_prefix": PATH}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_envoy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EnvoySetup]:
    async with envoy_with_backends(tmp_path_factory.mktemp("setup"), chat=PREFIX) as setup:
        yield setup


@pytest_asyncio.fixture(loop_scope="module")
async def shared(one_envoy: EnvoySetup) -> EnvoySetup:
    """Return the Envoy of this module without the requests that earlier tests sent."""
    one_envoy.clear_received()
    return one_envoy


def client_values(headers: dict[str, str]) -> list[str]:
    return [value for value in headers.values() if "client" in value]


async def test_the_baseline_gets_the_clients_own_credentials_and_the_candidate_none(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        await setup.post(headers=CLIENT)
        assert {name: setup.cloud.last.headers[name] for name in CLIENT} == CLIENT
        setup.set_share(100)
        await setup.post(headers=CLIENT)
        assert client_values(setup.onprem.last.headers) == []


async def test_without_fallback_the_candidate_gets_no_client_credential(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"start": 100, "fallback": False}) as setup:
        await setup.post(headers=CLIENT)
        assert client_values(setup.onprem.last.headers) == []


async def test_a_candidate_with_passthrough_gets_the_clients_credential(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"credential": {"passthrough": True}}, chat=LIVE) as setup:
        await setup.post(headers=CLIENT)
        assert {name: setup.onprem.last.headers[name] for name in CLIENT} == CLIENT


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_header_declared_as_client_credential_never_reaches_the_candidate(
    tmp_path: Path, fallback: bool
) -> None:
    cloud = {"credential": {"passthrough": True, "header": "x-house-key"}}
    headers = CLIENT | {"x-house-key": "client-house"}
    async with envoy_with_backends(tmp_path, cloud=cloud, chat=LIVE | {"fallback": fallback}) as setup:
        await setup.post(headers=headers)
        assert client_values(setup.onprem.last.headers) == []
        if fallback:
            setup.onprem.behaviour = "status"
            await setup.post(headers=headers)
            assert setup.cloud.last.headers["x-house-key"] == "client-house"
        setup.set_share(0, candidate="onprem-or-cloud" if fallback else "onprem")
        await setup.post(headers=headers)
        assert setup.cloud.last.headers["x-house-key"] == "client-house"


async def test_no_side_gets_the_other_sides_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "cloud-key")
    key = tmp_path / "key"
    key.write_text("onprem-key\n")
    cloud = {"credential": {"env": "GLIDEPATH_TEST_KEY", "header": "x-api-key"}}
    onprem = {"credential": {"file": str(key), "prefix": "Token "}}
    async with envoy_with_backends(tmp_path, cloud=cloud, onprem=onprem, chat=LIVE) as setup:

        def check() -> None:
            for backend, other, own in ((setup.cloud, "onprem", "x-api-key"), (setup.onprem, "cloud", "authorization")):
                for got in backend.received:
                    assert client_values(got.headers) == []
                    assert not [value for value in got.headers.values() if f"{other}-key" in value]
                    assert f"{backend.name}-key" in got.headers[own]

        await setup.post(headers=CLIENT)
        setup.onprem.behaviour = "status"
        await setup.post(headers=CLIENT)
        setup.set_share(0)
        await setup.post(headers=CLIENT)
        await setup.tee("cloud")
        await setup.tee("onprem")
        assert (len(setup.cloud.received), len(setup.onprem.received)) == (3, 3)
        check()
        assert setup.onprem.last.headers["authorization"] == "Token onprem-key"
        assert setup.cloud.last.headers["x-api-key"] == "cloud-key"
        await eventually(lambda: sum(map(len, setup.collector.entries.values())) == 5)
        seen = [message for stream in setup.collector.streams for message in stream]
        seen += [entry for entries in setup.collector.entries.values() for entry in entries]
        copies = b"".join(message.SerializeToString() for message in seen)
        for secret in (b"client-key", b"client-x", b"session=client", b"cloud-key", b"onprem-key"):
            assert secret not in copies


async def test_a_changed_credential_file_is_read_again(tmp_path: Path) -> None:
    """The file changes in place, by rename, and as in Kubernetes, which replaces a symlinked folder."""
    first, second = tmp_path / "..one", tmp_path / "..two"
    for folder, text in ((first, "k1"), (second, "k4")):
        folder.mkdir()
        (folder / "key").write_text(text)
    data = tmp_path / "..data"
    data.symlink_to(first.name)
    key = tmp_path / "key"
    key.symlink_to("..data/key")
    async with envoy_with_backends(tmp_path, onprem={"credential": {"file": str(key)}}, chat=LIVE) as setup:

        async def credential_is(value: str) -> bool:
            await setup.post()
            return setup.onprem.last.headers.get("authorization") == f"Bearer {value}"

        await eventually(lambda: credential_is("k1"))
        (tmp_path / "..new").symlink_to(second.name)
        (tmp_path / "..new").rename(data)
        await eventually(lambda: credential_is("k4"))
        (tmp_path / "plain").write_text("k2\n")
        (tmp_path / "plain").rename(key)
        await eventually(lambda: credential_is("k2"))
        key.write_text("k3")
        await eventually(lambda: credential_is("k3"))


@pytest.mark.parametrize("content", ["", "\n \n", "one\nx-admin: two"], ids=["empty", "blank", "two lines"])
async def test_an_empty_or_invalid_key_file_sends_no_credential(tmp_path: Path, content: str) -> None:
    key = tmp_path / "key"
    key.write_text(content)
    async with envoy_with_backends(tmp_path, onprem={"credential": {"file": str(key)}}, chat=LIVE) as setup:
        assert (await setup.post(headers=CLIENT)).status == 200
        assert {"authorization", "x-admin"}.isdisjoint(setup.onprem.last.headers)


async def test_with_a_missing_secret_the_request_is_sent_without_a_credential(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"credential": {"env": "GLIDEPATH_NOT_SET"}}, chat=LIVE) as setup:
        assert (await setup.post(headers=CLIENT)).status == 200
        assert "authorization" not in setup.onprem.last.headers


async def test_each_backend_gets_its_own_headers_path_and_host(tmp_path: Path) -> None:
    cloud = {"headers": {"X-Org": "cloud-org"}, "url_path": "/openai"}
    onprem = {"headers": {"x-team": "a b"}, "strip": "/v1", "url_path": "/llm/", "host": "vllm.internal"}
    async with envoy_with_backends(tmp_path, cloud=cloud, onprem=onprem, chat=LIVE) as setup:
        await setup.post(headers={"x-org": "mine", "x-team": "mine"}, path="/v1/chat/completions?a=%20b&lang=d")
        got = setup.onprem.last
        assert got.path == "/llm/chat/completions?lang=d"
        assert (got.headers["host"], got.headers["x-org"], got.headers["x-team"]) == ("vllm.internal", "mine", "a b")
        setup.onprem.behaviour = "status"
        await setup.post(headers={"x-org": "mine", "x-team": "mine"}, path="/v1/chat/completions?a=%20b&lang=d")
        got = setup.cloud.last
        assert got.path == "/openai/v1/chat/completions?a=%20b&lang=d"
        assert (got.headers["host"], got.headers["x-org"]) == (setup.cloud.url[7:], "cloud-org")
        assert got.headers["x-team"] == "mine"


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_backend_without_adaptation_gets_its_own_host(tmp_path: Path, fallback: bool) -> None:
    same = {"model": None}
    body = b'{"model": "client-model", "text": "' + b"x" * 300_000 + b'"}'
    chat = {"start": 100, "fallback": fallback}
    async with envoy_with_backends(tmp_path, cloud=same, onprem={**same, "host": "vllm.internal"}, chat=chat) as setup:
        await setup.post(body, CLIENT)
        await setup.tee("cloud")
        await setup.tee("onprem")
        setup.set_share(0, candidate="onprem-or-cloud" if fallback else "onprem")
        await setup.post(body, CLIENT, path="/v1/chat/completions?a=%20b")
        assert {got.headers["host"] for got in setup.cloud.received} == {setup.cloud.url.removeprefix("http://")}
        assert {got.headers["host"] for got in setup.onprem.received} == {"vllm.internal"}
        assert (len(setup.cloud.received), len(setup.onprem.received)) == (2, 2)
        assert (setup.cloud.last.path, setup.cloud.last.body) == ("/v1/chat/completions?a=%20b", body)
        assert client_values(setup.onprem.received[0].headers) == []


async def test_configuration_strings_cannot_end_their_lua_literal(tmp_path: Path) -> None:
    nasty = '"]] } os.exit(1) --[[ \\ %REQ(x)% \u00fc'
    async with envoy_with_backends(
        tmp_path, onprem={"model": nasty, "headers": {"x-n": '"..x.." \\ %y%'}}, chat=LIVE
    ) as setup:
        await setup.post()
        assert setup.onprem.last.model == nasty
        assert setup.onprem.last.headers["x-n"] == '"..x.." \\ %y%'


def random_value(rng: random.Random, depth: int) -> Any:
    texts = ["", "model", '"model"', 'x\\"model\\":"y"', "{[", "]}", "\\", "ü\n", '\\\\"', "a" * 50]
    kind = rng.randrange(6 if depth < 4 else 3)
    if kind == 0:
        return rng.choice(texts)
    if kind <= 2:
        return rng.choice([1.5, -3, True, None, "plain"])
    if kind == 3:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = ["model", "a", 'mo"del', "model\\", "x{", "messages"]
    return {rng.choice(names): random_value(rng, depth + 1) for _ in range(rng.randrange(5))}


async def test_only_the_top_level_model_is_rewritten_in_any_body(tmp_path: Path) -> None:
    rng = random.Random(7)
    async with envoy_with_backends(tmp_path) as setup:
        for _ in range(250):
            value = random_value(rng, 0)
            text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, None, 2]))
            await setup.post(text.encode())
            if isinstance(value, dict) and isinstance(value.get("model"), str):
                value["model"] = "cloud-model"
                assert json.loads(setup.cloud.last.body) == value
            else:
                assert setup.cloud.last.body == text.encode()


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"not json", b'["model"]', b'{"model": "x"', b'{"a": "\\', b'{"model": 3}', b'{"model"', b"\xff{}{}"],
)
async def test_a_body_that_is_not_a_json_object_passes_unchanged(shared: EnvoySetup, body: bytes) -> None:
    await shared.post(body)
    assert shared.cloud.last.body == body


ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in "model")


@pytest.mark.parametrize(
    "body",
    [
        '{"mod\\u0065l": "big", "messages": []}',
        f'{{"messages": [], "{ESCAPED}": "big"}}',
        f'{{"{ESCAPED.upper().replace("U", "u")}" : "big"}}',
        '{"model": "a", "mod\\u0065l": "big"}',
        '{"model": "big", "model": "a"}',
        '\ufeff{"model": "big"}',
        ' \n\ufeff {"model": "big", "a": {"model": "nested"}}',
    ],
)
async def test_a_client_does_not_choose_the_backends_model(shared: EnvoySetup, body: str) -> None:
    await shared.post(body.encode())
    pairs = json.loads(shared.cloud.last.body.decode("utf-8-sig").strip("\ufeff \n"), object_pairs_hook=list)
    assert {value for name, value in pairs if name == "model"} == {"cloud-model"}
    assert b"big" not in shared.cloud.last.body


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "audio/wav", "application/octet-stream"])
async def test_uploads_are_streamed_without_buffering(tmp_path: Path, kind: str) -> None:
    body, path = b'{"model": "x"}' * 300_000, "/v1/transcribe"
    async with envoy_with_backends(tmp_path, chat={"match": {"path": path}}) as setup:
        await setup.post(body, {"content-type": kind}, path=path)
        assert setup.cloud.last.body == body


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "multipart/form-data; boundary=x", "x"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/?api-version=1"])
async def test_no_content_type_lets_a_client_choose_the_model_of_a_call_that_takes_json(
    shared: EnvoySetup, kind: str, path: str
) -> None:
    await shared.post(b'{"model": "big"}', {"content-type": kind}, path=path)
    assert json.loads(shared.cloud.last.body) == {"model": "cloud-model"}


async def test_requests_without_a_body_pass(shared: EnvoySetup) -> None:
    async with shared.session.get(shared.envoy.live + "/v1/chat/completions", headers=CLIENT) as response:
        assert response.status == 200
    assert shared.cloud.last.method == "GET"
    assert shared.cloud.last.body == b""


async def test_the_model_in_a_chunked_3_mb_body_is_replaced(shared: EnvoySetup) -> None:
    body = json.dumps({**BODY, "text": 'say "model": "x" \\ {[' * 20_000 + "x" * 2_700_000, "model": "last"}).encode()

    async def chunks() -> Any:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    headers = {"content-type": "application/json"}
    async with shared.session.post(shared.envoy.live + "/v1/chat/completions", data=chunks(), headers=headers) as got:
        assert got.status == 200
    assert shared.cloud.last.model == "cloud-model"
    assert len(shared.cloud.last.body) > 3_000_000


async def test_a_body_over_max_body_is_refused(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, envoy={"max_body": "1MiB"}) as setup:
        assert (await setup.post({**BODY, "text": "x" * 500_000})).status == 200
        assert (await setup.post({**BODY, "text": "x" * 3_000_000})).status == 413


async def test_copies_reach_each_backend_like_live_traffic(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"strip": "/v1", "url_path": "/base"}) as setup:
        reply = await setup.tee("onprem", origin="probe", **{"x-request-id": "the-id"})
        assert reply.status == 200
        got = setup.onprem.last
        assert (got.model, got.path, got.headers["x-request-id"]) == (
            "onprem-model",
            "/base/chat/completions",
            "the-id",
        )
        assert not [name for name in got.headers if name.startswith(("x-glidepath", "x-envoy"))]
        await setup.tee("cloud")
        assert setup.cloud.last.model == "cloud-model"
        log = setup.collector.entries.setdefault(envoy_names.SHADOW_LOG, [])
        await eventually(lambda: len(log) == 2)
        routes = [(entry.common_properties.route_name, entry.common_properties.upstream_cluster) for entry in log]
        assert routes == [("glidepath/chat/shadow/onprem", "onprem"), ("glidepath/chat/shadow/cloud", "cloud")]
        tags = dict(log[0].common_properties.custom_tags)
        assert tags.pop(envoy_names.BODY_BEGIN_TAG).isdigit()
        expected = {
            envoy_names.HEADER_WORKLOAD: "chat",
            envoy_names.HEADER_TARGET: "onprem",
            envoy_names.HEADER_ORIGIN: "probe",
        }
        assert tags.pop(envoy_names.SERVED_TAG) == served_digest(setup.envoy.config, "chat")
        assert tags == {**expected, envoy_names.CHOSEN_CLUSTER_TAG: "onprem", envoy_names.BACKEND_TAG: "onprem"}
        assert log[0].request.request_id == "the-id"
        assert (await setup.tee("stranger")).status == 404
        assert (await setup.post(to=setup.envoy.shadow)).status == 404
        assert setup.collector.streams == []


async def test_an_https_backend_is_verified_by_its_name(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path, "llm.example.com")
    trusted = {"sni": "llm.example.com", "ca_file": str(certificate)}
    async with envoy_with_backends(tmp_path, onprem=trusted, chat=LIVE, tls_onprem=(key, certificate)) as setup:
        assert json.loads((await setup.post()).body)["model"] == "onprem"


async def test_an_https_backend_with_another_name_gets_no_request(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path, "other.example.com")
    trusted = {"sni": "llm.example.com", "ca_file": str(certificate)}
    async with envoy_with_backends(tmp_path, onprem=trusted, chat=LIVE, tls_onprem=(key, certificate)) as setup:
        assert json.loads((await setup.post()).body)["model"] == "cloud"
        assert setup.onprem.received == []


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_backend_that_demands_a_client_certificate_gets_it(tmp_path: Path, fallback: bool) -> None:
    key, certificate = make_certificate(tmp_path, "llm.example.com")
    client = tmp_path / "client"
    client.mkdir()
    client_key, client_certificate = make_certificate(client, "glidepath.example.com")
    trusted = {"sni": "llm.example.com", "ca_file": str(certificate)}
    with_certificate = {**trusted, "client_cert": {"cert": str(client_certificate), "key": str(client_key)}}
    chat = {**LIVE, "fallback": fallback}
    demanded = {"tls_onprem": (key, certificate), "client_ca": client_certificate}
    async with envoy_with_backends(tmp_path, onprem=with_certificate, chat=chat, **demanded) as setup:
        assert json.loads((await setup.post()).body)["model"] == "onprem"
        assert (await setup.tee("onprem")).status == 200
    async with envoy_with_backends(tmp_path, onprem=trusted, chat=chat, **demanded) as setup:
        reply = await setup.post()
        assert (reply.status, setup.onprem.received) == (200 if fallback else 503, [])


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_credential_stays_with_the_baseline_whatever_its_name(tmp_path: Path, fallback: bool) -> None:
    path, headers = f"{PATH}?{query_of_secrets()}&api-version=2&lang=", headers_of_secrets()
    async with envoy_with_backends(tmp_path, chat={"fallback": fallback}) as setup:
        await setup.post(path=path, headers=headers)
        assert setup.cloud.last.path == path
        candidate = "onprem-or-cloud" if fallback else "onprem"
        setup.set_share(100, candidate=candidate)
        await setup.post(path=path, headers=headers)
        assert setup.onprem.last.path == f"{PATH}?api-version=2&lang="
        assert SECRET not in repr(setup.onprem.last)
        if fallback:  # the rescue repeats the client's own request
            setup.onprem.behaviour, before = "status", len(setup.cloud.received)
            assert (await setup.post(path=path, headers=headers)).status == 200
            assert len(setup.cloud.received) == before + 1
            assert setup.cloud.last.path == path
            assert {name: setup.cloud.last.headers[name] for name in headers} == headers


async def test_the_configuration_names_further_headers_and_parameters(tmp_path: Path) -> None:
    named = {"credential_headers": ["X-Our-Pass"], "harmless_parameters": ["Tenant"]}
    async with envoy_with_backends(tmp_path, redaction=named) as setup:
        setup.set_share(100)
        await setup.post(path=f"{PATH}?tenant=a%20b&team=c", headers={"x-our-pass": SECRET, "x-user-id": "ann"})
        assert setup.onprem.last.path == f"{PATH}?tenant=a%20b"
        assert "x-our-pass" not in setup.onprem.last.headers
        assert setup.onprem.last.headers["x-user-id"] == "ann"


async def test_a_baseline_with_a_credential_of_its_own_gets_parameters_without_the_clients_credentials(
    tmp_path: Path,
) -> None:
    async with envoy_with_backends(tmp_path, cloud={"credential": {"env": "HOME"}}) as setup:
        await setup.post(path=f"{PATH}?Sub%73cription-Key=s3cret&team=c&x-api-key=s3cret")
        assert setup.cloud.last.path == f"{PATH}?team=c"


async def test_a_candidate_with_passthrough_gets_the_credential_in_the_query_too(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"credential": {"passthrough": True}}) as setup:
        setup.set_share(100)
        await setup.post(path=f"{PATH}?api_key=s3cret")
        assert setup.onprem.last.path == f"{PATH}?api_key=s3cret"
