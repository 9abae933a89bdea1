"""A client of a console in the same process, without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from glidepath.config import Config, load_config
from glidepath_ops.console.app import make_app, make_console
from glidepath_ops.console.running_console import Console

TOKEN = "a-token-of-the-tests"
HOST = "http://127.0.0.1:9480"


def console_config(folder: Path, text: str, redis_url: str, console: str = "") -> Config:
    """Return the configuration ``text`` with this Redis, and with the section ``console`` unless it is empty."""
    path = folder / "glidepath.yaml"
    (folder / "token").write_text(TOKEN + "\n")
    section = f"console: {console.format(token=folder / 'token')}\n" if console else ""
    path.write_text(f'{text}redis: {{url: "{redis_url}"}}\n{section}')
    return load_config(path)


@asynccontextmanager
async def console_client(config: Config, redis: Any, peer: str = "127.0.0.1") -> AsyncIterator[tuple[Any, Console]]:
    """Yield a client of a console with this configuration, and the console. ``peer``: the client's address."""
    console = make_console(config, redis, every_s=0.05)
    transport = httpx.ASGITransport(app=make_app(console), client=(peer, 40000))
    async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
        yield client, console
    await console.live.close()
