"""gRPC calls through Envoy: split, streamed in both directions, and left to the baseline if ``model`` cannot apply."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.access_log_tag_values import pinned_request
from extproc.outcome_classification import RequestOutcome, classify
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.sides import Side
from tests.support.grpc_backends import METHOD, UNPACKAGED, Echo, Failing, GrpcSetup, grpc_backends
from tests.support.waiting import eventually

BOTH = {"cloud": "its-model", "onprem": "own-model"}
CAPTURED = {"sample": 100}


@pytest.mark.parametrize("sticky", [{}, {"sticky": None}], ids=["random", "by conversation"])
@pytest.mark.parametrize(("share", "expected"), [(0, b"cloud:tensor"), (100, b"onprem:tensor")])
async def test_a_grpc_call_reaches_backends_that_speak_http_2(
    tmp_path: Path, share: int, expected: bytes, sticky: dict[str, Any]
) -> None:
    async with grpc_backends(tmp_path, start=share, **sticky) as calls:
        assert await calls.infer(b"tensor") == expected


@pytest.mark.parametrize(
    ("path", "models", "share", "side"),
    [
        (METHOD, {}, 0, b"cloud"),
        (METHOD, {}, 100, b"onprem"),
        (UNPACKAGED, {"onprem": "own-model"}, 0, b"cloud"),
        (UNPACKAGED, {"onprem": "own-model"}, 100, b"cloud"),
        (UNPACKAGED, BOTH, 0, b"cloud"),
        (UNPACKAGED, BOTH, 100, b"cloud"),
        (UNPACKAGED, {"cloud": "its-model"}, 100, b"onprem"),
    ],
)
async def test_envoy_holds_no_message_of_a_grpc_call(
    tmp_path: Path, path: str, models: dict[str, str], share: int, side: bytes
) -> None:
    async with grpc_backends(tmp_path, path=path, models=models, start=share, sticky=None, shadow=CAPTURED) as calls:
        assert await calls.exchange(3) == [side + b":0", side + b":1", side + b":2"]


async def test_a_grpc_call_that_a_candidates_model_cannot_name_is_counted_with_its_reason(tmp_path: Path) -> None:
    async with grpc_backends(tmp_path, path=UNPACKAGED, models={"onprem": "own-model"}, start=100) as calls:
        assert await calls.infer(b"tensor") == b"cloud:tensor"
        (entry,) = await logged(calls)
        assert pinned_request(entry, build_workloads(calls.setup.envoy.config)) == ("chat", "grpc_model")


async def logged(calls: GrpcSetup) -> list[HTTPAccessLogEntry]:
    log = calls.setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
    await eventually(lambda: bool(log))
    return log


async def outcome(calls: GrpcSetup) -> RequestOutcome:
    (entry,) = await logged(calls)
    found = classify(entry, build_workloads(calls.setup.envoy.config), shadow=False)
    assert isinstance(found, RequestOutcome)
    return found


RESCUED = ("CANCELLED", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "UNAVAILABLE")
REFUSALS = ("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "OUT_OF_RANGE")
DENIALS = ("PERMISSION_DENIED", "UNAUTHENTICATED")
FAILURES = ("UNKNOWN", "ABORTED", "UNIMPLEMENTED", "DATA_LOSS")


@pytest.mark.parametrize("status", RESCUED)
async def test_the_baseline_rescues_a_grpc_call_that_the_candidate_fails(tmp_path: Path, status: str) -> None:
    failing = Failing(grpc.StatusCode[status])
    async with grpc_backends(tmp_path, Echo("cloud"), failing, start=100) as calls:
        assert await calls.infer(b"tensor") == b"cloud:tensor"
        found = await outcome(calls)
        assert (found.side, found.error, found.rescued) == (Side.CANDIDATE, "failover", True)


@pytest.mark.parametrize("status", [*REFUSALS, *DENIALS, *FAILURES])
async def test_any_other_status_of_the_candidate_reaches_the_client_and_is_counted_by_its_meaning(
    tmp_path: Path, status: str
) -> None:
    failing = Failing(grpc.StatusCode[status])
    async with grpc_backends(tmp_path, Echo("cloud"), failing, start=100) as calls:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await calls.infer(b"tensor")
        assert raised.value.code().name == status
        found = await outcome(calls)
        assert (found.side, found.rescued, found.latency_ms) == (Side.CANDIDATE, None, None)
        expected = "" if status in REFUSALS else f"grpc_{status.lower()}"  # it gets no credential of the client
        assert (found.error, found.refused) == (expected, status in REFUSALS)


async def test_a_grpc_call_that_fails_after_a_message_is_an_error_of_its_side(tmp_path: Path) -> None:
    late = Failing(grpc.StatusCode.INTERNAL, b"one")
    async with grpc_backends(tmp_path, Echo("cloud"), late, start=100) as calls:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await calls.infer(b"tensor")
        assert (await outcome(calls)).error == "grpc_internal"


async def test_a_rescue_fails_if_the_baseline_fails_the_grpc_call_too(tmp_path: Path) -> None:
    failing = Failing(grpc.StatusCode.INTERNAL)
    async with grpc_backends(tmp_path, failing, failing, start=100) as calls:
        with pytest.raises(grpc.aio.AioRpcError):
            await calls.infer(b"tensor")
        found = await outcome(calls)
        assert (found.error, found.rescued, found.failed_at_both) == ("failover", False, True)
