"""Tests of addresses in a user's bootstrap that Glidepath's listeners need too."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.taken_addresses import refuse_taken_addresses
from glidepath_ops.envoyconfig.yaml_insertion import compose

ADMIN = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9000}}}\n"


def config(shadow: str = "127.0.0.1:7000", extproc: str = "unix:/run/ours.sock", admin: str = "9901") -> Config:
    return parse_config(f"""\
envoy: {{shadow_listen: "{shadow}", admin: "http://127.0.0.1:{admin}"}}
extproc: {{listen: "{extproc}"}}
backends: {{a: {{url: "http://a.test"}}, b: {{url: "http://b.test"}}}}
workloads: {{chat: {{match: {{path: /v1/x}}, baseline: a, candidate: b}}}}
""")


def refusal(address: str, settings: Config, more: str = "", admin: str = ADMIN) -> str:
    listener = f"static_resources: {{listeners: [{{name: web, address: {{{address}}}{more}}}]}}\n"
    try:
        refuse_taken_addresses(compose(admin + listener, "boot.yaml"), settings, "boot.yaml")
    except InputError as error:
        return str(error)
    return ""


def socket(host: str, port: int, more: str = "") -> str:
    return f'socket_address: {{address: "{host}", port_value: {port}{more}}}'


@pytest.mark.parametrize(
    ("address", "settings"),
    [
        (socket("127.0.0.1", 7000), config()),
        (socket("0.0.0.0", 7000), config()),
        (socket("::", 7000), config()),
        (socket("10.0.0.1", 7000), config("0.0.0.0:7000")),
        (socket("::1", 7000), config("[::1]:7000")),
        (socket("127.0.0.1", 7000, ", protocol: TCP"), config()),
        ("pipe: {path: /run/shadow.sock}", config("unix:/run/shadow.sock")),
        (
            f"{socket('10.0.0.1', 1)}}}, additional_addresses: [{{address: {{{socket('127.0.0.1', 7000)}}}}}], x: {{",
            config(),
        ),
    ],
)
def test_an_address_that_the_listener_for_copies_needs_is_refused(address: str, settings: Config) -> None:
    found = refusal(address, settings)
    assert found.startswith("boot.yaml:2: the listener web has the address ")
    assert found.endswith(": change envoy.shadow_listen in glidepath.yaml")


def test_the_addresses_of_extproc_and_of_the_admin_api_count_too() -> None:
    assert "change extproc.listen in" in refusal("pipe: {path: /run/ours.sock}", config())
    assert "change extproc.listen in" in refusal(socket("127.0.0.1", 50), config(extproc="127.0.0.1:50"))
    assert "change envoy.admin in" in refusal(socket("127.0.0.1", 9901), config(), admin="")
    assert "boot.yaml:1: the admin API has the address 127.0.0.1:9000" in refusal("", config("127.0.0.1:9000"))


@pytest.mark.parametrize(
    ("address", "settings"),
    [
        (socket("127.0.0.1", 7001), config()),
        (socket("10.0.0.1", 7000), config()),
        (socket("127.0.0.1", 7000, ", protocol: UDP"), config()),
        (socket("127.0.0.1", 0), config()),
        ("socket_address: {address: 127.0.0.1, named_port: http}", config()),
        ("pipe: {path: /run/other.sock}", config("unix:/run/shadow.sock")),
        ("envoy_internal_address: {server_listener_name: x}", config()),
        (socket("127.0.0.1", 50), config(extproc="extproc.svc:50")),  # on another machine
        (socket("127.0.0.1", 9901), config()),  # the user's own admin API stays
        ("", config()),
    ],
)
def test_other_addresses_are_free(address: str, settings: Config) -> None:
    assert refusal(address, settings) == ""
