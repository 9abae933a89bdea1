"""The facts for the report. They are read once, and the report is made from them without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from glidepath.config import Config, Workload
from glidepath.config.backends import Backend
from glidepath.history import HistoryPoint
from glidepath.movable_share import MovableShare
from glidepath.pair_scores import ScoredPair
from glidepath.pricing.money_summary import MoneySummary, WorkloadMoney
from glidepath.status_and_decisions import Decision, WorkloadStatus


@dataclass(frozen=True, slots=True)
class Stored:
    """The number of records of a workload in Redis.

    ``oldest_ms``: when the oldest pair was stored; None without pairs.
    ``served``: requests whose side is remembered for feedback.
    ``feedback``: requests with feedback that can be shown.
    """

    pairs: int = 0
    results: int = 0
    outcomes: int = 0
    kept: int = 0
    labels: int = 0
    decisions: int = 0
    served: int = 0
    feedback: int = 0
    oldest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """The facts about a workload.

    - ``decisions``, ``points``: the decisions and the periods of the history since the start of the report, oldest
      first
    - ``results``: pair id → result, for the pairs that decisions name; empty unless the configuration keeps excerpts
    - ``movable``: None if it is not known yet
    - ``ramp_s``: the median time of the rest of the ramp, in seconds; None if unknown
    - ``no_ramp``: why ``ramp_s`` is unknown
    """

    name: str
    workload: Workload
    baseline: Backend
    candidate: Backend
    status: WorkloadStatus | None
    decisions: Sequence[Decision] = ()
    points: Sequence[HistoryPoint] = ()
    results: Mapping[str, ScoredPair] = field(default_factory=dict)
    stored: Stored = field(default_factory=Stored)
    movable: MovableShare | None = None
    ramp_s: float | None = None
    no_ramp: str = ""


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """All facts for the report.

    ``since_ms``: the start of the report's time; 0: all stored data. ``demo``: whether the traffic is the demo's.
    """

    config: Config
    version: str
    now_ms: int
    since_ms: int
    workloads: Sequence[WorkloadFacts]
    money: MoneySummary
    demo: bool = False

    def money_of(self, name: str) -> WorkloadMoney | None:
        return next((one for one in self.money.workloads if one.costs.workload == name), None)

    def pair_link(self, workload: str, pair_id: str) -> str:
        """Return the URL of a pair in the console, or "" if the console listens on no TCP port."""
        listen = self.config.console.listen
        if listen.startswith("unix:"):
            return ""
        return f"http://{listen}/workloads/{quote(workload)}/pair?id={quote(pair_id, safe='')}"


def host_of(backend: Backend) -> str:
    """Return the host of a backend without secrets that its URL may contain, or the name of its cluster."""
    if backend.url is None:
        return f"cluster {backend.cluster} ({backend.host})"
    parts = urlsplit(backend.url)
    return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"


def hardware_text(backend: Backend) -> str:
    return {"own": "own hardware", "provider": "the provider's hardware", None: "not declared"}[backend.hardware]
