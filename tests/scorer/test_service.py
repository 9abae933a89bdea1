"""A scorer that cannot start ends with one error that names the setting to change."""

from __future__ import annotations

import asyncio
import socket

import pytest

from glidepath.config import parse_config
from glidepath.errors import UnreachableError
from glidepath_ops.local.child_process import free_ports
from scorer.service import ScorerService


async def test_a_metrics_address_in_use_is_reported_as_one_error(redis_url: str) -> None:
    taken = free_ports(1)[0]
    config = parse_config(f"""
redis: {{url: "{redis_url}"}}
envoy: {{admin: "http://127.0.0.1:1"}}
scorer: {{metrics: "127.0.0.1:{taken}"}}
backends: {{cloud: {{url: "http://127.0.0.1:1"}}, onprem: {{url: "http://127.0.0.1:2"}}}}
workloads: {{chat: {{match: {{path: /v1/chat/completions}}, baseline: cloud, candidate: onprem}}}}
""")
    with socket.create_server(("127.0.0.1", taken)), pytest.raises(UnreachableError, match=r"scorer\.metrics"):
        async with asyncio.timeout(60):
            await ScorerService(config).run(asyncio.Event())
