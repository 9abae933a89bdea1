"""A rule of ``shadow.opt_out`` for a header that extproc never reads is an error."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.errors import ConfigError

CONFIG = """\
redaction: {credential_headers: [X-Team-Token]}
backends:
  a: {url: "http://a", credential: {env: KEY, header: x-own-key}}
  b: {url: "http://b"}
workloads:
  chat: {match: {path: /v1}, baseline: a, candidate: b, shadow: {opt_out: [{header: HEADER}]}}
"""


@pytest.mark.parametrize("header", ["x-team-token", "X-Own-Key", "x-api-key"])
def test_a_header_with_a_credential_cannot_opt_out(header: str) -> None:
    with pytest.raises(ConfigError, match=rf"opt_out\[0\].header: '{header.lower()}' carries a credential"):
        parse_config(CONFIG.replace("HEADER", header))


def test_any_other_header_can() -> None:
    assert parse_config(CONFIG.replace("HEADER", "x-team")).workload("chat").shadow.opt_out[0].header == "x-team"
