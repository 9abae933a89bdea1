"""Tests that the mesh examples in envoy/ are up to date, and that the command line renders the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from glidepath.errors import GlidepathError
from glidepath_ops.cli.command_line import build_app
from glidepath_ops.envoyconfig.mesh.write_mesh_examples import main, mesh_examples
from tests.support import quick_yaml

FOLDER = Path(__file__).parents[4] / "envoy"
GATEWAY = str(FOLDER / "istio" / "gateway" / "glidepath.yaml")
USERS_SERVICE = str(FOLDER / "istio" / "gateway" / "virtual-service.yaml")
SIDECAR = str(FOLDER / "istio" / "sidecar" / "glidepath.yaml")
NEW_ROUTE = str(FOLDER / "envoy-gateway" / "new-route" / "glidepath.yaml")
USERS = ("glidepath.yaml", "httproute.yaml", "virtual-service.yaml")
COMMITTED = sorted(path for path in FOLDER.glob("*/*/*.yaml") if path.name not in USERS)
RUN, APP = CliRunner(), build_app("render")


@cache
def rendered() -> dict[Path, str]:
    return mesh_examples(FOLDER)


def test_the_committed_files_are_those_that_are_rendered() -> None:
    assert sorted(rendered()) == COMMITTED


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: str(path.relative_to(FOLDER)))
def test_the_file_equals_its_rendering(path: Path) -> None:
    assert path.read_text() == rendered()[path], "run: make render-examples"


def test_rendering_them_again_changes_nothing(tmp_path: Path) -> None:
    for source in (one for name in USERS for one in FOLDER.glob(f"*/*/{name}")):
        target = tmp_path / source.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text())
    main(tmp_path)
    assert {path.relative_to(FOLDER): text for path, text in rendered().items()} == {
        path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.yaml") if path.name not in USERS
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (
            [
                *("istio", "--context", "sidecar", "--namespace", "apps", "--workload-selector", "app=assistant"),
                *("--service", "llm.models.svc.cluster.local:8000"),
            ],
            "istio/sidecar",
        ),
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
    assert written == {path.name: text for path, text in rendered().items() if path.parent == FOLDER / example}


@pytest.fixture
def without_fallback(tmp_path: Path) -> str:
    """Return a configuration of the Istio gateway for a route whose header rules are not known."""
    found = quick_yaml.safe_load(Path(GATEWAY).read_text())
    found["workloads"]["chat"]["fallback"] = False
    path = tmp_path / "without-fallback.yaml"
    path.write_text(yaml.safe_dump(found))
    return str(path)


@pytest.mark.parametrize(("target", "route"), [("istio", "n/v/r"), ("envoy-gateway", "default/models/1")])
def test_a_route_of_which_the_header_rules_are_not_known_is_refused_with_fallback(target: str, route: str) -> None:
    done = RUN.invoke(APP, ["render", target, "-c", GATEWAY, "--route", route])
    assert isinstance(done.exception, GlidepathError)
    assert done.exception.exit_status == 2
    assert f"--route {route}" in str(done.exception)
    assert "give the file with --into, so that its header rules are known" in str(done.exception)
    assert "workloads.chat.fallback: false" in str(done.exception)


def test_a_single_file_has_the_resources_and_the_command_names_the_omitted_file(
    without_fallback: str, tmp_path: Path
) -> None:
    chosen = ["--route", "istio-system/assistant/chat"]
    done = RUN.invoke(APP, ["render", "istio", "-c", without_fallback, *chosen, "-o", str(tmp_path / "one.yaml")])
    assert done.exit_code == 0
    assert "pod-patch.yaml" in done.output
    kinds = [one["kind"] for one in quick_yaml.safe_load_all((tmp_path / "one.yaml").read_text())]
    assert kinds == ["EnvoyFilter"]


def test_a_virtual_service_is_completed_and_restored_in_its_file(tmp_path: Path) -> None:
    folder = FOLDER / "istio" / "gateway"
    users, completed = (folder / f"virtual-service{rest}.yaml" for rest in ("", "-completed"))
    mine = tmp_path / "mine.yaml"
    mine.write_text(users.read_text())
    command = ["render", "istio", "-c", GATEWAY, "--into", str(mine)]
    shown = RUN.invoke(APP, [*command, "--dry-run"])
    assert mine.read_text() == users.read_text()
    assert "+    - name: glidepath-chat" in shown.output
    for _ in range(2):
        done = RUN.invoke(APP, [*command, "-o", str(tmp_path / "out")])
        assert done.exit_code == 0
        assert mine.read_text() == completed.read_text()
    assert (tmp_path / "out" / "resources.yaml").read_text() == (folder / "resources.yaml").read_text()
    assert RUN.invoke(APP, ["render", "istio", "--into", str(mine), "--remove"]).exit_code == 0
    assert mine.read_text() == users.read_text()


@pytest.mark.slow
def test_the_options_set_names_and_labels(without_fallback: str) -> None:
    options = ["--context", "sidecar", "--namespace", "apps", "--workload-selector", "app=a", "--route", "n/v/r"]
    shown = RUN.invoke(APP, ["render", "istio", "-c", without_fallback, *options])
    first = next(quick_yaml.safe_load_all(shown.stdout))
    assert first["metadata"]["namespace"] == "apps"
    assert first["spec"]["workloadSelector"] == {"labels": {"app": "a"}}
    assert {patch["match"]["context"] for patch in first["spec"]["configPatches"]} == {"ANY", "SIDECAR_OUTBOUND"}
    options = ["--new-route", "--gateway", "main", "--listener", "web", "--namespace", "edge"]
    shown = RUN.invoke(APP, ["render", "envoy-gateway", "-c", NEW_ROUTE, *options])
    policy = next(one for one in quick_yaml.safe_load_all(shown.stdout) if one["kind"] == "EnvoyPatchPolicy")
    assert policy["spec"]["targetRef"]["name"] == "main"
    assert "edge/main/web" in {patch["name"] for patch in policy["spec"]["jsonPatches"]}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["istio", "--context", "ambient", "--into", USERS_SERVICE, "--dry-run"], "allowed: gateway, sidecar"),
        (["istio", "--context", "sidecar", "--into", USERS_SERVICE, "--dry-run"], "--workload-selector"),
        (["istio", "--workload-selector", "app"], "KEY=VALUE"),
        (["istio"], "--into VIRTUALSERVICE.yaml"),
        (["istio", "--remove"], "--into FILE"),
        (["istio", "--into", "/nowhere.yaml"], "cannot be read"),
        (["istio", "--into", SIDECAR, "--route", "a"], "NAMESPACE/NAME"),
        (["istio", "--into", SIDECAR, "--route", "a/b", "--route", "a/c"], "only once"),
        (["istio", "--into", SIDECAR, "--service", "a.b:80"], "cannot be combined"),
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
    config = NEW_ROUTE if "--new-route" in arguments else GATEWAY
    done = RUN.invoke(APP, ["render", *arguments, "-c", config])
    text = done.output + str(done.exception)
    assert done.exit_code != 0
    assert problem in text
