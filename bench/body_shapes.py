"""Measure for how long the body of one request holds a worker thread of Envoy: ``make bench-body-shapes``.

The candidate has its own name for the model, so Envoy's Lua filter searches and changes each body. For each shape and
size, a new Envoy gets a few requests. Their bodies repeat the shape before the key ``model``, after it, or without it.
The result is the longest time that the thread's event loop took for one round (Envoy's
``dispatcher.loop_duration_us``). During this time, no other request on this thread is served.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.body_backend_and_clients import Load, backend_command, run_load
from glidepath.config import parse_config
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.local.child_process import Child, answers, free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy

KIB, MIB = 2**10, 2**20
SIZES = {"64 KiB": 64 * KIB, "1 MiB": MIB, "4 MiB": 4 * MIB - 256, "30 MiB": 30 * MIB}
SHAPES = {
    "brackets": b"[",
    "braces": b"{",
    "quotes": b'"',
    "letters": b"a",
    "backslashes": b"\\",
    "escaped quotes": b'\\"',
    "white space": b" ",
    "digits": b"1",
    "objects": b'{"a":[1,2,"x"]},',
    "short strings": b'"ab",',
    "keys": b'"model":"a",',
}
CONFIG = """
envoy: {{listen: "127.0.0.1:{live}", shadow_listen: "127.0.0.1:{shadow}"}}
backends:
  cloud: {{url: "http://127.0.0.1:{backend}"}}
  onprem: {{url: "http://127.0.0.1:{backend}", model: m-on}}
workloads:
  chat:
    match: {{path: /v1/chat/completions}}
    baseline: cloud
    candidate: onprem
    start: 100
    shadow: {{sample: 0}}
"""
_LONGEST = re.compile(r"worker_0\.dispatcher\.loop_duration_us: .*P100\([^,]*,([\d.e+]+)\)")


def bodies(shape: bytes, size: int) -> Iterator[bytes]:
    """Yield bodies that repeat the shape, in a string or not, before ``model``, after it, or without it.

    ``size``: the bytes of the repeated shape.
    """
    filler = shape * (size // len(shape))
    yield b'{"x":"' + filler + b'","model":"a"}'
    yield b'{"model":"a","x":"' + filler + b'"}'
    yield b'{"x":' + filler + b',"model":"a"}'
    yield b"{" + filler + b"}"


def longest_round_ms(shape: bytes, size: int, folder: Path) -> float:
    backend, live, shadow, admin = free_ports(4)
    bootstrap = render_bootstrap(
        parse_config(CONFIG.format(backend=backend, live=live, shadow=shadow)), admin=f"127.0.0.1:{admin}"
    )
    bootstrap |= {"enable_dispatcher_stats": True, "stats_flush_interval": "0.2s"}
    file, url = folder / "envoy.yaml", f"http://127.0.0.1:{admin}"
    file.write_text(to_yaml(bootstrap))
    with Child("backend", backend_command(backend, 0.001), folder / "backend.log") as server:
        server.wait_until(lambda: answers("127.0.0.1", backend))
        with start_envoy(file, url, folder / "envoy.log", concurrency=1):
            for body in bodies(shape, size):
                measured = run_load(live, Load("one", 1, body, 2, 0.05), seconds=0.3, warm_up=0)
                assert measured.errors == 0, f"{measured.errors} errors"
            run_load(live, Load("one", 1, b"{}", 2, 0.05), seconds=0.5, warm_up=0)  # until the histogram is flushed
            with urllib.request.urlopen(f"{url}/stats?filter=loop_duration_us", timeout=10) as response:
                found = _LONGEST.search(response.read().decode())
    assert found is not None, "Envoy shows no loop_duration_us"
    return float(found[1]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=SIZES)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--runs", type=int, default=3, help="runs, of which the fastest is shown: other load only adds")
    options = parser.parse_args()
    print(f"{'longest round, ms':18}" + "".join(f"{size:>10}" for size in options.sizes))
    rows: dict[str, Any] = {}
    for shape in options.shapes:
        with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name:
            rows[shape] = {
                size: min(longest_round_ms(SHAPES[shape], SIZES[size], Path(name)) for _ in range(options.runs))
                for size in options.sizes
            }
        print(f"{shape:18}" + "".join(f"{rows[shape][size]:10.1f}" for size in options.sizes), flush=True)
    print(json.dumps({"bench": "body_shapes", "ms": rows}))


if __name__ == "__main__":
    main()
