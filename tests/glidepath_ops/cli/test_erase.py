"""The pairs that ``glidepath erase --user`` selects after a change of the configuration."""

from __future__ import annotations

import pytest

from extproc.workloads import build_workloads
from glidepath.config import Config, parse_config
from glidepath_ops.cli.erase import erasure
from glidepath_ops.pairs.erase_pairs import digests_in_envoy
from tests.support.chat_config import CHAT_CONFIG

HEADER, BODY = "{header: x-user-id}", "{body: user}"


def config(sticky: str) -> Config:
    return parse_config(CHAT_CONFIG + f"    sticky: {sticky}\nextproc: {{sticky_key: {{env: STICKY_KEY}}}}\n")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STICKY_KEY", "a-secret-of-the-operator")


@pytest.mark.parametrize(("before", "now"), [(HEADER, BODY), (BODY, HEADER), (HEADER, "{random: true}")])
def test_a_user_is_found_by_the_value_of_a_header_and_of_a_body_whichever_is_sticky_now(before: str, now: str) -> None:
    value = "ann" if before == HEADER else next(iter(digests_in_envoy("ann")))
    stored = build_workloads(config(before))["chat"].sticky(value)
    which = erasure(config(now), "chat", "ann", "")
    assert which.covers("pair", stored)
    assert not erasure(config(now), "chat", "ben", "").covers("pair", stored)
