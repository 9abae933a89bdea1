"""A real Redis Cluster of three masters on loopback, formed without the cluster's command-line tool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import redis.asyncio

from glidepath_ops.local.child_process import Child, answers, free_ports
from glidepath_ops.local.redis_and_envoy import spawn_redis
from tests.support.waiting import eventually

SLOTS = 16384


@asynccontextmanager
async def running_cluster(folder: Path, nodes: int = 3) -> AsyncIterator[tuple[str, list[Child]]]:
    """Run a cluster. Yield the URL of one node, and the processes of all nodes."""
    ports = free_ports(2 * nodes)
    clients, buses = ports[:nodes], ports[nodes:]
    with ExitStack() as stack:
        children = [
            stack.enter_context(_node(folder / str(port), port, bus)) for port, bus in zip(clients, buses, strict=True)
        ]
        for child, port in zip(children, clients, strict=True):
            child.wait_until(lambda port=port: answers("127.0.0.1", port))
        await _form(clients, buses)
        yield f"redis://127.0.0.1:{clients[0]}", children


def _node(folder: Path, port: int, bus: int) -> Child:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000")
    return spawn_redis(folder, port, *options)


async def _form(ports: list[int], buses: list[int]) -> None:
    """Give each node its share of the slots, connect it to the first node, and wait until all nodes agree."""
    handles = [redis.asyncio.Redis(port=port, decode_responses=True) for port in ports]
    try:
        bounds = [SLOTS * i // len(ports) for i in range(len(ports) + 1)]
        for i, handle in enumerate(handles):
            await handle.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[i], bounds[i + 1] - 1)
            await handle.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            if i:
                await handle.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], buses[0])

        async def agreed() -> bool:
            infos = await asyncio.gather(*(h.execute_command("CLUSTER", "INFO") for h in handles))
            return all(_value(i, "cluster_state") == "ok" and _value(i, "cluster_known_nodes") == "3" for i in infos)

        await eventually(agreed, what="a cluster of which all nodes know")
    finally:
        for handle in handles:
            await handle.aclose()


def _value(info: object, name: str) -> str:
    if isinstance(info, dict):
        return str(info.get(name))
    lines = dict(line.split(":", 1) for line in str(info).split() if ":" in line)
    return lines.get(name, "")
