"""A real Envoy Gateway with its own Envoy on this machine: resources come from a file, and Envoy is a child process."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from glidepath_ops.local.child_process import Child, envoy_binary
from glidepath_ops.local.redis_and_envoy import answers_ok
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.fixed_ports import ADMIN_PORT, ENVOY_GATEWAY, wait_until_free
from tests.mesh.manifests import manifests

ENVOY_VERSION = "1.40.0"
ADMIN = f"http://127.0.0.1:{ADMIN_PORT}"
_STATUS = re.compile(r"Got new status for (\w+)\n(.*?)\n\t(?=\{)", re.S)


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of Envoy Gateway.

    ``patches``: whether EnvoyPatchPolicies are enabled; Envoy Gateway disables them by default.
    """

    patches: bool = True
    names_v2: bool = False
    merged: bool = False


@dataclass(frozen=True, slots=True)
class EnvoyGateway:
    """A running Envoy Gateway. ``resources``: the file that it watches."""

    child: Child
    resources: Path
    options: Options

    @property
    def admin(self) -> str:
        return ADMIN

    def apply(self, documents: Sequence[Any]) -> None:
        """Replace all resources. Envoy Gateway reads them again by itself."""
        _write(self.resources, documents, self.options)

    def reasons(self, kind: str) -> list[str]:
        """Return the reasons in the last status of each resource of a kind, e.g. ``Programmed`` and ``Accepted``."""
        last = ""
        for found, text in _STATUS.findall(self.child.log.read_text(errors="replace")):
            if found == kind:
                last = text
        return sorted(set(re.findall(r"reason: (\w+)", last)))


def _write(file: Path, documents: Sequence[Any], options: Options) -> None:
    text = manifests([on_this_machine(one, options) for one in documents])
    new = file.parent.with_suffix(".new")  # not in the folder that Envoy Gateway watches
    new.write_text(text)
    new.replace(file)


def on_this_machine(document: Any, options: Options) -> Any:
    """Return a resource with the settings that make Envoy Gateway run its Envoy as a child process."""
    if document["kind"] != "EnvoyProxy":
        return document
    spec = document["spec"]
    provider = {"type": "Host", "host": {"envoyVersion": ENVOY_VERSION}}
    merged = {"mergeGateways": True} if options.merged else {}
    port = {"op": "replace", "path": "/admin/address/socket_address/port_value", "value": ADMIN_PORT}
    patches = [*spec.get("bootstrap", {}).get("jsonPatches", []), port]
    bootstrap = {"type": "JSONPatch", "jsonPatches": patches}
    return {**document, "spec": {**spec, "provider": provider, "bootstrap": bootstrap, **merged}}


@contextmanager
def envoy_gateway(
    programs: ControlPlanes, folder: Path, documents: Sequence[Any], options: Options = Options()
) -> Iterator[EnvoyGateway]:
    """Run Envoy Gateway with ``documents`` until the block ends; its Envoy is ready when the block begins."""
    home = folder / "envoy-gateway"
    resources = home / "resources" / "all.yaml"
    resources.parent.mkdir(parents=True)
    from_files = {"type": "File", "file": {"paths": [str(home / "resources")]}}
    command = prepare(programs, home, options, from_files)
    _write(resources, documents, options)
    wait_until_free(ENVOY_GATEWAY)
    with Child("envoy-gateway", command, folder / "envoy-gateway.log") as child:
        child.wait_until(lambda: answers_ok(f"{ADMIN}/ready"), 180)  # on a busy machine Envoy connects late
        yield EnvoyGateway(child, resources, options)


def prepare(programs: ControlPlanes, home: Path, options: Options, resource: Mapping[str, Any]) -> list[str]:
    """Write the files that Envoy Gateway needs on this machine into the folder ``home``. Return the command to run it.

    ``resource``: the setting for the source of its resources.
    """
    _install_envoy(home)
    certificates = [str(programs.envoy_gateway), "certgen", "--local", "--config-home", str(home / "config")]
    subprocess.run(certificates, check=True, capture_output=True, timeout=60)
    (home / "settings.yaml").write_text(yaml.safe_dump(_settings(home, options, resource), sort_keys=False))
    return [str(programs.envoy_gateway), "server", "--config-path", str(home / "settings.yaml")]


def _install_envoy(home: Path) -> None:
    """Put the installed Envoy where Envoy Gateway looks for a downloaded one."""
    place = home / "data" / "envoy-versions" / ENVOY_VERSION / "bin" / "envoy"
    place.parent.mkdir(parents=True)
    shutil.copy2(envoy_binary(), place)


def _settings(home: Path, options: Options, resource: Mapping[str, Any]) -> dict[str, Any]:
    names = {"configHome": "config", "dataHome": "data", "stateHome": "state", "runtimeDir": "runtime"}
    host = {key: str(home / name) for key, name in names.items()}
    settings: dict[str, Any] = {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
        "provider": {
            "type": "Custom",
            "custom": {
                "resource": dict(resource),
                "infrastructure": {"type": "Host", "host": host},
            },
        },
        "extensionApis": {"enableEnvoyPatchPolicy": options.patches, "enableBackend": True},
    }
    if options.names_v2:
        settings["runtimeFlags"] = {"enabled": ["XDSNameSchemeV2"]}
    return settings
