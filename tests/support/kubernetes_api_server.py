"""A stand-in for the Kubernetes API server: HTTPRoutes in memory, over real HTTP, with the answers of the real one.

``make test-mesh`` tests the same client on a real API server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from glidepath_ops.local.child_process import free_ports

Json = dict[str, Any]
PATH = "/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{name}"
TOKEN = "first-token"


class PatchTestError(Exception):
    """A ``test`` operation of a patch failed, or its path does not exist."""


@dataclass
class ApiServer:
    """The server. ``faults``: wrong answers, each given once. ``on_patch`` runs before a patch is applied."""

    url: str
    routes: dict[tuple[str, str], Json] = field(default_factory=dict)
    token: str = TOKEN
    faults: list[int] = field(default_factory=list)
    hang: bool = False
    forbidden: bool = False
    conflicts: bool = False  # each patch
    requests: list[tuple[str, str]] = field(default_factory=list)
    patches: list[list[Json]] = field(default_factory=list)
    on_patch: Callable[[], None] | None = None
    controller: bool = True  # takes each new form of an HTTPRoute at once

    def add(self, route: Json) -> Json:
        metadata = route["metadata"]
        metadata |= {"resourceVersion": "1", "generation": 1}
        self.routes[metadata["namespace"], metadata["name"]] = route
        self.serve(route)
        return route

    def route(self, namespace: str = "models", name: str = "chat") -> Json:
        return self.routes[namespace, name]

    def weights(self, rule: int = 0) -> list[int | None]:
        """Return the weights of the rule's backendRefs, in the order of the HTTPRoute."""
        return [one.get("weight") for one in self.route()["spec"]["rules"][rule]["backendRefs"]]

    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.route()["metadata"].get("annotations", {})
        return found

    def edit(self, change: Callable[[Json], None], namespace: str = "models") -> None:
        """Change the HTTPRoute as a person does."""
        self._store(self.route(namespace), change)

    def serve(self, route: Json) -> None:
        """Write the status of a Gateway's controller: the Gateway serves the present generation of the HTTPRoute."""
        generation = route["metadata"]["generation"]
        conditions = [
            {"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        for parent in route["spec"]["parentRefs"]:
            entry = {"parentRef": parent, "controllerName": "gateway.test/controller", "conditions": conditions}
            route["status"] = {"parents": [entry]}

    def _store(self, route: Json, change: Callable[[Json], None]) -> None:
        before = deepcopy(route["spec"])
        change(route)
        metadata = route["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        if route["spec"] != before:
            metadata["generation"] += 1
            if self.controller:
                self.serve(route)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        if self.hang:
            await asyncio.sleep(60)
        if request.headers.get("authorization", "") not in ("", f"Bearer {self.token}"):
            return _status(401, "Unauthorized")
        if self.faults:
            return _status(self.faults.pop(0), "the server is out of order")
        place = request.match_info["namespace"], request.match_info["name"]
        if self.forbidden:
            return _status(403, f'httproutes "{place[1]}" is forbidden')
        if place not in self.routes:
            return _status(404, f'httproutes "{place[1]}" not found')
        if request.method == "GET":
            return web.json_response(self.routes[place])
        if self.conflicts:
            return _status(409, "the object has been modified")
        assert request.content_type == "application/json-patch+json"
        assert request.query["fieldManager"] == "glidepath"
        return self._patch(self.routes[place], await request.json(), dry=request.query.get("dryRun") == "All")

    def _patch(self, route: Json, operations: list[Json], *, dry: bool) -> web.Response:
        if self.on_patch is not None:
            hook, self.on_patch = self.on_patch, None
            hook()
        changed = deepcopy(route)
        try:
            for one in operations:
                apply_operation(changed, one)
        except PatchTestError as error:
            return _status(422, f"the server rejected our request due to an error in our request: {error}")
        if not dry:
            self.patches.append(operations)

            def replace(stored: Json) -> None:
                stored.clear()
                stored.update(changed)

            self._store(route, replace)
        return web.json_response(changed)


def _status(code: int, message: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return web.json_response(body, status=code)


def apply_operation(document: Any, operation: Json) -> None:
    """Apply one operation of RFC 6902."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    target = document
    for part in parents:
        try:
            target = target[int(part)] if isinstance(target, list) else target[part]
        except (KeyError, IndexError) as error:
            raise PatchTestError(f"no {operation['path']}") from error
    key: Any = int(last) if isinstance(target, list) else last
    if operation["op"] == "test":
        present = target[key] if (key in target if isinstance(target, dict) else key < len(target)) else None
        if present != operation["value"]:
            raise PatchTestError(f"testing value {operation['path']} failed")
    elif operation["op"] == "add":
        target[key] = deepcopy(operation["value"])
    else:
        if key not in target:
            raise PatchTestError(f"no {operation['path']}")
        del target[key]


def http_route(*weights: int | None, name: str = "chat") -> Json:
    """Return an HTTPRoute whose rule has the baseline (a Service) and the candidate (an InferencePool)."""
    references: list[Json] = [
        {"name": "cloud", "port": 80},
        {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "vllm"},
    ]
    for one, weight in zip(references, weights, strict=True):
        if weight is not None:
            one["weight"] = weight
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}], "backendRefs": references}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "models"},
        "spec": {"parentRefs": [{"name": "eg"}], "rules": [rule]},
    }


@asynccontextmanager
async def api_server(*routes: Json) -> AsyncIterator[ApiServer]:
    """Serve HTTPRoutes until the block ends."""
    port = free_ports(1)[0]
    server = ApiServer(f"http://127.0.0.1:{port}")
    for route in routes:
        server.add(route)
    app = web.Application()
    app.router.add_get(PATH, server.handle)
    app.router.add_patch(PATH, server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield server
    finally:
        await runner.cleanup()


CANDIDATE = "{group: inference.networking.k8s.io, kind: InferencePool, name: vllm}"
ACTUATOR = f"{{namespace: models, name: chat, baseline: {{name: cloud}}, candidate: {CANDIDATE}}}"


def steered_by_http_route(text: str, server: str, folder: Path | None = None) -> str:
    """Return the configuration ``text`` with the weights of its last workload, ``chat``, in an HTTPRoute."""
    token = "" if folder is None else f", token_file: {json.dumps(str(folder / 'token'))}"
    section = f"kubernetes: {{api: {json.dumps(server)}, poll: 100ms, timeout: 1s{token}}}\n"
    return f"{section}{text}    fallback: false\n    actuator: {ACTUATOR}\n"
