"""Tests that the mesh examples in envoy/ are up to date, also when the command line renders them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from glidepath_ops.cli.main import build_app
from glidepath_ops.envoyconfig.mesh.write_mesh_examples import main, mesh_examples

FOLDER = Path(__file__).parents[4] / "envoy"
EXAMPLES = mesh_examples(FOLDER)
GATEWAY = str(FOLDER / "istio" / "gateway" / "glidepath.yaml")
RUN, APP = CliRunner(), build_app("render")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_the_file_equals_its_rendering(path: Path) -> None:
    assert path.read_text() == EXAMPLES[path], "run: make render-examples"


def test_rendering_them_again_changes_nothing(tmp_path: Path) -> None:
    for source in (*FOLDER.glob("*/*/glidepath.yaml"), *FOLDER.glob("*/*/httproute.yaml")):
        target = tmp_path / source.relative_to(FOLDER)
        target.parent.mkdir(parents=True)
        target.write_text(source.read_text())
    main(tmp_path)
    assert {path.relative_to(FOLDER): text for path, text in EXAMPLES.items()} == {
        path.relative_to(tmp_path): path.read_text()
        for path in tmp_path.rglob("*.yaml")
        if path.name not in ("glidepath.yaml", "httproute.yaml")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (["istio"], "istio/gateway"),
        (["envoy-gateway", "--new-route"], "envoy-gateway/new-route"),
    ],
)
def test_the_command_writes_the_files(arguments: list[str], example: str, tmp_path: Path) -> None:
    config = FOLDER / example / "glidepath.yaml"
    shown = RUN.invoke(APP, ["render", *arguments, "-c", str(config)])
    assert shown.exit_code == 0
    assert (FOLDER / example / "resources.yaml").read_text() in shown.output
    into = RUN.invoke(APP, ["render", *arguments, "-c", str(config), "-o", str(tmp_path / "out")])
    assert into.exit_code == 0
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert written == {path.name: text for path, text in EXAMPLES.items() if path.parent == FOLDER / example}


def test_a_single_file_has_the_resources_and_the_command_names_the_omitted_file(tmp_path: Path) -> None:
    done = RUN.invoke(APP, ["render", "istio", "-c", GATEWAY, "-o", str(tmp_path / "one.yaml")])
    assert done.exit_code == 0
    assert "pod-patch.yaml" in done.output
    kinds = [one["kind"] for one in yaml.safe_load_all((tmp_path / "one.yaml").read_text())]
    assert kinds == ["EnvoyFilter", "EnvoyFilter"]


@pytest.mark.slow
def test_the_options_set_names_and_labels() -> None:
    options = ["--context", "sidecar", "--namespace", "apps", "--workload-selector", "app=a", "--virtual-host", "x:80"]
    shown = RUN.invoke(APP, ["render", "istio", "-c", GATEWAY, *options])
    first = next(yaml.safe_load_all(shown.stdout))
    assert first["metadata"]["namespace"] == "apps"
    assert first["spec"]["workloadSelector"] == {"labels": {"app": "a"}}
    assert {patch["match"]["context"] for patch in first["spec"]["configPatches"]} == {"SIDECAR_OUTBOUND"}
    options = ["--new-route", "--gateway", "main", "--listener", "web", "--namespace", "edge"]
    shown = RUN.invoke(APP, ["render", "envoy-gateway", "-c", GATEWAY, *options])
    policy = next(one for one in yaml.safe_load_all(shown.stdout) if one["kind"] == "EnvoyPatchPolicy")
    assert policy["spec"]["targetRef"]["name"] == "main"
    assert "edge/main/web" in {patch["name"] for patch in policy["spec"]["jsonPatches"]}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["istio", "--context", "ambient"], "allowed: gateway, sidecar"),
        (["istio", "--context", "sidecar"], "--workload-selector"),
        (["istio", "--workload-selector", "app"], "KEY=VALUE"),
        (["istio", "--into", "x.yaml"], "No such option: --into"),
        (["envoy-gateway"], "--into FILE"),
        (["envoy-gateway", "--new-route", "--xds-names", "v3"], "allowed: v1, v2"),
        (["envoy-gateway", "--new-route", "--xds-names", "v2"], "NAME:PROTOCOL:PORT"),
        (["envoy-gateway", "--new-route", "--listener", "http/80"], "NAME:PROTOCOL:PORT"),
        (["envoy-gateway", "--route", "chat"], "[WORKLOAD=]NAMESPACE/NAME[/RULE]"),
        (["envoy-gateway", "--route", "default/models"], "name the rule too"),
        (["envoy-gateway", "--route", "nope=default/models/1"], "unknown workload 'nope'"),
        (["envoy-gateway", "--remove"], "--into FILE or --into-proxy FILE"),
        (["envoy-gateway", "--new-route", "-o", "/proc/nowhere"], "cannot be written"),
        (["linkerd"], "allowed: envoy, istio, envoy-gateway"),
    ],
)
def test_an_invalid_option_is_refused(arguments: list[str], problem: str) -> None:
    done = RUN.invoke(APP, ["render", *arguments, "-c", GATEWAY])
    text = done.output + str(done.exception)
    assert done.exit_code != 0
    assert problem in text
