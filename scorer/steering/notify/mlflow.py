"""Report completed, failed and aborted ramps to MLflow's model registry, through its REST API.

The candidate's model version gets the tags ``glidepath.status.WORKLOAD`` and ``glidepath.status`` (the latest decision
of any workload) with the value ``production`` or ``failed-canary``. It also gets the alias of the same name. It loses
the alias of the other name, unless another workload's tag has that name as its value. Source: MLflow's REST API,
``model-versions/set-tag``, ``model-versions/get``, ``registered-models/alias``, ``model-versions/search``. See ADR 0054
and ADR 0524.
"""

from __future__ import annotations

import json

import aiohttp
from prometheus_client import Counter

from glidepath.config import Config
from glidepath.config.notifications import RegistrySection
from glidepath.status_and_decisions import Decision
from scorer.steering.notify.delivery import DeliveryQueue, RefusedError, check_answer

PRODUCTION, FAILED = "production", "failed-canary"
STATUS = {
    "complete": PRODUCTION,
    "rollback": FAILED,  # by a guard or by command
    "shadow_failed": FAILED,
    "abort": FAILED,
}
TAG = "glidepath.status"
API = "/api/2.0/mlflow"
NO_ALIAS = (400, 404)  # MLflow's status where a model has no such alias: 400 in its own store, 404 elsewhere
MAX_ANSWER_BYTES = 4 * 2**20


def mlflow_queue(config: Config, section: RegistrySection, dropped: Counter) -> DeliveryQueue:
    """Return the queue that sets the tag and the alias of a candidate's model version after a decision in STATUS."""

    def model(decision: Decision) -> str | None:
        workload = config.workloads.get(decision.workload)
        return None if workload is None else section.models.get(workload.candidate)

    def others(decision: Decision, name: str) -> list[str]:
        """Return the other workloads whose candidate has the same registered model."""
        of_backend = {backend: registered.partition("/")[0] for backend, registered in section.models.items()}
        sharing = [one for one, workload in config.workloads.items() if of_backend.get(workload.candidate) == name]
        return [one for one in sharing if one != decision.workload]

    async def send(session: aiohttp.ClientSession, decision: Decision) -> None:
        name, _, version = str(model(decision)).partition("/")
        status = STATUS[decision.event]
        base = f"{section.mlflow}{API}"
        known = version or await _latest(session, base, name)
        for key in (f"{TAG}.{decision.workload}", TAG):
            tag = {"name": name, "version": known, "key": key, "value": status}
            async with session.post(f"{base}/model-versions/set-tag", json=tag) as response:
                check_answer(response)
        alias = {"name": name, "alias": status, "version": known}
        async with session.post(f"{base}/registered-models/alias", json=alias) as response:
            check_answer(response)
        other, sharing = FAILED if status == PRODUCTION else PRODUCTION, others(decision, name)
        tags = await _tags(session, base, name, known) if sharing else {}
        if all(tags.get(f"{TAG}.{workload}") != other for workload in sharing):
            await _remove_alias(session, base, name, known, other)

    def wants(decision: Decision) -> bool:
        return decision.event in STATUS and model(decision) is not None

    return DeliveryQueue("mlflow", send, dropped, wants, destination=section.mlflow)


async def _latest(session: aiohttp.ClientSession, base: str, name: str) -> str:
    query = {"filter": f"name='{name}'", "order_by": "version_number DESC", "max_results": "1"}
    async with session.get(f"{base}/model-versions/search", params=query) as response:
        check_answer(response)
        body = await _body(response)
    version = first_version(body)
    if version is None:
        raise RefusedError(f"MLflow has no version of {name}")
    return version


async def _tags(session: aiohttp.ClientSession, base: str, name: str, version: str) -> dict[str, str]:
    async with session.get(f"{base}/model-versions/get", params={"name": name, "version": version}) as response:
        check_answer(response)
        return tags_of_version(await _body(response))


async def _remove_alias(session: aiohttp.ClientSession, base: str, name: str, version: str, alias: str) -> None:
    """Remove the alias if the version has it."""
    which = {"name": name, "alias": alias}
    async with session.get(f"{base}/registered-models/alias", params=which) as response:
        if response.status in NO_ALIAS:
            return
        check_answer(response)
        body = await _body(response)
    if version_of_alias(body) != version:
        return
    async with session.delete(f"{base}/registered-models/alias", json=which) as response:
        check_answer(response)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise RefusedError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def first_version(body: bytes) -> str | None:
    """Return the first model version in MLflow's answer to a search.

    Return None if the answer contains no version or has an unexpected form.
    """
    try:
        return str(json.loads(body)["model_versions"][0]["version"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def version_of_alias(body: bytes) -> str | None:
    """Return the version in MLflow's answer about an alias; None if the answer has an unexpected form."""
    try:
        return str(json.loads(body)["model_version"]["version"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def tags_of_version(body: bytes) -> dict[str, str]:
    """Return the tags in MLflow's answer about a version; {} if it has none or the answer has an unexpected form."""
    try:
        return {str(tag["key"]): str(tag["value"]) for tag in json.loads(body)["model_version"]["tags"]}
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
