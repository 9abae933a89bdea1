"""gRPC calls in each version of Envoy that Glidepath supports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from extproc.outcome_classification import RequestOutcome, classify
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.sides import Side
from tests.support.envoy_versions import each_version
from tests.support.grpc_backends import UNPACKAGED, Echo, Failing, grpc_backends
from tests.support.waiting import eventually


@each_version
async def test_a_grpc_call_is_streamed_and_rescued_and_counted_by_its_status(
    binary: Path, envoy: dict[str, Any], tmp_path: Path
) -> None:
    async with grpc_backends(tmp_path, start=100, sticky=None, binary=binary, envoy=envoy) as calls:
        assert await calls.exchange(2) == [b"onprem:0", b"onprem:1"]
    cancelled = Failing(grpc.StatusCode.CANCELLED)
    async with grpc_backends(tmp_path, Echo("cloud"), cancelled, binary=binary, envoy=envoy, start=100) as calls:
        assert await calls.infer(b"tensor") == b"cloud:tensor"
    late = Failing(grpc.StatusCode.INTERNAL, b"one")
    async with grpc_backends(tmp_path, Echo("cloud"), late, binary=binary, envoy=envoy, start=100) as calls:
        with pytest.raises(grpc.aio.AioRpcError):
            await calls.infer(b"tensor")
        log = calls.setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == 1)
        found = classify(log[0], build_workloads(calls.setup.envoy.config), shadow=False)
        assert isinstance(found, RequestOutcome)
        assert (found.side, found.error) == (Side.CANDIDATE, "grpc_internal")


@each_version
async def test_a_grpc_call_that_a_candidates_model_cannot_name_stays_at_the_baseline(
    binary: Path, envoy: dict[str, Any], tmp_path: Path
) -> None:
    models = {"cloud": "its-model", "onprem": "own-model"}
    async with grpc_backends(tmp_path, path=UNPACKAGED, models=models, start=100, binary=binary, envoy=envoy) as calls:
        assert await calls.exchange(2) == [b"cloud:0", b"cloud:1"]
