"""Tests of where `glidepath render` writes: standard output, descriptors, FIFOs, files and folders."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.meshes.gateway_with_backends import USERS_ROUTE
from tests.support.meshes.istio_with_backends import VIRTUAL_SERVICE
from tests.support.user_bootstraps import HTTP1, filled

pytestmark = pytest.mark.process
CONFIG = """\
backends:
  cloud: {url: "http://127.0.0.1:9001"}
  onprem: {url: "http://127.0.0.1:9002", model: llama-3.1-8b}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem, fallback: false}
"""
OF_CLUSTER = CONFIG.replace('{url: "http://127.0.0.1:9001"}', "{cluster: theirs, host: api.example.com}")
ISTIO = ("render", "istio", "--route", "apps/llm/chat")
GATEWAY = ("render", "envoy-gateway", "--route", "apps/llm/0")
TARGETS = [("render", "envoy"), ISTIO, GATEWAY]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "glidepath.yaml").write_text(CONFIG)
    (tmp_path / "istio.yaml").write_text(OF_CLUSTER.replace("theirs", "outbound|80||llm.apps.svc.cluster.local"))
    (tmp_path / "gateway.yaml").write_text(OF_CLUSTER.replace("theirs", "httproute/apps/llm/rule/0/backend/0"))
    return tmp_path


def render(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    config = {"istio": "istio.yaml", "envoy-gateway": "gateway.yaml"}.get(arguments[1], "glidepath.yaml")
    command = [sys.executable, "-m", "glidepath_ops", *arguments, "-c", config]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[-1])
@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_gets_the_text_and_nothing_else(folder: Path, target: tuple[str, ...], name: str) -> None:
    plain = render(folder, *target)
    named = render(folder, *target, "-o", name)
    assert (named.returncode, named.stdout) == (0, plain.stdout), named.stderr
    assert "wrote" not in named.stderr
    assert not (folder / "-").exists()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[-1])
def test_a_fifo_gets_the_text_and_stays_a_fifo(folder: Path, target: tuple[str, ...]) -> None:
    fifo, got = folder / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()), daemon=True)
    reader.start()
    done = render(folder, *target, "-o", "fifo")
    reader.join(10)
    assert (done.returncode, got) == (0, [render(folder, *target).stdout]), done.stderr
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_bootstrap_of_the_users_can_be_completed_on_standard_output(folder: Path) -> None:
    text = filled(HTTP1, listen=1, admin=2, backend=3)
    (folder / "boot.yaml").write_text(text)
    (folder / "glidepath.yaml").write_text(OF_CLUSTER)
    done = render(folder, "render", "--into", "boot.yaml", "-o", "-")
    assert (done.returncode, (folder / "boot.yaml").read_text()) == (0, text), done.stderr
    assert done.stdout.startswith(text.splitlines()[0])
    assert "@@" not in done.stdout
    assert "@@" in done.stderr  # the diff
    written = render(folder, "render", "--into", "boot.yaml", "-o", "new.yaml")
    assert written.returncode == 0
    assert (folder / "new.yaml").read_text() == done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("render", "--into", "fifo"),
        ("render", "--into", "fifo", "--remove"),
        ("render", "istio", "--into", "fifo"),
        ("render", "istio", "--into", "fifo", "--remove"),
        ("render", "envoy-gateway", "--into", "fifo"),
        (*GATEWAY, "--into-proxy", "fifo"),
    ],
)
def test_a_fifo_cannot_be_changed_in_place_and_is_not_waited_for(folder: Path, arguments: tuple[str, ...]) -> None:
    os.mkfifo(folder / "fifo")
    done = render(folder, *arguments)
    assert done.returncode == 2
    assert done.stderr == "glidepath: fifo: is not a regular file, so it cannot be changed in place\n"


def test_a_folder_gets_all_files_and_a_file_is_no_folder(folder: Path) -> None:
    done = render(folder, *ISTIO, "-o", "new/mesh")
    assert done.returncode == 0, done.stderr
    assert sorted(one.name for one in (folder / "new" / "mesh").iterdir()) == ["pod-patch.yaml", "resources.yaml"]
    (folder / "file").write_text("mine")
    refused = render(folder, *ISTIO, "-o", "file")
    assert (refused.returncode, (folder / "file").read_text()) == (2, "mine")
    assert "file: cannot be written: is a file; give a folder, or a file that ends in .yaml" in refused.stderr


def test_removal_from_istio_says_what_to_apply_first(folder: Path) -> None:
    (folder / "vs.yaml").write_text(VIRTUAL_SERVICE)
    done = render(folder, "render", "istio", "--into", "vs.yaml", "--remove", "--namespace", "edge")
    assert (done.returncode, (folder / "vs.yaml").read_text()) == (0, VIRTUAL_SERVICE), done.stderr
    assert "kubectl apply -f vs.yaml, and only then kubectl delete envoyfilter glidepath -n edge" in done.stderr


def test_removal_from_envoy_gateway_says_what_to_delete_first(folder: Path) -> None:
    (folder / "route.yaml").write_text(USERS_ROUTE)
    done = render(folder, "render", "envoy-gateway", "--into", "route.yaml", "--remove", "--namespace", "edge")
    assert (done.returncode, (folder / "route.yaml").read_text()) == (0, USERS_ROUTE), done.stderr
    assert "next: glidepath abort" in done.stderr
    assert "kubectl delete envoypatchpolicy glidepath -n edge, and only then kubectl apply" in done.stderr
