"""Reads the status of all workloads from Redis, for ``glidepath status`` and the console."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from glidepath import redis_keys, scorer_groups
from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.redisio import RedisClient
from glidepath.scorer_groups import GroupProblem
from glidepath.status_and_decisions import WorkloadStatus
from glidepath.unseen_log_entries import UnseenRecord
from glidepath_ops.cli.evaluator_status import evaluator_lines
from glidepath_ops.cli.status_details import ejection_line, examples_of
from glidepath_ops.cli.steering_client import read_status
from glidepath_ops.pairs.read_pairs import newest_results
from scorer.steering.planning.unprovable_limits import judging_note

STALE_S = 10.0  # a status that is older than this is not current
SEARCHED_RESULTS = 2000  # in which an example of each kind of error is searched


@dataclass(slots=True)
class FleetReading:
    """The status of all workloads. Each mapping is by workload.

    - ``examples``: "SIDE ORIGIN KIND" → the id of a pair with such an error
    - ``model``: the configured embedding model
    - ``baselines``: the name of the baseline's backend
    - ``troubles``: why the scorer group does not steer the workload
    - ``about_judging``: lines on the evaluator, the verifier and Envoy's outlier detection
    """

    model: str = ""
    statuses: dict[str, WorkloadStatus | None] = field(default_factory=dict)
    baselines: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, GroupProblem] = field(default_factory=dict)
    examples: dict[str, dict[str, str]] = field(default_factory=dict)
    about_judging: dict[str, list[str]] = field(default_factory=dict)
    unseen: list[UnseenRecord] = field(default_factory=list)

    def records(self) -> dict[str, dict[str, Any] | None]:
        """Return the statuses as JSON objects, each with its examples of errors."""
        return {name: self._record(name, status) for name, status in self.statuses.items()}

    def _record(self, name: str, status: WorkloadStatus | None) -> dict[str, Any] | None:
        return {**asdict(status), "error_examples": dict(self.examples.get(name, {}))} if status else None


async def read_fleet(settings: Config, redis: RedisClient, names: list[str], *, details: bool) -> FleetReading:
    """Read the status of the workloads ``names``. Raises RedisError, OSError or InputError.

    ``details``: whether to also find an example for each kind of error, and the lines ``about_judging``. This reads
    SEARCHED_RESULTS results of each workload.
    """
    baselines = {name: settings.workload(name).baseline for name in names}
    read = FleetReading(model=settings.scorer.embedder.model, baselines=baselines)
    group = settings.scorer.group
    leader, holders = await scorer_groups.leader(redis, group), await scorer_groups.last_steering(redis, names)
    troubles = {name: scorer_groups.group_problem(name, group, leader, holder) for name, holder in holders.items()}
    read.troubles = {name: trouble for name, trouble in troubles.items() if trouble}
    if (raw := await redis.get(redis_keys.UNSEEN_ENTRIES)) is not None:
        read.unseen.append(UnseenRecord.from_json(raw))
    for name in names:
        read.statuses[name] = status = await read_status(redis, name)
        if details:
            note = judging_note(settings.workload(name))
            about_evaluator = await evaluator_lines(settings, redis, name, unix_ms())
            notes = [f"note: {note}"] if note else []
            read.about_judging[name] = [*about_evaluator, *notes, *ejection_line(settings, name)]
            if status is not None and status.error_kinds:
                recent = [result async for result in newest_results(redis, name, SEARCHED_RESULTS)]
                read.examples[name] = examples_of(status.error_kinds, recent)
    return read
