"""The sockets that `up` puts into its data folder, so that two runs of `up` do not use the same addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath.config import parse_config
from glidepath_ops.local.services import with_sockets_in
from tests.support.chat_config import CHAT_CONFIG

LEASED = CHAT_CONFIG + "    if_lost: baseline\n"
FOLDER = Path("/tmp/up")


@pytest.mark.parametrize(
    ("text", "rtds_listen"),
    [
        (CHAT_CONFIG, "127.0.0.1:18010"),
        (LEASED, f"unix:{FOLDER}/rtds.sock"),
        (LEASED + 'envoy: {rtds_listen: "127.0.0.1:7"}\n', "127.0.0.1:7"),
        (LEASED + 'envoy: {rtds_address: "scorer:7"}\n', "127.0.0.1:18010"),
    ],
)
def test_leases_go_through_a_socket_unless_an_address_is_set(text: str, rtds_listen: str) -> None:
    assert with_sockets_in(FOLDER, parse_config(text)).envoy.rtds_listen == rtds_listen
