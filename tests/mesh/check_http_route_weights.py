"""Steer the weights of an HTTPRoute through a real Kubernetes API server, with the rights of the scorer's account."""

from __future__ import annotations

import asyncio
import re
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
from tests.mesh.inference_resources import inference_pool, llm_inference_service
from tests.mesh.kubernetes_lab import Kubernetes
from tests.mesh.steered_on_kubernetes import connection, with_account
from tests.support.chat_config import CHAT_CONFIG
from tests.support.kubernetes_api_server import http_route, steered_by_http_route
from tests.support.waiting import eventually

PATH, PLACE = http_route_path("models", "chat"), "httproute models/chat/0"


@pytest.fixture(scope="module")
def server(control_planes: ControlPlanes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    with with_account(control_planes, tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


@pytest.fixture
def config(server: Kubernetes, tmp_path: Path) -> Config:
    """The configuration of a scorer with its account's token. The HTTPRoute is as a user has just written it."""
    for name in ("chat", "other"):
        server.kubectl("delete", "httproute", name, "-n", "models", "--ignore-not-found")
        server.apply([http_route(1, 0, name=name)])
    found = connection(server, tmp_path)
    text = steered_by_http_route(CHAT_CONFIG, found["api"], tmp_path)
    return parse_config(text.replace("timeout: 1s", f'timeout: 5s, ca_file: "{found["ca_file"]}"'))


def stored(server: Kubernetes, name: str = "chat") -> Any:
    return yaml.safe_load(server.kubectl("get", "httproute", name, "-n", "models", "-o", "yaml").stdout)


def weights(server: Kubernetes) -> list[int]:
    return [one["weight"] for one in stored(server)["spec"]["rules"][0]["backendRefs"]]


def serve(server: Kubernetes) -> None:
    """Write the status by which a Gateway's controller says that it serves the present generation of the HTTPRoute."""
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
    await check_a_step_and_a_rollback(server, config)


async def check_a_step_and_a_rollback(server: Kubernetes, config: Config) -> None:
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


RIGHTS = re.compile(r"^(\S+) +\[(.*?)\] +\[(.*?)\] +\[(.*?)\]$", re.M)


def test_the_account_has_the_rights_of_its_role_and_of_every_account(server: Kubernetes, config: Config) -> None:
    """Every account may ask for its own rights, and it has no other right on a resource."""
    account = "--as=system:serviceaccount:glidepath:glidepath-scorer"
    found: dict[str, set[tuple[str, ...]]] = {}
    for namespace in ("models", "glidepath", "default"):
        listed = server.kubectl("auth", "can-i", "--list", account, "-n", namespace).stdout
        found[namespace] = {one for one in RIGHTS.findall(listed) if ".k8s.io" not in one[0] or "gateway" in one[0]}
    ours = ("httproutes.gateway.networking.k8s.io", "", "chat", "get patch")
    assert found == {"models": {ours}, "glidepath": set(), "default": set()}


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("list", "httproutes"),
        ("watch", "httproutes"),
        ("create", "httproutes"),
        ("update", "httproutes/chat"),
        ("delete", "httproutes/chat"),
        ("patch", "httproutes/other"),
        ("patch", "httproutes/chat --subresource=status"),
        ("get", "gateways"),
        ("get", "secrets"),
        ("get", "inferencepools"),
    ],
)
def test_what_the_role_does_not_name_is_refused(server: Kubernetes, config: Config, verb: str, path: str) -> None:
    account = "--as=system:serviceaccount:glidepath:glidepath-scorer"
    done = server.kubectl("auth", "can-i", verb, *path.split(), account, "-n", "models", check=False)
    assert done.stdout.strip() == "no"


async def test_the_weight_of_a_pool_of_kserve_is_moved_beside_the_real_definitions(
    server: Kubernetes, config: Config
) -> None:
    """KServe does not change an HTTPRoute that its service refers to. No controller of KServe runs here."""
    for crd in (server.programs.inference_pool_crd, server.programs.llm_inference_service_crd):
        server.kubectl("apply", "--server-side", "-f", str(crd))
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    pool, service = inference_pool("vllm", "models"), llm_inference_service("qwen", "models", "chat")
    lines = server.apply([pool, service])
    assert len(lines) == 2
    del pool["spec"]["endpointPickerRef"]
    assert "endpointPickerRef" in server.refusal([pool]), "the definitions are in force"
    assert stored(server)["spec"]["rules"][0]["backendRefs"][1]["kind"] == "InferencePool"
    await check_a_step_and_a_rollback(server, config)


async def test_doctor_finds_nothing_wrong_but_the_missing_gateway(server: Kubernetes, config: Config) -> None:
    found = {one.check: one.level for one in examine_http_routes(await gather_http_routes(config))}
    assert found == {"chat: weights": Severity.OK, "chat: may be changed": Severity.OK, "chat: served": Severity.WARN}
    serve(server)
    found = {one.check: one.level for one in examine_http_routes(await gather_http_routes(config))}
    assert set(found.values()) == {Severity.OK}
    assert weights(server) == [1, 0]
