"""Join the cross pair and the noise pair of one request, if each side got a copy of this request.

The candidate's copy and the baseline's copy are sent at the same moment, by the same process, over the same route. So
any difference between a copy and a client's request is the same for both copies, and cancels when they are compared.
See ADR 0260.

One difference remains: the baseline has just seen the prompt in the client's own request. If it caches prefixes of
prompts, the answer to its copy begins earlier than the answer to a first request. So the comparison also gets a second
latency of the baseline's copy, computed as if its first token had come as late as the client's (``as_first``). See ADR
0256.

A copy that reached its time limit counts as a slow answer. If the other side answered the same request in a quarter of
that time, the copy hung, and a client would have left. Then it counts as a failure.

The number of pairs that wait for their counterpart is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.answer_faults import AnswerFault, Grade
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Ending, PairKind, is_failure
from glidepath.sides import Origin
from scorer.steering.evidence.gate_observations import CopiesCompared, CopyAnswer, CopyEnded, PairRef
from scorer.steering.evidence.state_codec import Stored
from scorer.steering.evidence.time_per_token import CHARS_PER_TOKEN

NOISE_SUFFIX = "~noise"  # the end of a noise pair's id, which begins with the cross pair's id (extproc/capture)
MOST_WAITING = 256
_HUNG = 4.0  # a copy has failed if it was given up after more than this many times the other answer's time
_FAILED = frozenset(fault.value for fault in AnswerFault if fault.grade is Grade.FAILED)


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """The facts about the answer to a copy.

    - ``request``: the id of the request
    - ``candidate``: whether the candidate got the copy
    - ``status``: the HTTP status of the answer; 0: none
    - ``failed``: whether this answer would be an error for a client, without regard to the other side's answer
    - ``gave_up``: whether extproc stopped waiting for the copy after its time limit
    - ``streamed``: whether the time of its first token was measured
    - ``total_ms``, ``first_token_ms``, ``tokens``, ``chars``: 0 if unknown
    - ``clients_first_token_ms``: the time to the first token of the baseline's answer to the client; 0 if unknown
    - ``entry``, ``at_ms``: the pair's entry and time of capture, see ``PairRef``
    """

    request: str
    candidate: bool
    status: int
    failed: bool
    gave_up: bool
    total_ms: float
    streamed: bool
    first_token_ms: float
    clients_first_token_ms: float
    tokens: int
    chars: int
    entry: str
    at_ms: int


class CopyMatcher(Stored):
    """Joins the cross pair and the noise pair of one request. If over MOST_WAITING pairs wait, it drops the oldest."""

    _waiting: dict[str, CopyFacts]  # by the id of the request

    def __init__(self) -> None:
        self._waiting = {}

    def add(self, scored: ScoredPair) -> CopiesCompared | None:
        """Add a pair. Return how both copies of its request were answered, once both pairs are known; else None."""
        if not scored.both_copied or scored.candidate.ending is Ending.REFUSED:  # REFUSED: the copy reached no side
            return None
        facts = _facts(scored)
        other = self._waiting.pop(facts.request, None)
        if other is None or other.candidate == facts.candidate:
            self._waiting[facts.request] = facts
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
            return None
        candidate, baseline = (facts, other) if facts.candidate else (other, facts)
        pair = PairRef(candidate.request, candidate.entry, candidate.at_ms)
        own, base = _answer(candidate, baseline), _answer(baseline, candidate)
        return CopiesCompared(own, base, pair, _as_first(baseline, base.ms))


def copy_ended(scored: ScoredPair) -> CopyEnded | None:
    """Return how the candidate's copy ended; None if its end shows nothing about the candidate.

    The end shows nothing if the client's own request failed or did not go to the baseline, or if the copy could not be
    sent. A copy that was given up shows a failure if it hung; otherwise it shows nothing.
    """
    live, copy = scored.baseline, scored.candidate
    served = scored.kind is PairKind.CROSS and live.origin is Origin.LIVE and copy.origin is Origin.SHADOW
    if not served or not 200 <= live.status < 300 or _failed(live) or copy.ending is Ending.REFUSED:
        return None
    if copy.ending is Ending.TIMEOUT:
        return CopyEnded(failed=True) if _hung(copy.total_ms, live.total_ms) else None
    return CopyEnded(_failed(copy) or copy.status >= 400)


def _facts(scored: ScoredPair) -> CopyFacts:
    copy = scored.candidate  # in a noise pair, the baseline's answer to the copy
    gave_up, live = copy.ending is Ending.TIMEOUT, scored.baseline
    own_first = live.origin is Origin.LIVE and live.streamed and not _failed(live)
    return CopyFacts(
        request=scored.pair_id.removesuffix(NOISE_SUFFIX),
        candidate=scored.kind is PairKind.CROSS,
        status=copy.status,
        failed=not gave_up and _failed(copy),
        gave_up=gave_up,
        total_ms=round(copy.total_ms, 2),
        streamed=copy.streamed,
        first_token_ms=round(copy.first_byte_ms, 2) if copy.streamed else 0.0,
        clients_first_token_ms=round(live.first_byte_ms, 2) if own_first else 0.0,
        tokens=copy.output_tokens,
        chars=copy.text_chars,
        entry=scored.entry,
        at_ms=scored.captured_at_ms,
    )


def _failed(copy: AnswerFacts) -> bool:
    broken = copy.ending is not Ending.COMPLETE or is_failure(copy.status)
    return broken or not _FAILED.isdisjoint(copy.faults)


def _answer(facts: CopyFacts, other: CopyFacts) -> CopyAnswer:
    """Return the answer to a copy, as the gates compare it.

    A refusal (4xx) is the client's fault, unless the other side answers the same request.
    """
    refused = 400 <= facts.status < 500 and not other.failed and 200 <= other.status < 300
    other_answered = not other.failed and not other.gave_up and 200 <= other.status < 300
    hung = facts.gave_up and other_answered and _hung(facts.total_ms, other.total_ms)
    failed = facts.failed or hung or (refused and not facts.gave_up)
    answered = not facts.failed and not 400 <= facts.status < 500
    return CopyAnswer(failed, facts.gave_up, _signals(facts, other) if answered else {})


def _as_first(baseline: CopyFacts, ms: Mapping[str, float]) -> dict[str, float]:
    """Return the latencies ``ms`` of the baseline's copy, as if its first token had come as late as the client's."""
    later = baseline.clients_first_token_ms - baseline.first_token_ms
    if not baseline.clients_first_token_ms or not baseline.first_token_ms or baseline.gave_up:
        return {}
    factors = {"per_token": 1 + later / baseline.total_ms}
    return {signal: value * factors[signal] if signal in factors else value + later for signal, value in ms.items()}


def _hung(gave_up_after_ms: float, other_ms: float) -> bool:
    return 0 < other_ms * _HUNG < gave_up_after_ms


def _signals(facts: CopyFacts, other: CopyFacts) -> dict[str, float]:
    """Return the value of each latency signal, in milliseconds. If the copy was given up, a value is a lower bound."""
    found = {"total": facts.total_ms, "ttft": facts.first_token_ms}
    if facts.gave_up and not facts.first_token_ms and other.streamed:
        found["ttft"] = facts.total_ms
    tokens = facts.tokens if facts.tokens and other.tokens else facts.chars / CHARS_PER_TOKEN
    if tokens and not facts.gave_up:
        found["per_token"] = facts.total_ms / tokens
    return {signal: ms for signal, ms in found.items() if ms > 0}
