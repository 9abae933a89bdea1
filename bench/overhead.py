"""Measure the latency and CPU time that Glidepath adds to a request: ``make bench-overhead``.

Three arms are compared: Envoy alone, Envoy with its own mirroring, and Envoy with Glidepath. They have the same backend
(20 ms) and the same open-loop Poisson load, in short alternating rounds, so that other load on the machine affects all
arms alike. Glidepath's arm has the complete data path: every request is captured, copied through Envoy to the other
side, and written to Redis. Envoy reads each body before it chooses the route, which is the default. With ``--unread``,
Envoy chooses the route without reading the body. ``--body 16384 --tokens 50 --rate 20`` sends longer requests, whose
answers are streamed. See ADR 0063.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bench.openloop import WARM_UP
from glidepath.config import Config
from glidepath_ops.local.child_process import Child, answers, free_ports
from glidepath_ops.local.services import Service, envoy_service, local_services, redis_service
from glidepath_ops.local.stack import Stack

ARMS = ("envoy", "mirror", "glidepath")
TYPE = "type.googleapis.com/envoy."
MANAGER = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


class Arm(NamedTuple):
    port: int
    pid: int  # process id of the arm's Envoy

    def busy_us(self) -> float:
        """Return the CPU time of the arm's Envoy since its start, in microseconds.

        Other load on the machine affects this time less than it affects latencies.
        """
        threads = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1000


def plain_bootstrap(listen: int, admin: int, backend: int, mirror: int | None) -> dict[str, Any]:
    """Return an Envoy bootstrap with one listener and one route to the port ``backend``.

    If ``mirror`` is not None, Envoy mirrors every request to the port ``mirror``.
    """
    route: dict[str, Any] = {"cluster": "backend", "timeout": "0s"}
    if mirror is not None:
        share = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
        route["request_mirror_policies"] = [{"cluster": "mirror", "runtime_fraction": share}]
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
    manager = {
        "@type": MANAGER,
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": TYPE + "extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    clusters = [_cluster("backend", backend)] + ([_cluster("mirror", mirror)] if mirror is not None else [])
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {
            "listeners": [{"name": "bench", "address": _address(listen), "filter_chains": [chain]}],
            "clusters": clusters,
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": [endpoint]}}


def glidepath_config(
    ports: list[int], backend: int, other: int, folder: Path, workers: int, *, reading: bool, sample: float
) -> Config:
    """Return the configuration of Glidepath's arm.

    ``reading``: whether Envoy reads bodies to choose their route. ``sample``: percent of the requests captured.
    """
    sticky = {} if reading else {"sticky": {"random": True}}
    return Config.model_validate(
        {
            "envoy": {
                "admin": [f"http://127.0.0.1:{ports[0]}"],
                "listen": f"127.0.0.1:{ports[1]}",
                "shadow_listen": f"127.0.0.1:{ports[2]}",
                "concurrency": 2,
            },
            "redis": {"url": f"redis://127.0.0.1:{ports[3]}/0"},
            "extproc": {
                "listen": f"unix:{folder}/extproc.sock",
                "metrics": f"127.0.0.1:{ports[4]}",
                "workers": workers,
            },
            "scorer": {"metrics": f"127.0.0.1:{ports[5]}"},
            "backends": {
                "today": {"url": f"http://127.0.0.1:{backend}"},
                "other": {"url": f"http://127.0.0.1:{other}"},
            },
            "workloads": {
                "chat": {
                    "match": {"path": "/v1/chat/completions"},
                    "baseline": "today",
                    "candidate": "other",
                    "shadow": {"sample": sample, "same_side": 0, "max_in_flight": 512},
                    "ramp": {"shadow_hold": "48h"},
                    **sticky,
                }
            },
        }
    )


def backend_service(name: str, port: int, delay: float, folder: Path, tokens: int = 0) -> Service:
    command = [sys.executable, "-m", "bench.openloop", "--serve", str(port), "--delay", str(delay)]
    command += ["--tokens", str(tokens)]
    return Service(name, lambda: Child(name, command, folder / f"{name}.log"), lambda: answers("127.0.0.1", port))


@contextlib.contextmanager
def everything(options: argparse.Namespace) -> Iterator[dict[str, Arm]]:
    """Run all servers of the benchmark, and yield the arms by name."""
    with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name, Stack() as stack:
        folder, ports = Path(name), free_ports(14)
        backend, other = ports[0], ports[1]
        stack.start(
            backend_service("backend", backend, options.delay, folder, options.tokens),
            backend_service("other", other, options.delay, folder, options.tokens),
            redis_service(folder / "redis", ports[7]),
        )
        arms = {}
        for arm, mirror, listen, admin in (("envoy", None, *ports[10:12]), ("mirror", other, *ports[12:14])):
            file = folder / f"{arm}.yaml"
            file.write_text(yaml.safe_dump(plain_bootstrap(listen, admin, backend, mirror)))
            service = envoy_service(file, f"http://127.0.0.1:{admin}", folder / f"{arm}.log", 2)
            stack.start(Service(f"{arm} alone", service.spawn, service.ready))
            arms[arm] = Arm(listen, stack.children[f"{arm} alone"].process.pid)
        config = glidepath_config(
            ports[4:10], backend, other, folder, options.workers, reading=not options.unread, sample=options.sample
        )
        parts = local_services(config, folder)
        stack.start(*(parts if options.scorer else [part for part in parts if part.name != "scorer"]))
        yield arms | {"glidepath": Arm(ports[5], stack.children["envoy"].process.pid)}


@contextlib.contextmanager
def generator() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.openloop"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


def run_round(process: subprocess.Popen[str], port: int, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    job = {"port": port, "rate": options.rate, "seconds": options.seconds, "seed": seed}
    job |= {"body_bytes": options.body, "stream": options.tokens > 0}
    print(json.dumps(job), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


def measure(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Run all rounds, and return the results of each arm, one item for each round."""
    results: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    with everything(options) as arms, generator() as process:
        for number in range(options.rounds):
            turn = ARMS[number % 3 :] + ARMS[: number % 3]  # each arm is first in equally many rounds
            for arm in turn:
                before = arms[arm].busy_us()
                one = run_round(process, arms[arm].port, options, seed=number)
                busy = arms[arm].busy_us() - before
                results[arm].append(one | {"envoy_us": busy / (options.rate * (options.seconds + WARM_UP))})
    return results


def summarise(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the numbers of one arm: for the answers of all rounds together, and as medians of the rounds.

    A median ignores a few rounds that other load on the machine disturbed.
    """
    every = [ms for one in rounds for ms in one["latencies"]]
    firsts = [ms for one in rounds for ms in one["firsts"]]
    by_round = [(quantile(one["latencies"], 0.5), quantile(one["latencies"], 0.99)) for one in rounds]
    return {
        "requests": len(every),
        "errors": sum(one["errors"] for one in rounds),
        "skipped": sum(one["skipped"] for one in rounds),
        "p50_ms": round(quantile(every, 0.5), 3),
        "p99_ms": round(quantile(every, 0.99), 3),
        "first_p50_ms": round(quantile(firsts, 0.5), 3),
        "first_p99_ms": round(quantile(firsts, 0.99), 3),
        "round_p50_ms": round(statistics.median(p50 for p50, _ in by_round), 3),
        "round_p99_ms": round(statistics.median(p99 for _, p99 in by_round), 3),
        "envoy_cpu_us": round(statistics.median(one["envoy_us"] for one in rounds)),
        "generator_late_p99_ms": round(statistics.median(one["late_ms"] for one in rounds), 2),
    }


def report(results: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> dict[str, Any]:
    arms = {arm: summarise(rounds) for arm, rounds in results.items()}
    for row in arms.values():
        for name in ("p50", "p99", "round_p50", "round_p99"):
            row[f"{name}_ratio"] = round(row[f"{name}_ms"] / arms["envoy"][f"{name}_ms"], 4)
        row["cpu_of_mirrors"] = round(row["envoy_cpu_us"] / arms["mirror"]["envoy_cpu_us"], 3)
        for name in ("first_p50", "first_p99"):
            row[f"{name}_added_ms"] = round(row[f"{name}_ms"] - arms["envoy"][f"{name}_ms"], 3)
    ours, mirror = arms["glidepath"], arms["mirror"]
    return {
        "bench": "overhead",
        "rate": options.rate,
        "delay_ms": options.delay * 1000,
        "goal_met": ours["round_p50_ratio"] <= 1.02 and ours["round_p99_ratio"] <= 1.05,
        "no_worse_than_mirror": ours["round_p50_ms"] <= mirror["round_p50_ms"] * 1.005
        and ours["round_p99_ms"] <= mirror["round_p99_ms"] * 1.02,
        "arms": arms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200, help="requests per second")
    parser.add_argument("--seconds", type=float, default=5, help="seconds per round")
    parser.add_argument("--rounds", type=int, default=9, help="rounds per arm")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds that the backend takes")
    parser.add_argument("--body", type=int, default=280, help="bytes of a request's body")
    parser.add_argument(
        "--tokens", type=int, default=0, help="tokens of a streamed answer, 50 a second; 0: not streamed"
    )
    parser.add_argument(
        "--sample", type=float, default=100, help="percent of the requests that are captured and copied"
    )
    parser.add_argument("--unread", action="store_true", help="assign at random, so that Envoy reads no body")
    parser.add_argument("--workers", type=int, default=1, help="number of extproc processes")
    parser.add_argument("--scorer", action="store_true", help="run the scorer on this machine too")
    options = parser.parse_args()
    outcome = report(measure(options), options)
    print(
        f"{options.rate:g} requests/s, backend {options.delay * 1000:g} ms, "
        f"{options.rounds} rounds of {options.seconds:g} s per arm\n"
    )
    print(f"{'':12}{'':18}|{'all answers':^36}|{'median of the rounds':^36}|{'Envoy CPU':>10}")
    names = "".join(f"{c:>9}" for c in ("p50 ms", "p99 ms", "p50 ×", "p99 ×"))
    print(f"{'':12}{'requests':>9}{'errors':>8} |{names}|{names}|{'µs/request':>10}")
    for arm, row in outcome["arms"].items():
        cells = [
            f"{row[kind + 'p50_ms']:9.2f}{row[kind + 'p99_ms']:9.2f}"
            f"{row[kind + 'p50_ratio']:9.3f}{row[kind + 'p99_ratio']:9.3f}"
            for kind in ("", "round_")
        ]
        print(f"{arm:12}{row['requests']:9}{row['errors']:8} |" + "|".join(cells) + f"|{row['envoy_cpu_us']:10}")
    print()
    for arm, row in outcome["arms"].items():
        added = f"added {row['first_p50_added_ms']:.2f} / {row['first_p99_added_ms']:.2f}"
        first = f"first byte p50 {row['first_p50_ms']:.2f} ms, p99 {row['first_p99_ms']:.2f} ms ({added})"
        print(f"{arm:12}{first}, Envoy CPU {row['cpu_of_mirrors']:.2f} × the mirror's")
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
