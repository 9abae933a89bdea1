"""If a path names the model, ``model`` replaces this name: a real Envoy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.envoy_with_backends import EnvoySetup, envoy_with_backends

pytestmark = pytest.mark.asyncio(loop_scope="module")
AZURE, GEMINI, BEDROCK, KSERVE = "/openai/deployments", "/v1beta/models", "/model", "/v2/models"
TUNED = "/v1beta/tunedModels"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EnvoySetup]:
    prefix = {"match": {"path_prefix": "/"}, "stateless": True}
    folder = tmp_path_factory.mktemp("setup")
    async with envoy_with_backends(folder, cloud={"model": None}, onprem={"model": "b:1/x"}, chat=prefix) as setup:
        yield setup


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{AZURE}/gpt-4o/chat/completions?api-version=1", f"{AZURE}/b%3A1%2Fx/chat/completions?api-version=1"),
        (f"{GEMINI}/gemini-2.0:generateContent", f"{GEMINI}/b%3A1%2Fx:generateContent"),
        (f"{TUNED}/ours-1a:generateContent", f"{GEMINI}/b%3A1%2Fx:generateContent"),
        (f"{TUNED}/o:streamGenerateContent?alt=sse", f"{GEMINI}/b%3A1%2Fx:streamGenerateContent?alt=sse"),
        (f"{BEDROCK}/anthropic.claude-v2%3A1/converse", f"{BEDROCK}/b%3A1%2Fx/converse"),
        (f"{BEDROCK}/a/invoke-with-response-stream", f"{BEDROCK}/b%3A1%2Fx/invoke-with-response-stream"),
        (f"{KSERVE}/m/versions/2/infer", f"{KSERVE}/b%3A1%2Fx/versions/2/infer"),
        (f"{KSERVE}/m/generate_stream", f"{KSERVE}/b%3A1%2Fx/generate_stream"),
        ("/v1/models/m:predict", "/v1/models/b%3A1%2Fx:predict"),
        ("/v1/models/m/versions/3:predict", "/v1/models/b%3A1%2Fx/versions/3:predict"),
        ("/v1/models/m/labels/stable:predict", "/v1/models/b%3A1%2Fx/labels/stable:predict"),
        ("/v1/models/m/predict", "/v1/models/m/predict"),
    ],
)
async def test_the_candidate_gets_its_own_model_in_the_path_and_the_baseline_the_clients(
    shared: EnvoySetup, path: str, expected: str
) -> None:
    for share, backend, received in ((0, shared.cloud, path), (100, shared.onprem, expected)):
        shared.clear_received()
        shared.set_share(share)
        assert (await shared.post({"messages": []}, path=path)).status == 200
        assert backend.last.path == received


@pytest.mark.parametrize(("target", "expected"), [("onprem", f"{GEMINI}/b%3A1%2Fx"), ("cloud", f"{TUNED}/ours")])
async def test_a_copy_of_a_call_to_a_tuned_model_names_the_model_of_the_side_that_gets_it(
    shared: EnvoySetup, target: str, expected: str
) -> None:
    shared.clear_received()
    path = f"{TUNED}/ours:generateContent"
    assert (await shared.tee(target, path=path)).status == 200
    assert [one.path for one in (*shared.cloud.received, *shared.onprem.received)] == [f"{expected}:generateContent"]


async def test_what_is_no_inference_call_to_a_tuned_model_reaches_the_baseline_unchanged(shared: EnvoySetup) -> None:
    shared.clear_received()
    shared.set_share(100)
    for path in (TUNED, f"{TUNED}/ours:transferOwnership", f"{TUNED}/ours/permissions"):
        assert (await shared.post({}, path=path)).status == 200
        assert shared.cloud.last.path == path
    assert not shared.onprem.received


async def test_a_rescue_asks_the_baseline_for_the_clients_model(shared: EnvoySetup) -> None:
    shared.clear_received()
    shared.set_share(100)
    shared.onprem.behaviour = "status"
    path = f"{AZURE}/gpt-4o/chat/completions"
    assert (await shared.post({"messages": []}, path=path)).status == 200
    shared.onprem.behaviour = "json"
    assert (shared.onprem.last.path, shared.cloud.last.path) == (f"{AZURE}/b%3A1%2Fx/chat/completions", path)
