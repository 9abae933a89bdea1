"""gRPC calls through Envoy: split, streamed in both directions, and left to the baseline if ``model`` cannot apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from extproc.access_log_tag_values import pinned_request
from extproc.workloads import build_workloads
from glidepath import envoy_names
from tests.support.grpc_backends import METHOD, UNPACKAGED, grpc_backends
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
        log = calls.setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: bool(log))
        workloads = build_workloads(calls.setup.envoy.config)
        assert pinned_request(log[0], workloads) == ("chat", "grpc_model")
