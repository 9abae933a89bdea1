"""Measure how many exchanges per second one core of extproc handles, compared with an empty grpc.aio handler.

``python -m bench.capture [--exchanges 4000] [--rounds 3]``

A separate process acts as Envoy: over gRPC streams on a Unix socket, it sends whole exchanges of seven messages (a chat
completion of 4 KB). Only the CPU time (user + system) of the server process is measured, because the client needs about
as much CPU time. The servers take turns. The best round of each server counts, because other load on the machine can
only slow a round down.

There are three servers:

- ``empty``: a handler that only reads the seven messages; it shows the upper limit with grpc.aio
- ``capture``: extproc, which captures and counts every exchange, but sends no copy
- ``tee``: extproc, which also sends a copy to an HTTP server and writes the pair to a real Redis
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import grpc
import redis
from aiohttp import web
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from extproc.extproc_worker import ExtprocWorker, WorkerAddresses, stop_on_signals
from extproc.grpc_services import PROCESS
from glidepath import envoy_names, redis_keys
from glidepath.config import Config, parse_config
from glidepath_ops.local.child_process import Child, answers, free_ports
from glidepath_ops.local.redis_and_envoy import start_redis

PATH = "/v1/chat/completions"
CANDIDATE_CLUSTER = envoy_names.fallback_cluster("onprem", "cloud")
# The metadata of the candidate's endpoint, in the text form in which Envoy sends it.
ENDPOINT = """\
filter_metadata {
  key: "glidepath"
  value {
    fields {
      key: "backend"
      value {
        string_value: "onprem"
      }
    }
  }
}
"""
# A question and an answer of two kilobytes each.
QUESTION = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "How strong is the wind? " * 80}]})
ANSWER = json.dumps(
    {
        "object": "chat.completion",
        "choices": [{"message": {"role": "assistant", "content": "It is strong. " * 130}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 480, "completion_tokens": 390, "total_tokens": 870},
    }
)
FILTER = "envoy.filters.http.ext_proc"
CONCURRENT = 32
ROLES = ("empty", "capture", "tee")
MESSAGES = 7


def exchange(number: int, cluster: str) -> list[bytes]:
    """Return the serialised messages of one exchange, with about 20 request headers and 4 KB of bodies."""
    ask = ProcessingRequest()
    headers = {":method": "POST", ":path": PATH, ":scheme": "https", ":authority": "api.example.com"}
    headers |= {"content-type": "application/json", "accept": "*/*", "x-request-id": f"bench-{number}"}
    headers |= {f"x-header-{n}": "some value of ordinary length" for n in range(13)}
    for name, value in headers.items():
        ask.request_headers.headers.headers.add(key=name, raw_value=value.encode())
    ask.attributes[FILTER].update({"xds.cluster_name": cluster})
    answered = ProcessingRequest()
    for name, value in {":status": "200", "content-type": "application/json", "server": "x", "date": "today"}.items():
        answered.response_headers.headers.headers.add(key=name, raw_value=value.encode())
    answered.attributes[FILTER].update(
        {
            "xds.cluster_name": cluster,
            "xds.upstream_host_metadata": ENDPOINT,
            "response.code_details": "via_upstream",
            "upstream.request_attempt_count": 1,
        }
    )
    question, answer = QUESTION.encode(), ANSWER.encode()
    messages = [ask, _body("request_body", question), _body("request_body", b"", end=True), answered]
    messages += [_body("response_body", answer[:1024]), _body("response_body", answer[1024:])]
    messages.append(_body("response_body", b"", end=True))
    return [message.SerializeToString() for message in messages]


def _body(part: str, data: bytes, *, end: bool = False) -> ProcessingRequest:
    message = ProcessingRequest()
    body = getattr(message, part)
    body.body, body.end_of_stream = data, end
    return message


async def load(address: str, count: int, cluster: str) -> None:
    """Act as Envoy: send ``count`` exchanges, CONCURRENT at a time, and wait until the server has ended all streams."""
    numbers = iter(range(count))

    async def one_after_the_other(channel: grpc.aio.Channel) -> None:
        process = channel.stream_stream(f"/{PROCESS}/Process")
        for number in numbers:
            call = process(metadata=((envoy_names.HEADER_WORKLOAD, "chat"),))
            for message in exchange(number, cluster):
                await call.write(message)
            assert await call.read() is grpc.aio.EOF

    async with grpc.aio.insecure_channel(address) as channel, asyncio.TaskGroup() as tasks:
        for _ in range(CONCURRENT):
            tasks.create_task(one_after_the_other(channel))


async def serve_empty(address: str) -> None:
    async def process(_: Any, context: grpc.aio.ServicerContext) -> None:
        for _ in range(MESSAGES):
            await context.read()

    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(
        process,
        request_deserializer=ProcessingRequest.FromString,
        response_serializer=ProcessingResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(PROCESS, {"Process": handler}),))
    server.add_insecure_port(address)
    await server.start()
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    await stop.wait()
    await server.stop(0)


async def serve_extproc(config: Config) -> None:
    worker = ExtprocWorker(config, WorkerAddresses.of(config, 0))
    stop_on_signals(worker.stop)
    await worker.run()


async def serve_backend(port: int) -> None:
    """Run the backend that answers the copies, until SIGTERM or SIGINT."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=ANSWER.encode(), content_type="application/json")

    app = web.Application()
    app.router.add_post("/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    await stop.wait()
    await runner.cleanup()


def settings(folder: str, role: str, redis_port: int, backend_port: int, metrics: int) -> Config:
    """Return the configuration of the server ``role``.

    The candidate serves all requests, so the setting ``reverse`` decides whether copies are sent.
    """
    return parse_config(f"""
envoy: {{shadow_listen: "127.0.0.1:{backend_port}"}}
redis: {{url: "redis://127.0.0.1:{redis_port}/0"}}
extproc: {{listen: "unix:{folder}/{role}.sock", metrics: "127.0.0.1:{metrics}", buffer: 100000}}
backends: {{cloud: {{url: "http://127.0.0.1:1"}}, onprem: {{url: "http://127.0.0.1:2"}}}}
workloads:
  chat:
    match: {{path: {PATH}}}
    baseline: cloud
    candidate: onprem
    shadow: {{same_side: 0, reverse: {100 if role == "tee" else 0}, max_in_flight: 10000}}
""")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process in seconds: the user time plus the system time. Source: proc(5), PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(child: Child, address: str, count: int) -> float:
    """Send ``count`` exchanges to the server, and return the number that it handled per second of its CPU time."""
    command = [sys.executable, "-m", "bench.capture", "--load", address, "--exchanges", str(count)]
    before = cpu_seconds(child.pid)
    client = Child("load", command, child.log.with_suffix(".load"))
    if client.process.wait(300) != 0:
        raise SystemExit(client.tail())
    return count / (cpu_seconds(child.pid) - before)


def pairs_in(redis_port: int, expected: int) -> int:
    """Return the number of pairs in Redis now, but at most ``expected``."""
    with redis.Redis(port=redis_port) as client:
        return min(expected, int(client.xlen(redis_keys.WorkloadKeys("chat").pairs)))


def run(count: int, rounds: int) -> dict[str, Any]:
    rates: dict[str, list[float]] = {role: [] for role in ROLES}
    with tempfile.TemporaryDirectory() as folder:
        redis_port, backend_port, *metrics = free_ports(2 + len(ROLES))
        with (
            start_redis(Path(folder) / "redis", redis_port),
            Child("backend", _again("--backend", str(backend_port)), Path(folder) / "backend.log") as backend,
        ):
            backend.wait_until(lambda: answers("127.0.0.1", backend_port))
            children = {}
            try:
                for role, port in zip(ROLES, metrics, strict=True):
                    command = _again("--serve", role, folder, str(redis_port), str(backend_port), str(port))
                    child = children[role] = Child(role, command, Path(folder) / f"{role}.log")
                    child.wait_until(Path(folder, f"{role}.sock").is_socket)
                    measure(child, f"unix:{folder}/{role}.sock", 200)
                for _ in range(rounds):
                    for role, child in children.items():
                        rates[role].append(measure(child, f"unix:{folder}/{role}.sock", count))
                kept = pairs_in(redis_port, count * rounds)
            finally:
                for child in children.values():
                    child.stop()
    best = {role: max(found) for role, found in rates.items()}
    return {
        "exchanges_per_cpu_second": {role: round(rate) for role, rate in best.items()},
        "microseconds_per_exchange": {role: round(1e6 / rate) for role, rate in best.items()},
        "capture_to_empty": round(best["capture"] / best["empty"], 3),
        "tee_to_empty": round(best["tee"] / best["empty"], 3),
        "messages_per_exchange": MESSAGES,
        "exchanges": count,
        "rounds": rounds,
        "pairs_kept_at_least": kept,
    }


def _again(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench.capture", *arguments]


def table(result: dict[str, Any]) -> str:
    rows = [f"{'server':<10}{'exchanges / CPU s':>20}{'µs / exchange':>16}{'× empty':>10}"]
    for role in ROLES:
        rate = result["exchanges_per_cpu_second"][role]
        ratio = rate / result["exchanges_per_cpu_second"]["empty"]
        rows.append(f"{role:<10}{rate:>20,}{result['microseconds_per_exchange'][role]:>16}{ratio:>10.2f}")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchanges", type=int, default=4000, help="number of exchanges per round (default 4000)")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds per server (default 3)")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("--backend", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        asyncio.run(load(arguments.load, arguments.exchanges, CANDIDATE_CLUSTER))
    elif arguments.backend:
        asyncio.run(serve_backend(arguments.backend))
    elif arguments.serve:
        role, folder, *ports = arguments.serve
        if role == "empty":
            asyncio.run(serve_empty(f"unix:{folder}/empty.sock"))
        else:
            asyncio.run(serve_extproc(settings(folder, role, *map(int, ports))))
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        result = run(arguments.exchanges, arguments.rounds)
        print(table(result))
        print(json.dumps(result))


if __name__ == "__main__":
    main()
