"""The result of scoring one pair.

The fields ``*_at_ms`` are times in Unix milliseconds, all other fields ``*_ms`` are durations in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from glidepath.pairs import Ending, PairKind, is_failure
from glidepath.sides import Origin

# A measure among the signals of a pair: 1 if both answers make the same tool calls with equal arguments, else 0.
EXACT_CALL = "exact_call"
EQUAL = "equal"  # the answers have the same text, so the preference is a tie without a question
DIVERGED_AT = 0.5  # a signal has diverged in a pair if its divergence is at least this value
MIN_NOISE_PAIRS = 30  # with fewer noise pairs, it counts as unknown how much the baseline varies


class Preference(StrEnum):
    """The evaluator's preference for one answer of a pair.

    ``score`` is 1 for the candidate's, 1/2 for neither, and 0 for the baseline's. The evaluator is asked twice, with
    the answers in both orders.
    """

    WIN = "win"  # it prefers the candidate's answer
    TIE = "tie"
    LOSS = "loss"  # it prefers the baseline's answer
    INCONSISTENT = "inconsistent"  # its choice depends on the order of the answers, which counts as a tie
    FORFEIT = "forfeit"  # it prefers the candidate's answer, which addresses its judge: this counts as a loss
    WITHHELD = "withheld"  # it prefers the baseline's answer, which addresses its judge: this counts as a tie

    @property
    def score(self) -> float:
        return _PREFERENCE_SCORES.get(self, 0.5)


_PREFERENCE_SCORES = {Preference.WIN: 1.0, Preference.LOSS: 0.0, Preference.FORFEIT: 0.0}


@dataclass(frozen=True, slots=True)
class Correctness:
    """The verifier's numbers for a pair: how correct each answer is, from 0 (wrong) to 1 (right)."""

    baseline: float
    candidate: float


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """The measurements of one answer that are kept with its score.

    The only text of the answer is ``excerpt``, which is empty by default. ``faults`` are values of
    ``glidepath.answer_faults.AnswerFault``.
    """

    origin: Origin = Origin.LIVE
    backend: str = ""
    status: int = 0
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    text_chars: int = 0
    finish_reason: str = ""
    failed_over: bool = False
    excerpt: str = ""
    faults: tuple[str, ...] = ()
    ending: Ending = Ending.COMPLETE
    streamed: bool = False  # sent piece by piece


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """The result of scoring one pair.

    If ``scored`` is true, ``agreement`` is between 0 and 1. Otherwise ``unscored_reason`` gives the reason.
    ``preference`` is None if the evaluator has not judged the pair, and ``correctness`` is None if the verifier has not
    judged it. If it was due to be judged, ``unjudged`` or ``unverified`` gives the reason, such as "timeout" or
    "budget". ``unjudged`` is EQUAL if the evaluator was not asked and the preference is a tie. ``entry`` is the id of
    the pair's entry in the stream of pairs. The reader of the stream of results takes it from the result's entry.
    ``language`` is the language (ISO 639) of the baseline's answer if it is free text, and "" if it is unknown.
    """

    pair_id: str
    workload: str
    kind: PairKind
    captured_at_ms: int
    scored_at_ms: int
    scored: bool
    unscored_reason: str = ""
    agreement: float = 0.0
    flags: tuple[str, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    baseline: AnswerFacts = field(default_factory=AnswerFacts)
    candidate: AnswerFacts = field(default_factory=AnswerFacts)
    sticky: str = ""
    scorer: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    served: str = ""  # of the pair
    weights: str = ""  # the digest of the weights of the agreement (glidepath/agreement_weights.py); "" if unknown
    preference: Preference | None = None
    correctness: Correctness | None = None
    unjudged: str = ""
    unverified: str = ""
    language: str = ""
    both_copied: bool = False  # of the pair
    traceparent: str = ""  # of the pair
    entry: str = ""

    @property
    def uncompared(self) -> bool:
        """Whether the pair only shows how its requests ended, because the client's answer or the copy's answer failed.

        Its answers cannot be compared, and coverage counts its exchange as one without a pair. Only requests that the
        baseline served have such pairs.
        """
        if self.scored or self.baseline.origin is not Origin.LIVE:
            return False
        live, copy = self.baseline, self.candidate
        return not 200 <= live.status < 400 or copy.ending is not Ending.COMPLETE or is_failure(copy.status)
