"""The decision log as JSON lines in a file, beside the one in Redis."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from prometheus_client import Counter

from glidepath.records import Decision, to_json
from scorer.steer.courier import Courier


def log_file(path: str, dropped: Counter) -> Courier:
    async def send(_: aiohttp.ClientSession, decision: Decision) -> None:
        await asyncio.to_thread(_append, Path(path), to_json(decision))

    return Courier("file", send, dropped)


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
