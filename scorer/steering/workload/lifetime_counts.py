"""The counts of one workload's requests, pairs and bad records over all steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from glidepath.answer_contract import with_contract
from glidepath.feedback import Feedback
from glidepath.movable_share import COPIES
from glidepath.outcome_summaries import Outcomes, SideOutcomes, add_counts
from glidepath.pair_scores import Preference, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from scorer.steering.candidate_activity import CandidateActivity
from scorer.steering.stored_fields import dataclass_fields

MOST_LANGUAGES = 30


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts since the workload's first step.

    - ``languages``: language (ISO 639) → the number of scored pairs in it; at most MOST_LANGUAGES, the rest as "other"
    - ``pairs_apart``: "noise" or "probe" → the number of scored pairs of this kind, which are not a captured exchange
      with a copy
    - ``pairs_unscored``: reason → the number of pairs that were not scored for this reason
    - ``coverage``: result of the capture → the number of exchanges with this result
    - ``local_replies``: "AT_FAULT KIND" → the number of clients' requests that Envoy itself answered in this way
    - ``error_kinds``: "SIDE ORIGIN KIND" → the number of requests that failed at the side in this way
    - ``instruments``: "INSTRUMENT OUTCOME" → the number of pairs for which the evaluator or the verifier had this
      result, or gave no result for this reason
    - ``feedback``: result of matching feedback with its request (FeedbackMatch) → the number of messages with this
      result
    - ``live_answers``: "SIDE requests" → clients' requests that reached the side; "SIDE checked" → how many of their
      captured answers were checked for defects; "SIDE refused" → how many got a 4xx that is not an error of a side;
      "candidate copies" → the copies that reached the candidate
    - ``contract``: "PART compared", "PART different" → the number of pairs in which the two sides could be compared in
      this part of an answer, and of those in which they differ (glidepath/answer_contract.py)
    - ``bad_records``: the number of stream entries that could not be decoded
    - ``left_out``: the number of requests and pairs from before a step that were read after the step had begun
    - ``other_configuration``: the number of requests and pairs that an Envoy served by another configuration
    - ``scorer``: the version of the scorer that scored the latest pair
    - ``live_ms``: the end of the latest flush in which a client's request reached the candidate
    - ``busy_since_ms``, ``busy_ms``: the candidate's latest period with requests, see CandidateActivity
    """

    pairs_scored: int = 0
    pairs_unscored: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, int] = field(default_factory=dict)
    local_replies: Mapping[str, int] = field(default_factory=dict)
    error_kinds: Mapping[str, int] = field(default_factory=dict)
    live_answers: Mapping[str, int] = field(default_factory=dict)
    bad_records: int = 0
    left_out: int = 0
    other_configuration: int = 0
    scorer: str = ""
    live_ms: int = 0
    instruments: Mapping[str, int] = field(default_factory=dict)
    feedback: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    pairs_apart: Mapping[str, int] = field(default_factory=dict)
    contract: Mapping[str, int] = field(default_factory=dict)
    busy_since_ms: int = 0
    busy_ms: int = 0

    @property
    def activity(self) -> CandidateActivity:
        return CandidateActivity(self.busy_since_ms, self.busy_ms)

    def with_flush(self, flush: Outcomes, left_out: int, live_ms: int, idle_ms: int = 0) -> Totals:
        """Return the totals with a flush added. ``idle_ms``: see CandidateActivity.

        ``left_out``: how many requests of the flush are not evidence about the present step. ``live_ms``: the end of
        the flush if a client's request reached the candidate in it, else 0.
        """
        failed = any(side.error_kinds for side in flush.sides)
        live = any(side.requests and (side.origin is Origin.LIVE or _is_copied(side)) for side in flush.sides)
        busy = any(side.side is Side.CANDIDATE and side.requests for side in flush.sides)
        if not (flush.coverage or flush.local_replies or failed or live or busy or left_out or live_ms > self.live_ms):
            return self
        activity = self.activity.after(flush.to_ms, idle_ms) if busy else self.activity
        return Totals(
            self.pairs_scored,
            self.pairs_unscored,
            add_counts(self.coverage, flush.coverage) if flush.coverage else self.coverage,
            _with_local_replies(self.local_replies, flush) if flush.local_replies else self.local_replies,
            _with_error_kinds(self.error_kinds, flush) if failed else self.error_kinds,
            _with_live_answers(self.live_answers, flush) if live else self.live_answers,
            self.bad_records,
            self.left_out + left_out,
            self.other_configuration,
            self.scorer,
            max(self.live_ms, live_ms),
            self.instruments,
            self.feedback,
            self.languages,
            self.pairs_apart,
            self.contract,
            activity.since_ms,
            activity.last_ms,
        )

    def with_pair(self, pair: ScoredPair) -> Totals:
        scorer, contract = pair.scorer or self.scorer, with_contract(self.contract, pair)
        if pair.scored:
            instruments = _with_instruments(self.instruments, pair)
            languages = _with_language(self.languages, pair.language)
            return replace(
                self,
                scorer=scorer,
                pairs_scored=self.pairs_scored + 1,
                pairs_apart=_with_pair_apart(self.pairs_apart, pair),
                instruments=instruments,
                languages=languages,
                contract=contract,
            )
        if pair.uncompared:  # ``coverage`` counts its exchange
            return replace(self, contract=contract) if contract is not self.contract else self
        unscored = add_counts(self.pairs_unscored, {pair.unscored_reason: 1})
        return replace(self, scorer=scorer, pairs_unscored=unscored, contract=contract)

    def with_feedback(self, feedback: Feedback) -> Totals:
        return replace(self, feedback=add_counts(self.feedback, {feedback.match.value: 1}))

    def with_bad_records(self, count: int) -> Totals:
        return replace(self, bad_records=self.bad_records + count) if count else self

    def with_other_configuration(self, count: int) -> Totals:
        return replace(self, other_configuration=self.other_configuration + count) if count else self

    def with_left_out(self, count: int) -> Totals:
        return replace(self, left_out=self.left_out + count)

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, raw: object) -> Totals:
        """Parse the result of ``to_json``. Raises InputError for a missing or unknown field."""
        known = {**_NEWER, **raw} if isinstance(raw, dict) else raw
        return cls(**dataclass_fields(cls, known, "totals"))


_NEWER: Mapping[str, Any] = {  # fields that an older scorer does not store
    "contract": {},
    "busy_since_ms": 0,
    "busy_ms": 0,
}


def _with_pair_apart(before: Mapping[str, int], pair: ScoredPair) -> Mapping[str, int]:
    if pair.baseline.origin is Origin.PROBE:
        return add_counts(before, {Origin.PROBE.value: 1})
    return add_counts(before, {PairKind.NOISE.value: 1}) if pair.kind is PairKind.NOISE else before


def _with_instruments(before: Mapping[str, int], pair: ScoredPair) -> Mapping[str, int]:
    outcomes = (
        ("evaluator", _judged(pair) if pair.preference is not None else pair.unjudged),
        ("verifier", "verified" if pair.correctness is not None else pair.unverified),
    )
    found = {f"{name} {outcome}": 1 for name, outcome in outcomes if outcome}
    return add_counts(before, found) if found else before


def _judged(pair: ScoredPair) -> str:
    if pair.preference is Preference.INCONSISTENT:
        return pair.preference.value
    return pair.unjudged or "judged"  # EQUAL: without a question


def _with_language(before: Mapping[str, int], language: str) -> Mapping[str, int]:
    if not language:
        return before
    known = language in before or len(before) < MOST_LANGUAGES
    return add_counts(before, {language if known else "other": 1})


def _with_local_replies(before: Mapping[str, int], flush: Outcomes) -> Mapping[str, int]:
    counts = before
    for reply in flush.local_replies:
        if reply.origin is Origin.LIVE:
            counts = add_counts(counts, {f"{reply.at_fault.value} {kind}": n for kind, n in reply.kinds.items()})
    return counts


def _with_live_answers(before: Mapping[str, int], flush: Outcomes) -> Mapping[str, int]:
    counts = dict(before)
    for side in flush.sides:
        if side.origin is Origin.LIVE:
            for what, number in (("requests", side.requests), ("checked", side.checked)):
                name = f"{side.side.value} {what}"
                counts[name] = counts.get(name, 0) + number
            if side.refused:
                name = f"{side.side.value} refused"
                counts[name] = counts.get(name, 0) + side.refused
        elif _is_copied(side):
            counts[COPIES] = counts.get(COPIES, 0) + side.requests
    return counts


def _is_copied(side: SideOutcomes) -> bool:
    return side.side is Side.CANDIDATE and side.origin is Origin.SHADOW


def _with_error_kinds(before: Mapping[str, int], flush: Outcomes) -> Mapping[str, int]:
    counts = before
    for side in flush.sides:
        place = f"{side.side.value} {side.origin.value}"
        counts = add_counts(counts, {f"{place} {kind}": n for kind, n in side.error_kinds.items()})
    return counts
