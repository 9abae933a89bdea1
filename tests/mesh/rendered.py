"""Resources as a user gets them: written by the command ``glidepath render``, and read from its files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from glidepath.config import Config, parse_config
from glidepath_ops.local.child_process import free_ports
from tests.mesh.traffic import PATH


def mesh_config(
    folder: Path, baseline: Mapping[str, Any], candidate: Mapping[str, Any], actuator: str = "rtds", **workload: Any
) -> Config:
    """Return the configuration of one workload ``chat``, whose weights are pushed by RTDS by default.

    ``baseline``: the section of the backend ``cloud``. ``candidate``: that of ``onprem``, without its model. All
    requests of the tests begin alike, so they are assigned at random unless ``workload`` says otherwise.
    """
    workload = {"sticky": {"random": True}, **workload}
    shadow, rtds = free_ports(2)
    data = {
        "envoy": {
            "shadow_listen": f"127.0.0.1:{shadow}",
            "actuator": actuator,
            "rtds_listen": f"127.0.0.1:{rtds}",
            "rtds_address": f"127.0.0.1:{rtds}",
        },
        "extproc": {"listen": f"unix:{folder}/extproc.sock"},
        "backends": {"cloud": dict(baseline), "onprem": {**candidate, "model": "onprem-model"}},
        "workloads": {"chat": {"match": {"path": PATH}, "baseline": "cloud", "candidate": "onprem", **workload}},
    }
    text = yaml.safe_dump(data)
    (folder / "glidepath.yaml").write_text(text)
    return parse_config(text)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The output of one run of ``glidepath render``: new resources, and the user's files with Glidepath's parts."""

    resources: list[Any]
    completed: dict[str, list[Any]]


def render(folder: Path, mesh: str, *arguments: str, **files: Sequence[Any]) -> Rendered:
    """Run ``glidepath render MESH`` for the configuration in ``folder``.

    ``files``: option → the documents of the user's file to give it, e.g. ``into=[…]`` for ``--into FILE``.
    """
    given = list(arguments)
    for option, documents in files.items():
        _file(folder, option).write_text(yaml.safe_dump_all(documents, sort_keys=False))
        given += [f"--{option.replace('_', '-')}", str(_file(folder, option))]
    out = folder / "rendered"
    command = [sys.executable, "-m", "glidepath_ops", "render", mesh, "-c", str(folder / "glidepath.yaml")]
    done = subprocess.run([*command, *given, "-o", str(out)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return Rendered(_documents(out / "resources.yaml"), {option: _documents(_file(folder, option)) for option in files})


def _file(folder: Path, option: str) -> Path:
    return folder / f"{option}.yaml"


def _documents(file: Path) -> list[Any]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one]
