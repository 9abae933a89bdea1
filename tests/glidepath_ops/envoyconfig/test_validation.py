"""Tests of the checks of an Envoy bootstrap: an error is one line that names the place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from glidepath.config import parse_config
from glidepath.errors import InputError
from glidepath_ops.cli.command_line import build_app
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.check_by_envoy import check_with_envoy
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.envoyconfig.validation import check_splits, check_strict, load_envoy_file

Json = dict[str, Any]
FILTER_CONFIG = "type.googleapis.com/envoy.config.route.v3.FilterConfig"


@pytest.fixture
def bootstrap(valid_yaml: str) -> Json:
    return render_bootstrap(parse_config(valid_yaml))


def hcm(bootstrap: Json) -> Json:
    found: Json = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def per_filter(bootstrap: Json) -> Json:
    found: Json = hcm(bootstrap)["route_config"]["virtual_hosts"][0]["routes"][1]["typed_per_filter_config"]
    return found


def split(bootstrap: Json) -> Json:
    route = hcm(bootstrap)["route_config"]["virtual_hosts"][0]["routes"][1]
    found: Json = route["route"]["weighted_clusters"]
    return found


@pytest.mark.process
def test_a_rendered_bootstrap_passes_both_checks(bootstrap: Json, tmp_path: Path) -> None:
    check_strict(bootstrap)
    path = tmp_path / "envoy.yaml"
    path.write_text(to_yaml(bootstrap))
    assert check_with_envoy(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda b: b["static_resources"]["clusters"][0].update(conect_timeout="1s"),
            r"clusters\[cloud\].*conect_timeout",
        ),
        (lambda b: b["static_resources"]["clusters"][0].update(connect_timeout="soon"), r"clusters\[cloud\].*soon"),
        (lambda b: hcm(b).update(foo=1), r"listeners\[glidepath-live\].*'foo'"),
        (lambda b: hcm(b)["http_filters"][0]["typed_config"].update(foo=1), r"glidepath-live.*'foo'"),
        (lambda b: per_filter(b).update(x={}), "glidepath-live.*a typed message has no @type"),
        (lambda b: per_filter(b).update(x={"@type": FILTER_CONFIG, "config": {}}), "a typed message has no @type"),
        (lambda b: per_filter(b)["glidepath.capture"].update(foo=1), "glidepath-live.*'foo'"),
        (lambda b: b.update(nodes=1), "bootstrap.*nodes"),
        (lambda b: b["static_resources"].update(clusters=3), "bootstrap"),
        (lambda b: hcm(b).update({"@type": "type.googleapis.com/envoy.no.such.v3.Thing"}), "no.such"),
        (lambda b: hcm(b).update({"@type": "type.googleapis.com/os.path"}), "not a type of Envoy's API"),
    ],
)
def test_an_unknown_field_is_named(bootstrap: Json, change: Callable[[Json], None], message: str) -> None:
    change(bootstrap)
    with pytest.raises(InputError, match=message) as caught:
        check_strict(bootstrap)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w["clusters"][0].update(weight=1), r"sum 10000 \(got 1 \+ 10000\)"),
        (lambda w: w["clusters"][0].update(weight="1"), "sum 10000"),
        (lambda w: w["clusters"].reverse(), "candidate must come first"),
        (lambda w: w["clusters"].pop(), r"between two clusters \(got 1\)"),
        (lambda w: w.update(runtime_key_prefix="x"), r"must be glidepath.chat.weight \(got x\)"),
    ],
)
def test_a_split_that_cannot_ramp_is_refused(bootstrap: Json, change: Callable[[Json], None], message: str) -> None:
    change(split(bootstrap))
    check_strict(copy.deepcopy(bootstrap)) if not isinstance(
        split(bootstrap)["clusters"][0].get("weight"), str
    ) else None
    with pytest.raises(InputError, match=message):
        check_splits(bootstrap)


def test_splits_of_other_routes_are_not_checked(bootstrap: Json) -> None:
    routes = hcm(bootstrap)["route_config"]["virtual_hosts"][0]["routes"]
    theirs = copy.deepcopy(routes[1])
    del theirs["metadata"]
    theirs["route"]["weighted_clusters"]["clusters"][0]["weight"] = 3
    routes.insert(0, theirs)
    assert check_splits(bootstrap) == ["chat"]


def test_a_split_is_recognised_by_its_metadata_whatever_the_routes_name(bootstrap: Json) -> None:
    hcm(bootstrap)["route_config"]["virtual_hosts"][0]["routes"][1]["name"] = "theirs"
    assert check_splits(bootstrap) == ["chat"]
    split(bootstrap)["clusters"][0]["weight"] = 3
    with pytest.raises(InputError, match="route theirs: the weights"):
        check_splits(bootstrap)


@pytest.mark.process
def test_the_error_gives_envoys_own_reason(bootstrap: Json, tmp_path: Path) -> None:
    split(bootstrap)["clusters"][0]["name"] = "nobody"
    path = tmp_path / "envoy.yaml"
    path.write_text(to_yaml(bootstrap))
    with pytest.raises(InputError, match=r"Envoy rejects it: .*nobody") as caught:
        check_with_envoy(path)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_a_file_is_a_bootstrap_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(raw)
    try:
        data = load_envoy_file(path)
        check_strict(data)
        check_splits(data)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017


def run(*arguments: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(build_app(arguments[0]), list(arguments))
    return result.exit_code, result.output, result.exception


@pytest.mark.process
def test_validate_lists_its_checks(valid_yaml: str, tmp_path: Path) -> None:
    path = tmp_path / "glidepath.yaml"
    path.write_text(valid_yaml)
    status, output, _ = run("validate", "-c", str(path))
    assert status == 0
    checks = [line for line in output.splitlines() if not line.startswith("glidepath: note:")]
    assert [line[:4] for line in checks] == ["ok  "] * 4


def test_validate_finds_weights_that_do_not_sum(bootstrap: Json, tmp_path: Path) -> None:
    split(bootstrap)["clusters"][0]["weight"] = 500
    path = tmp_path / "edited.yaml"
    path.write_text(to_yaml(bootstrap))
    *_, error = run("validate", "--envoy", str(path))
    assert isinstance(error, InputError)
    assert "sum 10000 (got 500 + 10000)" in str(error)


@pytest.mark.process
def test_render_prints_what_validate_accepts(valid_yaml: str, tmp_path: Path) -> None:
    path, out = tmp_path / "glidepath.yaml", tmp_path / "envoy.yaml"
    path.write_text(valid_yaml)
    status, printed, _ = run("render", "envoy", "-c", str(path), "--admin", "127.0.0.1:15000")
    assert status == 0
    assert printed.startswith("# Rendered by")
    assert run("render", "-c", str(path), "-o", str(out), "--admin", "127.0.0.1:15000")[0] == 0
    assert out.read_text() == printed
    assert run("validate", "--envoy", str(out))[0] == 0


def test_render_refuses_an_unknown_target(valid_yaml: str, tmp_path: Path) -> None:
    path = tmp_path / "glidepath.yaml"
    path.write_text(valid_yaml)
    *_, error = run("render", "nginx", "-c", str(path))
    assert isinstance(error, InputError)
    assert "allowed: envoy" in str(error)


def test_types_in_capitals_are_found_under_the_names_of_the_package(bootstrap: Json) -> None:
    manager = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    kind = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
    manager["http_filters"].insert(0, {"name": "envoy.filters.http.rbac", "typed_config": {"@type": kind}})
    check_strict(bootstrap)


LISTENERS_INSIDE = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener"


@pytest.mark.parametrize("kind", ["udpa.type.v1", "xds.type.v3"])
def test_a_message_in_a_typed_struct_is_checked_as_its_own_type(bootstrap: Json, kind: str) -> None:
    """Istio's bootstrap has its extensions in this form."""
    struct = {"@type": f"type.googleapis.com/{kind}.TypedStruct", "type_url": f"type.googleapis.com/{LISTENERS_INSIDE}"}

    def check(**more: Any) -> None:
        check_strict({**bootstrap, "bootstrap_extensions": [{"name": "x", "typed_config": {**struct, **more}}]})

    check(value={"buffer_size_kb": 64})
    for wrong in ({"value": {"bufer_size": 64}}, {"vlaue": {}}, {"type_url": "type.googleapis.com/envoy.no.Such"}):
        with pytest.raises(InputError, match=r"bufer_size|'vlaue'|envoy\.no\.Such"):
            check(**wrong)
