"""The telemetry about a request through Envoy, extproc and the scorer, with a collector that works or hangs."""

from __future__ import annotations

import asyncio
import re
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.sdk", reason='the extra otel is not installed: pip install "glidepath[otel]"')

from glidepath_ops.local.child_process import Child, free_ports
from tests.support.otlp_receiver import Receiver, attributes, http_receiver
from tests.support.running_capture import CHAT, QUESTION, RunningCapture, connected, running_processes
from tests.support.waiting import eventually

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def otel(receiver: Receiver, more: str = "") -> str:
    return f'otel: {{endpoint: "{receiver.url}", every: 100ms, metrics_every: 500ms{more}}}\n'


async def ask_in_a_trace(setup: RunningCapture) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    url = f"http://{setup.processes.config.envoy.listen}{CHAT}"
    async with setup.client.post(url, json=QUESTION, headers=headers) as response:
        assert response.status == 200


async def test_a_copy_is_a_span_in_the_clients_trace_and_its_evaluation_an_event_of_that_span(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        metrics = free_ports(1)[0]
        sections = f'scorer: {{metrics: "127.0.0.1:{metrics}"}}\n{otel(receiver)}'
        with running_processes(tmp_path, sections=sections) as processes:
            command = [sys.executable, "-m", "glidepath_ops", "scorer", "-c", str(processes.file)]
            with Child("scorer", command, tmp_path / "scorer.log"):
                async with connected(processes) as setup:
                    await ask_in_a_trace(setup)
                    (pair,) = await setup.stored(1)
                    await eventually(lambda: bool(receiver.spans and receiver.logs))
                    await eventually(lambda: {"gen_ai.client.operation.duration"} <= {m.name for m in receiver.metrics})
    (span,) = receiver.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(span)["gen_ai.request.model"] == "onprem-model"
    assert pair.traceparent == f"00-{TRACE}-{span.span_id.hex()}-01"
    events = [one for one in receiver.logs if one.event_name == "gen_ai.evaluation.result"]
    assert {(one.trace_id.hex(), one.span_id.hex()) for one in events} == {(TRACE, span.span_id.hex())}
    assert {attributes(one)["gen_ai.evaluation.name"] for one in events} >= {"agreement"}
    assert receiver.services == {"glidepath-extproc", "glidepath-scorer"}
    assert "Who are you" not in f"{receiver.spans}{receiver.logs}{receiver.metrics}"


async def test_a_collector_that_hangs_costs_spans_that_are_counted_and_nothing_else(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        receiver.delay_s = 20
        with running_processes(tmp_path, sections=otel(receiver, ", queue: 16, metrics: false")) as processes:
            async with connected(processes) as setup:
                for _ in range(4):
                    await asyncio.gather(*(setup.ask() for _ in range(10)))
                await setup.stored(40)

                def dropped() -> float:
                    page = urllib.request.urlopen(f"http://{processes.config.extproc.metrics}/metrics", timeout=30)
                    name = 'glidepath_otel_items_total{result="dropped",signal="traces"}'
                    found = re.search(rf"^{re.escape(name)} (\S+)$", page.read().decode(), re.MULTILINE)
                    return float(found[1]) if found else 0.0

                await eventually(lambda: dropped() > 0)
            # ``running_processes`` stops extproc, and expects that it ends by itself with status 0
