"""Differences that clients notice besides the content, from a real Envoy to ``glidepath status``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiohttp import web

from glidepath.config import Config
from glidepath_ops.local.services import config_file
from tests.support.commands import run_process
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

ASKED = {"model": "assistant", "messages": [{"role": "user", "content": "Who are you?"}]}


class NamesTheModel(Recorder):
    """A backend whose answers name the model that the request asks for, or ``alias`` if it is set."""

    alias = ""

    async def _json(self, request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())["model"]
        return web.json_response({**self.answer(), "model": self.alias or asked})


async def counts_after(system: System, pairs: int) -> dict[str, int]:
    """Return the counts of contract signals once ``pairs`` pairs were compared."""
    found: dict[str, int] = {}

    async def compared() -> bool:
        status = await system.status()
        found.update(status.contract if status else {})
        return found.get("contract_model compared") == pairs

    await eventually(compared)
    return found


async def ask(system: System) -> dict[str, Any]:
    async with system.http.post(f"{system.url}/v1/chat/completions", json=ASKED) as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def test_with_model_keep_no_client_notices_another_name_and_status_says_when_one_does(tmp_path: Path) -> None:
    async with NamesTheModel("same") as cloud, NamesTheModel("same") as onprem:
        data = system_config(tmp_path, cloud.url, onprem.url).model_dump(mode="json", exclude_unset=True)
        data["backends"]["onprem"]["model"] = "keep"
        async with running_system(Config.model_validate(data), tmp_path) as system:
            assert (await ask(system))["model"] == "m-cloud"  # answers are not changed
            assert await counts_after(system, 1) == {"contract_model compared": 1}
            assert (cloud.last.model, onprem.last.model) == ("m-cloud", "assistant")
            onprem.alias = "llama"
            await ask(system)
            assert (await counts_after(system, 2))["contract_model different"] == 1
            _, shown, errors = await run_process("status", config=config_file(system.folder))
            assert "the model's name differs in 1 of 2 pairs" in " ".join(shown.split()), errors
