"""One workload under way: its ramp, evidence, stream cursors and what its Envoys were told. No I/O in here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import replace
from operator import is_
from typing import Any

from glidepath.config import Config, Workload
from glidepath.domain import Origin, Outcomes, ScoredPair, Side, add_counts
from glidepath.errors import InputError
from glidepath.records import Command, Decision, SideStatus, Verdict
from scorer.steering.envoy.observation import Observation, observe
from scorer.steering.envoy.runtime_values import (
    NO_ADMIN_LAYERS,
    NO_WEIGHTS,
    LastWritten,
    RuntimeEntries,
    RuntimeKeys,
    RuntimeValues,
    desired_values,
    last_written_from_json,
    last_written_to_json,
)
from scorer.steering.envoy.runtime_writes import plan_writes
from scorer.steering.interfaces import Evidence, EvidenceKind, require_mapping
from scorer.steering.ramp import shadow_share
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import RampPolicy, frozen_by, policy_of
from scorer.steering.ramp.states import RETREATING, RampState, initial, state_from_json
from scorer.steering.ramp.tick_inputs import TickInputs, new_decision
from scorer.steering.ramp.verdict_checks import failed_guards
from scorer.steering.staggering import turn
from scorer.steering.state_store import News, no_cursors
from scorer.steering.workload.clock_offsets import SourceClocks
from scorer.steering.workload.surroundings import SETTLE_MS, Outlook, begun_later, identity
from scorer.steering.workload.totals import Totals, totals_of

MAX_SOURCES = 64  # extproc processes whose last flush is remembered
JUDGE_MS = 500  # verdicts are computed this often, and at once when the candidate made an error: only those are urgent


class Track:
    """``fold`` the news, then ``decide``; ``writes`` is what the Envoys must be told, ``blob`` what must be kept."""

    def __init__(self, name: str, config: Config, kind: EvidenceKind) -> None:
        self.name = name
        self.workload: Workload = config.workload(name)
        self.policy: RampPolicy = policy_of(self.workload.ramp)
        self.digest = config.digest(name)
        self.names = RuntimeKeys.of(name, self.workload)
        self.cursors: dict[str, str] = no_cursors()
        self.last_written: LastWritten = {}
        self.totals = Totals()
        self.state: RampState
        self.evidence: Evidence
        self.verdicts: tuple[Verdict, ...] = ()
        self.observation = Observation(frozenset(), {})
        self.envoys = 0
        self.facts = TickInputs(workload=name)
        self.problem = ""
        self.dirty = True  # the stored state is no longer this one
        self.changed = True  # nor is the shown status
        self._kind = kind
        self._looked: tuple[Mapping[str, RuntimeEntries | None], RuntimeValues | None, LastWritten] = ({}, None, {})
        self._calm = False
        self._seen: dict[str, int] = {}
        self.clocks = SourceClocks(MAX_SOURCES)
        self.here_ms = 0  # this scorer's clock is ahead of Redis' by so much
        self._judged_ms = 0
        self._urgent = False
        self._settled = -1  # the epoch whose share every Envoy has confirmed
        self._live_errors = 0
        self._unexpected_traffic = 0
        self._admin_layers: Mapping[str, RuntimeEntries | None] = NO_ADMIN_LAYERS
        self.orders: tuple[Command, ...] = ()  # read, and not obeyed yet
        self.began_ms = 0  # when this state began without a former one
        self.alarmed_ms = 0  # when it was said that ticks fail
        backends = {"baseline": self.workload.baseline, "candidate": self.workload.candidate}
        self._sides = {role: identity(b, config.backends[b]) for role, b in backends.items()}
        self._models = {role: config.backends[b].model or b for role, b in backends.items()}
        self._models["embedder"] = f"{config.scorer.embedder.engine}:{config.scorer.embedder.model}"

    def start(self, now_ms: int, *, first_start: bool = False) -> None:
        """Begin where no state is: at the configured share. ``first_start``: nor is one of any other workload."""
        self.state = initial(self.workload.start, self.policy.last, now_ms, self.digest)
        self.state = replace(self.state, first_start=first_start)
        self.evidence = self._fresh(now_ms)

    def disregard(self, answered: str, now_ms: int) -> None:
        """The state is new, the command stream need not be: entries up to ``answered`` were dealt with, and of what
        else was said before ``now_ms`` only a stop or a way back is obeyed (commands.py)."""
        self.cursors["commands"], self.began_ms = answered, now_ms

    def _fresh(self, now_ms: int) -> Evidence:
        """Where the share is not known, clients' own requests are judged, as at a step."""
        percent = self.policy.steps[0] if self.state.share_unknown else self.state.percent
        return self._kind.fresh(self.workload, percent, now_ms)

    def restore(self, blob: Mapping[str, Any], now_ms: int) -> None:
        """Go on from a stored state. Raises InputError for one that cannot be read."""
        try:
            self.state = state_from_json(require_mapping(blob["ramp"]))
            cursors = require_mapping(blob["cursors"])
            self.cursors = {stream: cursors.get(stream, start) for stream, start in no_cursors().items()}
            self.last_written = last_written_from_json(require_mapping(blob["told"]))
            self.totals = totals_of(require_mapping(blob["totals"]))
            self._settled = self.state.epoch  # by the former leader, or too late to tell
            self._seen = dict(require_mapping(blob["seen"]))
            self.began_ms = int(blob.get("began", 0))
            self.clocks.load(require_mapping(blob.get("clocks", {})))
            raw = dict(require_mapping(blob["evidence"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the stored state of {self.name} cannot be read: {error}") from error
        try:
            self.evidence = self._kind.from_json(self.workload, raw)
        except (InputError, LookupError, TypeError, ValueError, AttributeError):
            self.begin_anew(now_ms)  # another version's

    def begin_anew(self, now_ms: int) -> None:
        """Give up evidence that cannot be read, or that a bug is in: the step's proof begins afresh, the step stays.

        Otherwise one bad number would keep the guards silent, and a person's commands unheard, for ever.
        """
        self.state = replace(self.state, since_ms=now_ms, epoch=self.state.epoch + 1)
        self.evidence = self._fresh(now_ms)
        self.verdicts, self._judged_ms = (), 0

    def blob(self, *, with_evidence: bool = True) -> str:
        """What must be kept; evidence that is left out begins afresh."""
        kept = {
            "ramp": self.state.to_json(),
            "evidence": self.evidence.to_json() if with_evidence else {},
            "cursors": self.cursors,
            "told": last_written_to_json(self.last_written),
            "totals": {f.name: getattr(self.totals, f.name) for f in dataclasses.fields(self.totals)},
            "seen": self._seen,
            "began": self.began_ms,
            "clocks": self.clocks.to_json(),
        }
        return json.dumps(kept, separators=(",", ":"))

    @property
    def desired(self) -> RuntimeValues:
        shadow = self.workload.shadow.sample if self.state.shadow_override is None else self.state.shadow_override
        return desired_values(self.state.serving, shadow, self.state.autopilot)

    def fold(self, news: News) -> None:
        """Take in the news. The cursors move first: a record that cannot be folded is met once, not for ever; nor does
        it take a person's commands with it."""
        self.cursors.update(news.cursors)
        self.orders += news.commands
        self.totals.bad_records += news.bad
        self.dirty |= bool(news.commands)
        for outcomes in news.outcomes:
            self.clocks.learn(outcomes.source, outcomes.to_ms, outcomes.arrived_ms)
        for outcomes in news.outcomes:
            ahead = self.clocks.ahead_ms(outcomes.source)
            self._fold_outcomes(outcomes.later(ahead) if ahead else outcomes)
        for scored in news.scored:
            self._fold_scored(scored)

    def _fold_outcomes(self, outcomes: Outcomes) -> None:
        if self._seen.get(outcomes.source, -1) >= outcomes.seq:
            return  # a flush that was sent twice
        self._seen.pop(outcomes.source, None)
        self._seen[outcomes.source] = outcomes.seq
        while len(self._seen) > MAX_SOURCES:
            self._seen.pop(next(iter(self._seen)))
        if outcomes.coverage:
            self.totals.coverage = add_counts(self.totals.coverage, outcomes.coverage)
        self._urgent |= any(s.errors for s in outcomes.sides if s.side is Side.CANDIDATE)
        live = [s for s in outcomes.sides if s.side is Side.CANDIDATE and s.origin is Origin.LIVE and s.requests]
        if live:
            self.totals.live_ms = max(self.totals.live_ms, outcomes.to_ms)
            if self.state.percent <= 0 and not self.state.share_unknown and self.state.drill is None:
                self._unexpected_traffic += begun_later(live, outcomes.from_ms, self.state.since_ms)
        if self.state.drill is not None:
            self._live_errors += sum(s.errors for s in live)
            return  # what a drill takes away and gives back says nothing about the step
        if outcomes.from_ms < self.state.since_ms:
            self.totals.left_out += sum(s.requests for s in outcomes.sides)
            return
        self.evidence = self.evidence.fold_outcomes(outcomes)

    def _fold_scored(self, scored: ScoredPair) -> None:
        self.totals.scorer = scored.scorer or self.totals.scorer
        if scored.scored:
            self.totals.pairs_scored += 1
        else:
            self.totals.pairs_unscored = add_counts(self.totals.pairs_unscored, {scored.unscored_reason: 1})
        probe = scored.baseline.origin is Origin.PROBE
        if probe and self.policy.next_step(self.state.percent) is not None:
            return  # the same few questions again and again must not help a step to be taken
        ahead = self.clocks.least_ms()
        if scored.captured_at_ms + ahead < self.state.since_ms:
            self.totals.left_out += 1
            return
        at_ms = scored.captured_at_ms + ahead  # scored_at_ms is by one more clock
        self.evidence = self.evidence.fold_scored(replace(scored, captured_at_ms=at_ms, scored_at_ms=at_ms))

    def decide(
        self, readings: Mapping[str, RuntimeEntries | None], outlook: Outlook, now_ms: int
    ) -> tuple[Decision, ...]:
        """One tick of the ramp; afterwards ``state``, ``told`` and ``dirty`` say what is to be written."""
        self._judge(now_ms)
        before, told_before, wanted = self.state, self.last_written, self.desired
        self._admin_layers = outlook.admin_layers
        unknown_envoys = self._unknown_envoys(outlook.unknown_weights) if before.first_start else ()
        confirmed_before = self.observation.confirmed
        if not self._as_seen(readings, wanted):
            self._look(readings, wanted, outlook)
        self.envoys = len(readings) + len(self.observation.hiding_layers)
        self._settle(now_ms)
        self.facts, self.orders = self._facts(outlook, unknown_envoys, now_ms), ()
        self.state, decisions = advance(self.state, self.facts, self.policy, now_ms)
        configured = self.workload.shadow.sample
        self.state, extra = shadow_share.adopt_shadow_share(
            self.state, self.facts, self.observation, configured, now_ms
        )
        if self.state.epoch != before.epoch:
            self.evidence = self._fresh(now_ms)
            self.verdicts, self._judged_ms, self._unexpected_traffic = (), 0, 0
        if self.desired != wanted:
            self.observation = replace(self.observation, confirmed=frozenset())
        if self.state.drill is None or before.drill is None:
            self._live_errors = 0
        self.dirty |= (
            (self.state is not before and self.state != before) or self.last_written != told_before or bool(decisions)
        )
        self.changed |= self.dirty or self.observation.confirmed != confirmed_before
        return tuple(self._stamp(d) for d in (*decisions, *extra, *self._restarts(now_ms)))

    def _settle(self, now_ms: int) -> None:
        """A step's evidence begins once every Envoy runs its share: what came before was split by the old weights.

        Until then guards use what there is, and for good where an Envoy does not confirm in time.
        """
        if self._settled == self.state.epoch or not 0 < self.envoys <= len(self.observation.confirmed):
            return
        self._settled = self.state.epoch
        if now_ms - self.state.since_ms <= SETTLE_MS and self.state.drill is None and not failed_guards(self.verdicts):
            self.totals.left_out += self.evidence.requests()
            self.state = replace(self.state, since_ms=now_ms)
            self.evidence = self._fresh(now_ms)
            self.verdicts, self._judged_ms = (), 0

    def _as_seen(self, readings: Mapping[str, RuntimeEntries | None], wanted: RuntimeValues) -> bool:
        """Whether nothing can have changed since a look that asked for nothing: the usual case, and a cheap one."""
        before, desired, told = self._looked
        shown = self._shown(readings)
        return (
            self._calm
            and desired == wanted
            and told is self.last_written
            and before.keys() == shown.keys()
            and all(map(is_, map(before.__getitem__, shown), shown.values()))
        )

    def _shown(self, readings: Mapping[str, RuntimeEntries | None]) -> Mapping[str, RuntimeEntries | None]:
        return {**readings, **self._admin_layers} if self._admin_layers else readings

    def _look(self, readings: Mapping[str, RuntimeEntries | None], wanted: RuntimeValues, outlook: Outlook) -> None:
        self.observation = observe(
            self.names,
            wanted,
            readings,
            self.last_written,
            admin_layers=self._admin_layers,
            retreating=self.state.phase in RETREATING,
            stale=outlook.stale,
        )
        self.last_written = self.observation.last_written
        self._calm = False

    def writes(self, readings: Mapping[str, RuntimeEntries | None]) -> Mapping[str, RuntimeEntries]:
        """What to tell which Envoy now; remembered in ``told``, which must be stored before it is sent."""
        if self.state.state_lost or self._as_seen(readings, self.desired):
            return {}
        confirmed = 0 < len(readings) <= len(self.observation.confirmed)
        planned = plan_writes(
            self.names, self.desired, readings, self.last_written, admin_layers=self._admin_layers, confirmed=confirmed
        )
        self.dirty |= planned.last_written != self.last_written
        self.last_written = planned.last_written
        seen = self.observation
        news = (
            (seen.adopted, seen.autopilot, seen.shadow) != (None, None, None) or seen.restarted or seen.invalid_override
        )
        self._calm = not planned.writes and not news and not seen.shadow_reset and not seen.admin_layer_used
        self._looked = (dict(self._shown(readings)), self.desired, self.last_written)
        return planned.writes

    def _judge(self, now_ms: int) -> None:
        if self._urgent or turn(self.name, now_ms, JUDGE_MS) != turn(self.name, self._judged_ms, JUDGE_MS):
            self.verdicts = self.evidence.verdicts(now_ms)
            self._judged_ms, self._urgent = now_ms, False

    def _facts(self, outlook: Outlook, unknown_envoys: tuple[str, ...], now_ms: int) -> TickInputs:
        seen = self.observation
        return TickInputs(
            workload=self.name,
            verdicts=self.verdicts,
            samples=self.evidence.requests(),
            commands=self.orders,
            state_began_ms=self.began_ms,
            confirmed=len(seen.confirmed),
            envoys=self.envoys,
            adopted=seen.adopted,
            adopted_at=seen.adopted_at,
            ambiguous_weights=seen.ambiguous_weights,
            invalid_override=seen.invalid_override,
            autopilot=seen.autopilot,
            frozen=frozen_by(self.workload.ramp.freeze, now_ms),
            waiting_for=outlook.waiting_for,
            capacity=outlook.capacity,
            config_digest=self.digest,
            baseline=self._sides["baseline"],
            candidate=self._sides["candidate"],
            unknown_envoys=unknown_envoys,
            live_ms=self.totals.live_ms,
            live_errors=self._live_errors,
            unexpected_traffic=self._unexpected_traffic
            if 0 < self.envoys <= len(seen.confirmed)
            else 0,  # else the news travels
        )

    def _unknown_envoys(self, unknown_weights: frozenset[str]) -> tuple[str, ...]:
        """Those that we never told anything; a second stream of an Envoy has its name with a number."""
        if not unknown_weights:
            return ()
        known = {
            envoy.partition("#")[0] for envoy, possible in self.last_written.items() if set(possible) - {NO_WEIGHTS}
        }
        return tuple(sorted(e for e in unknown_weights if e.partition("#")[0] not in known))

    @property
    def skew(self) -> tuple[str, int]:
        """Whose clock is farthest from Redis', and how many milliseconds it is ahead of it."""
        return self.clocks.worst(self.here_ms)

    def sides(self) -> tuple[SideStatus, SideStatus]:
        return self.evidence.sides()

    def _restarts(self, now_ms: int) -> tuple[Decision, ...]:
        names = self.observation.restarted
        if not names:
            return ()
        reason = f"{', '.join(names)}: no weights there any more (restarted); written again"
        details = {"envoys": list(names)}
        return (
            new_decision(
                "restore_weights", self.state, self.state, self.facts, now_ms, reason, "restart", details=details
            ),
        )

    def _stamp(self, decision: Decision) -> Decision:
        models = {**self._models, **({"scorer": self.totals.scorer} if self.totals.scorer else {})}
        return replace(decision, model_versions=models)
