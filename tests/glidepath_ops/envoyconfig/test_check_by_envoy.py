"""A real Envoy checks a changed bootstrap. The check prevents a change only if Envoy accepted the file before."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.check_by_envoy import check_change_with_envoy, installed_envoy
from tests.support.commands import run_cli
from tests.support.user_bootstraps import HTTP1, filled

BEFORE = filled(HTTP1, listen=1, admin=2, backend=3)
BROKEN = BEFORE.replace("cluster: theirs}", "cluster: nobody}")
CONFIG = """\
backends:
  cloud: {cluster: theirs, host: api.example.com}
  onprem: {url: "https://onprem.test", ca_file: FILE, first_byte_timeout: 10s}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem}
"""


@pytest.mark.process
def test_a_change_that_envoy_rejects_is_refused_only_if_the_file_was_good_before() -> None:
    assert (
        check_change_with_envoy(BEFORE, BEFORE + "node: {id: x}\n", "boot.yaml", installed_envoy())
        == "Envoy accepts it"
    )
    with pytest.raises(InputError, match=r"^boot.yaml: was not changed, because Envoy rejects the result: .*nobody"):
        check_change_with_envoy(BEFORE, BROKEN, "boot.yaml", installed_envoy())
    found = check_change_with_envoy(BROKEN, BROKEN, "boot.yaml", installed_envoy())
    assert found.startswith("not checked, because the Envoy here rejects your own bootstrap too: ")
    assert "nobody" in found


def test_a_change_that_names_a_file_of_another_machine_is_not_checked() -> None:
    after = BEFORE + "x: {filename: /nowhere/key.pem}\n"
    found = check_change_with_envoy(BEFORE, after, "boot.yaml", installed_envoy())
    assert found == "not checked, because Envoy needs /nowhere/key.pem, which is not on this machine"


def test_without_an_envoy_the_change_is_not_checked() -> None:
    assert (
        check_change_with_envoy(BEFORE, BROKEN, "boot.yaml", None) == "not checked, because no Envoy is installed here"
    )


@pytest.mark.process
def test_a_bootstrap_stays_as_it_is_if_envoy_rejects_the_result(tmp_path: Path) -> None:
    file, config, authority = (tmp_path / name for name in ("boot.yaml", "glidepath.yaml", "ca.pem"))
    file.write_text(BEFORE)
    config.write_text(CONFIG.replace("FILE", str(authority)))
    authority.write_text("no certificate")
    with pytest.raises(InputError, match=r"boot.yaml: was not changed, because Envoy rejects the result: .*ca.pem"):
        run_cli("render", "envoy", "--into", str(file), "-c", str(config))
    assert file.read_text() == BEFORE
