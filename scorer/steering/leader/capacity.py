"""Predict the candidate's load at the next step from the metrics of its backend.

Load is assumed to be proportional to the part of the requests that the candidate receives, copies included. At share p
with a shadow sample s, the candidate receives p + (1 − p)·s of the requests. With s = 100 %, it receives every request
at each share, so the prediction equals the present load.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass

import aiohttp

from glidepath.config import Config, Workload
from glidepath.config.backends import Capacity
from glidepath.errors import error_text_with_type
from glidepath.logs import get_logger
from glidepath.status_and_decisions import GateAction, GateOutcome, Verdict
from scorer.steering.ramp.ramp_policy import policy_of, seen_share

EVERY_S = 5.0
TIMEOUT_S = 3.0
STALE_S = 30.0
MAX_PAGE_BYTES = 8 * 2**20

log = get_logger()


def gauge_on_page(page: str, metric: str) -> float | None:
    """Return the largest sample of ``metric`` on a page in Prometheus' text format; None if there is no sample.

    The largest sample is that of the busiest replica.
    """
    values: list[float] = []
    for line in page.splitlines():
        if not line.startswith(metric):
            continue
        rest = line[len(metric) :]
        if rest[:1] == "{":
            rest = rest[rest.rfind("}") + 1 :]
        elif rest[:1] not in (" ", "\t"):
            continue
        values += _finite(rest.split()[0] if rest.split() else "")
    return max(values, default=None)


def gauge_in_answer(body: bytes) -> float | None:
    """Return the largest value in Prometheus' answer to an instant query; None if it has no finite value.

    Raises ValueError if the body is not such an answer.
    """
    try:
        answer = json.loads(body)
        if answer["status"] != "success":
            raise ValueError(f"Prometheus answered: {answer.get('error', 'error')}")
        data = answer["data"]
        if data["resultType"] == "scalar":
            return max(_finite(str(data["result"][1])), default=None)
        return max((v for s in data["result"] for v in _finite(str(s["value"][1]))), default=None)
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the answer to an instant query: {error}") from error


def _finite(text: str) -> list[float]:
    try:
        value = float(text)
    except ValueError:
        return []
    return [value] if math.isfinite(value) else []


def predict(
    load: float | None,
    workload: Workload,
    percent: float,
    target: float,
    source: Capacity,
    shadow: float | None = None,
    copied: float | None = None,
) -> Verdict:
    """Return the verdict of the capacity gate on the step from ``percent`` to ``target``.

    - ``load``: the candidate's present load; None if unknown
    - ``shadow``: the shadow sample that a person set; None if the configured sample applies
    - ``copied``: the present sample, which a warm-up raises and a quota lowers; None if it equals ``shadow``
    """
    sample = workload.shadow.sample if shadow is None else shadow
    copied = sample if copied is None else copied
    gate = workload.gates.capacity
    limit = source.limit * (1 - (gate.headroom if gate else 0))
    action = gate.action if gate else GateAction.HOLD.value
    unit = source.metric or "load"
    if load is None:
        message = "the candidate's load is not known: its metrics cannot be read"
        return Verdict("capacity", GateOutcome.INCONCLUSIVE.value, None, limit, unit, 0, action=action, message=message)
    now, then = seen_share(percent, copied), seen_share(target, min(sample, copied))
    if now <= 0:
        message = f"{unit} is {load:.3g} without any request, so the load at {target:g} % cannot be predicted"
        return Verdict("capacity", GateOutcome.INCONCLUSIVE.value, None, limit, unit, 0, action=action, message=message)
    expected = load * then / now
    outcome = GateOutcome.PASS if expected <= limit else GateOutcome.FAIL
    message = f"{unit} {load:.3g} now, {expected:.3g} expected at {target:g} %, limit {limit:.3g}"
    return Verdict("capacity", outcome.value, expected, limit, unit, 1, action=action, message=message)


@dataclass(frozen=True, slots=True)
class _Measurement:
    load: float | None
    at: float


class CandidateLoads:
    """Measures the candidate's load for every workload with a capacity gate, in a task beside the steer loop."""

    def __init__(self, config: Config) -> None:
        self._workloads = {n: w for n, w in config.workloads.items() if w.gates.capacity is not None}
        self._sources = {n: config.backends[w.candidate].capacity for n, w in self._workloads.items()}
        self._measured: dict[str, _Measurement] = {}

    async def run(self) -> None:
        sources = {name: source for name, source in self._sources.items() if source is not None}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            while True:
                loads = await asyncio.gather(*(self._read(session, n, s) for n, s in sources.items()))
                for name, load in zip(sources, loads, strict=True):
                    self._measured[name] = _Measurement(load, time.monotonic())
                await asyncio.sleep(EVERY_S)

    async def _read(self, session: aiohttp.ClientSession, name: str, source: Capacity) -> float | None:
        try:
            if source.metrics is not None:
                page = await _fetch(session, source.metrics, {})
                return gauge_on_page(page.decode(errors="replace"), str(source.metric))
            url = f"{source.prometheus}/api/v1/query"
            return gauge_in_answer(await _fetch(session, url, {"query": str(source.query)}))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.warning("load_unknown", workload=name, reason=error_text_with_type(error))
            return None

    def verdict(
        self, workload: str, percent: float, shadow: float | None = None, copied: float | None = None
    ) -> Verdict | None:
        """Return the capacity verdict on the step after ``percent``.

        Return None if the workload has no capacity gate or if there is no further step.

        ``shadow``, ``copied``: see ``predict``.
        """
        settings = self._workloads.get(workload)
        target = policy_of(settings.ramp).next_step(percent) if settings else None
        if settings is None or target is None:
            return None
        source, last = self._sources[workload], self._measured.get(workload)
        if source is None:
            message = "gates.capacity is set, but the candidate's backend has no capacity section"
            action = GateAction.HOLD.value
            return Verdict(
                "capacity", GateOutcome.INCONCLUSIVE.value, None, None, "", 0, action=action, message=message
            )
        fresh = last is not None and time.monotonic() - last.at < STALE_S
        return predict(last.load if last and fresh else None, settings, percent, target, source, shadow, copied)


async def _fetch(session: aiohttp.ClientSession, url: str, query: dict[str, str]) -> bytes:
    async with session.get(url, params=query) as response:
        if response.status != 200:
            raise ValueError(f"{url} answered {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_PAGE_BYTES:
                raise ValueError(f"{url}: longer than {MAX_PAGE_BYTES} bytes")
        return bytes(body)
