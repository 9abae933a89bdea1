"""The insertions of ``glidepath render envoy --into``: checks that take too long for ``make test``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import aiohttp

from tests.mesh.long_silence import check_long_silence
from tests.mesh.traffic import Caller, prompt_size
from tests.support.users_envoy import users_setup, users_table


def clients() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=200))


async def test_130_s_of_silence_break_no_answer(tmp_path: Path) -> None:
    async with users_setup(tmp_path, users_table(), shadow={"sample": 0}) as setup, clients() as session:
        with setup.after() as envoy:
            setup.set_share(envoy, 50)
            await check_long_silence([setup.theirs, setup.onprem], [Caller(session, setup.live, {})])


async def test_a_body_that_is_too_large_for_a_new_model_goes_to_the_users_backend(tmp_path: Path) -> None:
    async with users_setup(tmp_path, users_table(), shadow={"sample": 0}) as setup, clients() as session:
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            caller = Caller(session, setup.live, {})
            assert await caller.ask(2, size=3_000_000) == Counter({(200, "onprem"): 2})
            assert await caller.ask(2, size=30_000_000) == Counter({(200, "theirs"): 2})
            assert prompt_size(setup.theirs) == 30_000_000
