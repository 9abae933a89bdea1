"""Steer the weights of an HTTPRoute through a real Kubernetes API server, with the rights of the scorer's account."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath_ops.doctor.facts import Severity
from glidepath_ops.doctor.http_route_checks import examine_http_routes, gather_http_routes
from scorer.steering.envoy.http_route_actuator import HttpRouteActuator
from scorer.steering.envoy.http_route_weights import SteeredRule, patch_of, steered_rules
from scorer.steering.envoy.kubernetes_api import ApiError, KubernetesApi, http_route_path
from scorer.steering.envoy.runtime_values import desired_values
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.kubernetes_lab import Kubernetes, kubernetes
from tests.support.chat_config import CHAT_CONFIG
from tests.support.kubernetes_api_server import http_route, steered_by_http_route
from tests.support.waiting import eventually

URL = "https://127.0.0.1:16443"
PERMISSION = Path(__file__).parents[2] / "deploy" / "kubernetes" / "http-route" / "permission.yaml"
PATH, PLACE = http_route_path("models", "chat"), "httproute models/chat/0"


@pytest.fixture(scope="module")
def server(control_planes: ControlPlanes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    with kubernetes(control_planes, tmp_path_factory.mktemp("kubernetes")) as running:
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        running.apply([{**account, "metadata": {"name": "glidepath-scorer", "namespace": "glidepath"}}])
        running.apply(list(yaml.safe_load_all(PERMISSION.read_text())))
        yield running


@pytest.fixture
def config(server: Kubernetes, tmp_path: Path) -> Config:
    """The configuration of a scorer with its account's token. The HTTPRoute is as a user has just written it."""
    for name in ("chat", "other"):
        server.kubectl("delete", "httproute", name, "-n", "models", "--ignore-not-found")
        server.apply([http_route(1, 0, name=name)])
    token = server.kubectl("create", "token", "glidepath-scorer", "-n", "glidepath").stdout
    (tmp_path / "token").write_text(token)
    text = steered_by_http_route(CHAT_CONFIG, URL, tmp_path)
    certificate = server.folder / "certs" / "apiserver.crt"
    return parse_config(text.replace("timeout: 1s", f'timeout: 5s, ca_file: "{certificate}"'))


def stored(server: Kubernetes, name: str = "chat") -> Any:
    return yaml.safe_load(server.kubectl("get", "httproute", name, "-n", "models", "-o", "yaml").stdout)


def weights(server: Kubernetes) -> list[int]:
    return [one["weight"] for one in stored(server)["spec"]["rules"][0]["backendRefs"]]


def serve(server: Kubernetes) -> None:
    """Say what a Gateway's controller says: it serves the present generation."""
    generation = stored(server)["metadata"]["generation"]
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": "",
            "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parent = {"parentRef": {"name": "eg"}, "controllerName": "gateway.test/controller", "conditions": conditions}
    patch = yaml.safe_dump({"status": {"parents": [parent]}})
    server.kubectl("patch", "httproute", "chat", "-n", "models", "--subresource=status", "--type=merge", "-p", patch)


def rule_of(config: Config) -> SteeredRule:
    (rule,) = steered_rules(config)
    return rule


async def test_weights_are_written_confirmed_and_rolled_back(server: Kubernetes, config: Config) -> None:
    rule = rule_of(config)
    actuator = HttpRouteActuator(config.kubernetes, [rule], lambda: True)

    def shows(percent: float, place: str) -> bool:
        entries = actuator.readings().get(place)
        values = None if entries is None else rule.keys.read(entries)
        return values is not None and values.percent == percent

    running = asyncio.create_task(actuator.run())
    try:
        await eventually(lambda: shows(0, PLACE), what=str(actuator.problems()))
        actuator.submit({PLACE: rule.keys.write(desired_values(5, 10, autopilot=True))})
        await eventually(lambda: shows(5, PLACE))
        assert weights(server) == [9500, 500]
        assert not shows(5, f"{PLACE} at eg")
        serve(server)
        await eventually(lambda: shows(5, f"{PLACE} at eg"))
        actuator.retreat({PLACE: rule.keys.write(desired_values(0, 10, autopilot=True))})
        await eventually(lambda: shows(0, PLACE))
        assert weights(server) == [10_000, 0]
        managers = {one["manager"] for one in stored(server)["metadata"].get("managedFields", [])}
        assert "glidepath" in managers or managers == set()  # kubectl hides them unless asked
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_change_since_the_reading_is_not_overwritten(server: Kubernetes, config: Config) -> None:
    api, rule = KubernetesApi(config.kubernetes), rule_of(config)
    try:
        seen = await api.get(PATH)
        server.kubectl(
            "patch", "httproute", "chat", "-n", "models", "--type=json",
            "-p", '[{"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 3}]',
        )  # fmt: skip
        values = rule.keys.write(desired_values(5, 10, autopilot=True))
        with pytest.raises(ApiError) as refused:
            await api.patch(PATH, patch_of(seen, rule, values))
        assert refused.value.is_conflict
        assert weights(server) == [1, 3]
        await api.patch(PATH, patch_of(await api.get(PATH), rule, values))
        assert weights(server) == [9500, 500]
    finally:
        await api.close()


async def test_a_first_annotation_does_not_replace_one_that_came_between(server: Kubernetes, config: Config) -> None:
    api, rule = KubernetesApi(config.kubernetes), rule_of(config)
    try:
        seen = {**await api.get(PATH)}
        seen["metadata"] = {key: value for key, value in seen["metadata"].items() if key != "annotations"}
        server.kubectl("annotate", "httproute", "chat", "-n", "models", "theirs=stays")
        with pytest.raises(ApiError) as refused:
            await api.patch(PATH, patch_of(seen, rule, {rule.keys.autopilot: "0"}))
        assert refused.value.is_conflict
        assert stored(server)["metadata"]["annotations"]["theirs"] == "stays"
    finally:
        await api.close()


async def test_the_account_may_change_this_route_and_no_other(server: Kubernetes, config: Config) -> None:
    api = KubernetesApi(config.kubernetes)
    try:
        with pytest.raises(ApiError) as refused:
            await api.get(http_route_path("models", "other"))
        assert refused.value.status == 403
        with pytest.raises(ApiError) as refused:
            await api.get("/api/v1/namespaces/glidepath/secrets")
        assert refused.value.status == 403
    finally:
        await api.close()


async def test_doctor_finds_nothing_wrong_but_the_missing_gateway(server: Kubernetes, config: Config) -> None:
    found = {one.check: one.level for one in examine_http_routes(await gather_http_routes(config))}
    assert found == {"chat: weights": Severity.OK, "chat: may be changed": Severity.OK, "chat: served": Severity.WARN}
    serve(server)
    found = {one.check: one.level for one in examine_http_routes(await gather_http_routes(config))}
    assert set(found.values()) == {Severity.OK}
    assert weights(server) == [1, 0]
