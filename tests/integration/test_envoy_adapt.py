"""What each backend receives: model, path, host, headers, credentials; read from the backends themselves."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from glidepath import keys
from tests.support.stage import BODY, PATH, Stage, on_stage, until
from tests.support.tls import make_certificate

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one Envoy serves the tests that take `shared`

CLIENT = {"authorization": "Bearer client-key", "x-api-key": "client-x", "cookie": "session=client"}
LIVE = {"start": 100}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


def client_values(headers: dict[str, str]) -> list[str]:
    return [value for value in headers.values() if "client" in value]


async def test_the_baseline_gets_the_clients_own_credentials_and_the_candidate_none(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        await stage.post(headers=CLIENT)
        assert {name: stage.cloud.last.headers[name] for name in CLIENT} == CLIENT
        stage.weigh(100)
        await stage.post(headers=CLIENT)
        assert client_values(stage.onprem.last.headers) == []


async def test_without_fallback_the_candidate_gets_none_either(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat={"start": 100, "fallback": False}) as stage:
        await stage.post(headers=CLIENT)
        assert client_values(stage.onprem.last.headers) == []


async def test_a_candidate_that_asks_for_it_gets_the_clients_credential(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem={"credential": {"passthrough": True}}, chat=LIVE) as stage:
        await stage.post(headers=CLIENT)
        assert {name: stage.onprem.last.headers[name] for name in CLIENT} == CLIENT


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_header_that_is_declared_to_carry_the_clients_credential_never_reaches_the_candidate(
    tmp_path: Path, fallback: bool
) -> None:
    cloud = {"credential": {"passthrough": True, "header": "x-house-key"}}
    headers = CLIENT | {"x-house-key": "client-house"}
    async with on_stage(tmp_path, cloud=cloud, chat=LIVE | {"fallback": fallback}) as stage:
        await stage.post(headers=headers)
        assert client_values(stage.onprem.last.headers) == []
        if fallback:
            stage.onprem.mood = "status"
            await stage.post(headers=headers)
            assert stage.cloud.last.headers["x-house-key"] == "client-house"
        stage.weigh(0, candidate="onprem-or-cloud" if fallback else "onprem")
        await stage.post(headers=headers)
        assert stage.cloud.last.headers["x-house-key"] == "client-house"


async def test_credentials_never_cross_between_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "cloud-key")
    key = tmp_path / "key"
    key.write_text("onprem-key\n")
    cloud = {"credential": {"env": "GLIDEPATH_TEST_KEY", "header": "x-api-key"}}
    onprem = {"credential": {"file": str(key), "prefix": "Token "}}
    async with on_stage(tmp_path, cloud=cloud, onprem=onprem, chat=LIVE) as stage:

        def check() -> None:
            for backend, other, own in ((stage.cloud, "onprem", "x-api-key"), (stage.onprem, "cloud", "authorization")):
                for got in backend.received:
                    assert client_values(got.headers) == []
                    assert not [value for value in got.headers.values() if f"{other}-key" in value]
                    assert f"{backend.name}-key" in got.headers[own]

        await stage.post(headers=CLIENT)
        stage.onprem.mood = "status"
        await stage.post(headers=CLIENT)
        stage.weigh(0)
        await stage.post(headers=CLIENT)
        await stage.tee("cloud")
        await stage.tee("onprem")
        assert (len(stage.cloud.received), len(stage.onprem.received)) == (3, 3)
        check()
        assert stage.onprem.last.headers["authorization"] == "Token onprem-key"
        assert stage.cloud.last.headers["x-api-key"] == "cloud-key"
        await until(lambda: sum(map(len, stage.collector.entries.values())) == 5)
        seen = [message for stream in stage.collector.streams for message in stream]
        seen += [entry for entries in stage.collector.entries.values() for entry in entries]
        copies = b"".join(message.SerializeToString() for message in seen)
        for secret in (b"client-key", b"client-x", b"session=client", b"cloud-key", b"onprem-key"):
            assert secret not in copies


async def test_a_credential_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """In place, by rename, and as Kubernetes does it (a symlinked folder is swapped)."""
    first, second = tmp_path / "..one", tmp_path / "..two"
    for folder, text in ((first, "k1"), (second, "k4")):
        folder.mkdir()
        (folder / "key").write_text(text)
    data = tmp_path / "..data"
    data.symlink_to(first.name)
    key = tmp_path / "key"
    key.symlink_to("..data/key")
    async with on_stage(tmp_path, onprem={"credential": {"file": str(key)}}, chat=LIVE) as stage:

        async def becomes(value: str) -> bool:
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                await stage.post()
                if stage.onprem.last.headers.get("authorization") == f"Bearer {value}":
                    return True
            return False

        assert await becomes("k1")
        (tmp_path / "..new").symlink_to(second.name)
        (tmp_path / "..new").rename(data)
        assert await becomes("k4")
        (tmp_path / "plain").write_text("k2\n")
        (tmp_path / "plain").rename(key)
        assert await becomes("k2")
        key.write_text("k3")
        assert await becomes("k3")


@pytest.mark.parametrize("content", ["", "\n \n", "one\nx-admin: two"], ids=["empty", "blank", "two lines"])
async def test_a_key_file_that_holds_no_key_sends_none(tmp_path: Path, content: str) -> None:
    key = tmp_path / "key"
    key.write_text(content)
    async with on_stage(tmp_path, onprem={"credential": {"file": str(key)}}, chat=LIVE) as stage:
        assert (await stage.post(headers=CLIENT)).status == 200
        assert {"authorization", "x-admin"}.isdisjoint(stage.onprem.last.headers)


async def test_a_missing_secret_is_an_honest_401_for_the_backend_to_give(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem={"credential": {"env": "GLIDEPATH_NOT_SET"}}, chat=LIVE) as stage:
        assert (await stage.post(headers=CLIENT)).status == 200
        assert "authorization" not in stage.onprem.last.headers


async def test_headers_path_and_host_are_each_backends_own(tmp_path: Path) -> None:
    cloud = {"headers": {"X-Org": "cloud-org"}, "url_path": "/openai"}
    onprem = {"headers": {"x-team": "a b"}, "strip": "/v1", "url_path": "/llm/", "host": "vllm.internal"}
    async with on_stage(tmp_path, cloud=cloud, onprem=onprem, chat=LIVE) as stage:
        await stage.post(headers={"x-org": "mine", "x-team": "mine"}, path="/v1/chat/completions?a=%20b&c=d")
        got = stage.onprem.last
        assert got.path == "/llm/chat/completions?a=%20b&c=d"
        assert (got.headers["host"], got.headers["x-org"], got.headers["x-team"]) == ("vllm.internal", "mine", "a b")
        stage.onprem.mood = "status"
        await stage.post(headers={"x-org": "mine", "x-team": "mine"}, path="/v1/chat/completions?a=%20b&c=d")
        got = stage.cloud.last
        assert got.path == "/openai/v1/chat/completions?a=%20b&c=d"
        assert (got.headers["host"], got.headers["x-org"]) == (stage.cloud.url[7:], "cloud-org")
        assert got.headers["x-team"] == "mine"


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_backend_that_differs_in_nothing_still_gets_its_own_host(tmp_path: Path, fallback: bool) -> None:
    same = {"model": None}
    body = b'{"model": "client-model", "text": "' + b"x" * 300_000 + b'"}'
    chat = {"start": 100, "fallback": fallback}
    async with on_stage(tmp_path, cloud=same, onprem={**same, "host": "vllm.internal"}, chat=chat) as stage:
        await stage.post(body, CLIENT)
        await stage.tee("cloud")
        await stage.tee("onprem")
        stage.weigh(0, candidate="onprem-or-cloud" if fallback else "onprem")
        await stage.post(body, CLIENT, path="/v1/chat/completions?a=%20b")
        assert {got.headers["host"] for got in stage.cloud.received} == {stage.cloud.url.removeprefix("http://")}
        assert {got.headers["host"] for got in stage.onprem.received} == {"vllm.internal"}
        assert (len(stage.cloud.received), len(stage.onprem.received)) == (2, 2)
        assert (stage.cloud.last.path, stage.cloud.last.body) == ("/v1/chat/completions?a=%20b", body)
        assert client_values(stage.onprem.received[0].headers) == []


async def test_configuration_strings_cannot_leave_their_lua_quotes(tmp_path: Path) -> None:
    nasty = '"]] } os.exit(1) --[[ \\ %REQ(x)% \u00fc'
    async with on_stage(tmp_path, onprem={"model": nasty, "headers": {"x-n": '"..x.." \\ %y%'}}, chat=LIVE) as stage:
        await stage.post()
        assert stage.onprem.last.model == nasty
        assert stage.onprem.last.headers["x-n"] == '"..x.." \\ %y%'


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


async def test_only_the_top_level_model_is_rewritten_whatever_the_body(tmp_path: Path) -> None:
    rng = random.Random(7)
    async with on_stage(tmp_path) as stage:
        for _ in range(250):
            value = random_value(rng, 0)
            text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, None, 2]))
            await stage.post(text.encode())
            if isinstance(value, dict) and isinstance(value.get("model"), str):
                value["model"] = "cloud-model"
                assert json.loads(stage.cloud.last.body) == value
            else:
                assert stage.cloud.last.body == text.encode()


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"not json", b'["model"]', b'{"model": "x"', b'{"a": "\\', b'{"model": 3}', b'{"model"', b"\xff{}{}"],
)
async def test_what_is_no_json_object_passes_unchanged(shared: Stage, body: bytes) -> None:
    await shared.post(body)
    assert shared.cloud.last.body == body


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "audio/wav", "application/octet-stream"])
async def test_uploads_are_streamed_not_read(shared: Stage, kind: str) -> None:
    body = b'{"model": "x"}' * 300_000
    await shared.post(body, {"content-type": kind})
    assert shared.cloud.last.body == body


async def test_requests_without_a_body_pass(shared: Stage) -> None:
    async with shared.session.get(shared.envoy.live + "/v1/chat/completions", headers=CLIENT) as response:
        assert response.status == 200
    assert shared.cloud.last.method == "GET"
    assert shared.cloud.last.body == b""


async def test_a_chunked_3_mb_body_is_renamed_quickly(shared: Stage) -> None:
    body = json.dumps({**BODY, "text": 'say "model": "x" \\ {[' * 150_000, "model": "last"}).encode()

    async def chunks() -> Any:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    start = time.monotonic()
    headers = {"content-type": "application/json"}
    async with shared.session.post(shared.envoy.live + "/v1/chat/completions", data=chunks(), headers=headers) as got:
        assert got.status == 200
    assert time.monotonic() - start < 2
    assert shared.cloud.last.model == "cloud-model"
    assert len(shared.cloud.last.body) > 3_000_000


async def test_a_body_over_max_body_is_refused_plainly(tmp_path: Path) -> None:
    async with on_stage(tmp_path, envoy={"max_body": "1MiB"}) as stage:
        assert (await stage.post({**BODY, "text": "x" * 500_000})).status == 200
        assert (await stage.post({**BODY, "text": "x" * 3_000_000})).status == 413


async def test_the_tee_reaches_each_backend_as_live_traffic_does(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem={"strip": "/v1", "url_path": "/base"}) as stage:
        reply = await stage.tee("onprem", origin="probe", **{"x-request-id": "the-id"})
        assert reply.status == 200
        got = stage.onprem.last
        assert (got.model, got.path, got.headers["x-request-id"]) == (
            "onprem-model",
            "/base/chat/completions",
            "the-id",
        )
        assert not [name for name in got.headers if name.startswith(("x-glidepath", "x-envoy"))]
        await stage.tee("cloud")
        assert stage.cloud.last.model == "cloud-model"
        log = stage.collector.entries.setdefault(keys.SHADOW_LOG, [])
        await until(lambda: len(log) == 2)
        routes = [(entry.common_properties.route_name, entry.common_properties.upstream_cluster) for entry in log]
        assert routes == [("glidepath/chat/shadow/onprem", "onprem"), ("glidepath/chat/shadow/cloud", "cloud")]
        tags = dict(log[0].common_properties.custom_tags)
        expected = {keys.HEADER_WORKLOAD: "chat", keys.HEADER_TARGET: "onprem", keys.HEADER_ORIGIN: "probe"}
        assert tags == {**expected, keys.CHOSEN_CLUSTER_TAG: "onprem"}
        assert log[0].request.request_id == "the-id"
        assert (await stage.tee("stranger")).status == 404
        assert (await stage.post(to=stage.envoy.shadow)).status == 404
        assert stage.collector.streams == []


async def test_an_https_backend_is_verified_by_its_name(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path, "llm.example.com")
    trusted = {"sni": "llm.example.com", "ca_file": str(certificate)}
    async with on_stage(tmp_path, onprem=trusted, chat=LIVE, tls_onprem=(key, certificate)) as stage:
        assert json.loads((await stage.post()).body)["model"] == "onprem"


async def test_an_https_backend_of_another_name_is_not_spoken_to(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path, "other.example.com")
    trusted = {"sni": "llm.example.com", "ca_file": str(certificate)}
    async with on_stage(tmp_path, onprem=trusted, chat=LIVE, tls_onprem=(key, certificate)) as stage:
        assert json.loads((await stage.post()).body)["model"] == "cloud"
        assert stage.onprem.received == []


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_credential_in_the_query_stays_with_the_baseline(tmp_path: Path, fallback: bool) -> None:
    path = f"{PATH}?api_key=s3cret&version=2&sig=x"
    async with on_stage(tmp_path, chat={"fallback": fallback}) as stage:
        await stage.post(path=path)
        assert stage.cloud.last.path == path
        candidate = "onprem-or-cloud" if fallback else "onprem"
        stage.weigh(100, candidate=candidate)
        await stage.post(path=path)
        assert stage.onprem.last.path == f"{PATH}?version=2"
        if fallback:  # and the rescue is the client's own request again
            stage.onprem.mood, before = "status", len(stage.cloud.received)
            assert (await stage.post(path=path)).status == 200
            assert len(stage.cloud.received) == before + 1
            assert stage.cloud.last.path == path


async def test_a_candidate_that_takes_the_clients_credential_takes_it_from_the_query_too(tmp_path: Path) -> None:
    async with on_stage(tmp_path, onprem={"credential": {"passthrough": True}}) as stage:
        stage.weigh(100)
        await stage.post(path=f"{PATH}?api_key=s3cret")
        assert stage.onprem.last.path == f"{PATH}?api_key=s3cret"
