"""A client gets the id of its request back and, if configured, the name of the backend that answered."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from glidepath import envoy_names
from tests.support.envoy_with_backends import envoy_with_backends
from tests.support.waiting import eventually

SERVED_BY = envoy_names.HEADER_SERVED_BY


@pytest.mark.parametrize("sent", ["of-the-application", str(uuid.uuid4()), None], ids=["own", "uuid", "none"])
async def test_a_clients_id_is_kept_and_returned_and_without_one_envoys_is_returned(
    tmp_path: Path, sent: str | None
) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        reply = await setup.post(headers={"x-request-id": sent} if sent else {})
        returned = reply.headers["x-request-id"]
        assert returned == (sent or returned) != ""
        assert setup.cloud.last.headers["x-request-id"] == returned
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == 1)
        assert log[0].request.request_id == returned


async def test_an_id_of_the_backend_itself_stays(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        setup.cloud.more_headers = {"x-request-id": "req_of_the_backend"}
        assert (await setup.post()).headers["x-request-id"] == "req_of_the_backend"


async def test_an_answer_names_its_backend_only_if_that_is_wanted_and_never_by_the_clients_word(
    tmp_path: Path,
) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        assert SERVED_BY not in (await setup.post(headers={SERVED_BY: "forged"})).headers
    async with envoy_with_backends(tmp_path, envoy={"served_by": True}) as setup:
        names: list[Any] = []
        for share, candidate in ((0, "json"), (100, "json"), (100, "status")):
            setup.set_share(share)
            setup.onprem.behaviour = candidate  # type: ignore[assignment]
            names.append((await setup.post()).headers.getall(SERVED_BY))  # type: ignore[attr-defined]
        assert names == [["cloud"], ["onprem"], ["cloud"]]  # the last one is a rescue
