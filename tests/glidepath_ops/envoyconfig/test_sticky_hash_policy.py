"""The value that keeps a user on one side, for each source that ``sticky`` may name."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.config import Config, parse_config
from glidepath_ops.envoyconfig.sticky_hash_policy import copied_headers, hash_policy, headers_from_bodies
from glidepath_ops.envoyconfig.weighted_split import split_action

OWN = ("x-glidepath-of-", "x-glidepath-by-", "x-glidepath-conversation")


def config(sticky: str) -> Config:
    return parse_config(f"""
backends: {{cloud: {{url: "http://c"}}, onprem: {{url: "http://o"}}}}
workloads:
  chat: {{match: {{path: /v1/chat/completions}}, baseline: cloud, candidate: onprem, sticky: {sticky}}}
""")


def policies(sticky: str) -> list[dict[str, Any]]:
    """Return the hash policies of the split in the rendered listener."""
    return split_action(config(sticky), "chat", None).get("hash_policy", [])


def test_a_cookie_and_the_clients_address_are_hashed_themselves() -> None:
    assert policies("{cookie: session}") == [{"cookie": {"name": "session"}}]
    assert policies("{source_ip: true}") == [{"connection_properties": {"source_ip": True}}]


def test_a_header_is_hashed_by_its_copy_in_the_rendered_listener_and_by_its_name_elsewhere() -> None:
    settings = config("{header: X-User}")
    sticky = settings.workload("chat").assignment
    assert sticky is not None
    ((copy, name),) = copied_headers(settings).items()
    assert (name, headers_from_bodies(settings)) == ("x-user", {})
    assert policies("{header: X-User}") == [{"header": {"header_name": copy}}]
    assert hash_policy(sticky) == {"header": {"header_name": "x-user"}}


@pytest.mark.parametrize(
    ("sticky", "key"), [("{body: metadata.user_id}", "metadata.user_id"), ("{conversation: true}", "")]
)
def test_a_value_of_the_body_is_hashed_by_the_header_that_the_reading_filter_sets(sticky: str, key: str) -> None:
    ((header, read),) = headers_from_bodies(config(sticky)).items()
    assert (read, header.startswith(OWN)) == (key, True)
    assert policies(sticky) == [{"header": {"header_name": header}}]
    assert copied_headers(config(sticky)) == {}


def test_without_a_sticky_value_nothing_is_hashed() -> None:
    assert policies("{random: true}") == []
