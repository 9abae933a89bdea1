"""The types of observation that gates subscribe to, such as ended requests or a scored pair. See ADR 0134."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import add, attrgetter, sub

from glidepath.histogram import Histogram
from glidepath.pair_scores import Correctness, Preference


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """The numbers of both sides' requests in a flush, a block or a step. ``+`` and ``-`` work field by field.

    ``c_`` stands for the candidate and ``b_`` for the baseline; ``n`` means requests. Requests that the client itself
    ended are left out. A rescue is a candidate request that failed and was then sent to the baseline. It counts as a
    request and an error of the candidate.
    """

    c_n: int = 0
    c_errors: int = 0
    c_unreachable: int = 0  # the candidate's errors with a kind in UNREACHABLE_KINDS
    b_n: int = 0
    b_errors: int = 0
    rescued: int = 0  # the candidate's errors after which the baseline answered
    rescues_failed: int = 0  # the candidate's errors after which the baseline failed too
    failed_at_both: int = 0  # of these, the ones that the baseline itself answered with an error

    def __add__(self, other: RequestCounts) -> RequestCounts:
        return RequestCounts(*map(add, _values(self), _values(other)))

    def __sub__(self, earlier: RequestCounts) -> RequestCounts:
        return RequestCounts(*map(sub, _values(self), _values(earlier)))

    @property
    def rescues(self) -> int:
        return self.rescued + self.rescues_failed


NO_REQUESTS = RequestCounts()
_values = attrgetter(*(field.name for field in fields(RequestCounts)))


@dataclass(frozen=True, slots=True)
class BaselineCopies:
    """The baseline's copies of requests whose client got an answer, and how many of these copies failed.

    ``candidates_``: of requests that the candidate answered. ``own_``: of requests that the baseline answered.
    """

    candidates_n: int = 0
    candidates_failed: int = 0
    own_n: int = 0
    own_failed: int = 0

    def __add__(self, other: BaselineCopies) -> BaselineCopies:
        return BaselineCopies(*map(add, _copies(self), _copies(other)))

    def __sub__(self, earlier: BaselineCopies) -> BaselineCopies:
        return BaselineCopies(*map(sub, _copies(self), _copies(earlier)))


NO_COPIES = BaselineCopies()


@dataclass(frozen=True, slots=True)
class ByCopies:
    """The candidate is compared with the baseline's copies of its requests.

    ``share``: the candidate's recent share of its requests and these copies together. ``rate``: the copies' recent
    error rate. Both are from before the requests that are compared.
    """

    share: float
    rate: float


_copies = attrgetter(*(field.name for field in fields(BaselineCopies)))


@dataclass(frozen=True, slots=True)
class RequestsEnded:
    """The counts of requests that ended at about the same time.

    ``in_bursts``: the requests and errors that the burst discount leaves out of ``counts``. A number is negative if
    errors count now that were left out before.
    ``copies``: the baseline's copies that were reported with these requests.
    """

    counts: RequestCounts
    in_bursts: RequestCounts = NO_REQUESTS
    copies: BaselineCopies = NO_COPIES

    @property
    def own_errors(self) -> float:
        """The candidate's errors in ``counts``, without the part of them that the baseline answered with an error."""
        errors, failed_too = self.counts.c_errors, self.counts.failed_at_both
        if not failed_too or not errors:
            return errors
        return errors * max(0.0, 1 - failed_too / max(1, errors + self.in_bursts.c_errors))


@dataclass(frozen=True, slots=True)
class EnvoyFailures:
    """The clients' requests in a flush, and how many of them Envoy itself failed, for each side that the split chose.

    ``c_`` stands for the candidate and ``b_`` for the baseline; ``n`` includes the failed requests. ``unknown`` is the
    number of failed requests whose side is unknown.
    """

    c_n: int
    c_failed: int
    b_n: int
    b_failed: int
    unknown: int
    since_step_ms: int  # from the beginning of the step to the end of the flush

    @property
    def n(self) -> int:
        return self.c_n + self.b_n + self.unknown

    @property
    def failed(self) -> int:
        return self.c_failed + self.b_failed + self.unknown


@dataclass(frozen=True, slots=True)
class SideWaits:
    """The waiting times of the clients of one side in one flush, in milliseconds.

    - ``answered``: until the first token of streamed answers; if there are none, until the end of the answers
    - ``unanswered``: until they left without an answer
    - ``requests``: the number of requests that were not ended by their client
    """

    answered: Histogram
    unanswered: Histogram
    requests: int


@dataclass(frozen=True, slots=True)
class ClientsWaited:
    """The waiting times of the clients of both sides in one flush."""

    candidate: SideWaits
    baseline: SideWaits


@dataclass(frozen=True, slots=True)
class BlockClosed(RequestsEnded):
    """The counts of a complete block, which consists of both sides' requests that ended within a short time.

    ``by_copies``: with what the candidate is compared, as of the beginning of the block
    """

    by_copies: ByCopies | None = None


@dataclass(frozen=True, slots=True)
class LatencyHistograms:
    """Both sides' values of one latency signal, in milliseconds, for requests that ended at about the same time.

    ``at_ms``: that time; 0 if it is unknown.
    """

    signal: str
    candidate: Histogram
    baseline: Histogram
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class LatencyUnmeasured:
    """The numbers of the candidate's answers without a value of a latency signal, and with an estimated value."""

    signal: str
    without: int = 0
    estimated: int = 0


@dataclass(frozen=True, slots=True)
class LookDue:
    """The notice that the latency gates are due for evaluation.

    ``everything``: whether gates with few new samples are evaluated too.
    """

    everything: bool = False


@dataclass(frozen=True, slots=True)
class PairRef:
    """The reference to a pair: its id, the id of its entry in the stream of pairs, and when it was captured."""

    id: str
    entry: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class AgreementScored:
    """The agreement of a cross pair, which has one answer of each side to the same request.

    ``pair``: which pair it is; None if unknown, as in a file given to ``judge``. The same holds for the other
    observations on pairs.

    ``comparable``: whether a gate may compare this pair with noise pairs that were not matched with a cross pair. This
    is allowed if the cross pair and the noise pairs come from the same kind of requests.
    """

    agreement: float
    comparable: bool = True
    pair: PairRef | None = None


@dataclass(frozen=True, slots=True)
class NoiseScored:
    """The agreement of a noise pair, which has two answers of the baseline to the same request."""

    agreement: float


@dataclass(frozen=True, slots=True)
class PairsMatched:
    """A cross pair and the noise pair that was matched with it: the agreement of each.

    ``events``: a gate's name → whether the event that this gate counts occurred in the noise pair
    """

    agreement: float
    noise: float
    events: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class PairCompared:
    """The result of comparing the two answers of one cross pair or noise pair.

    - ``labels``: the classes of the answers. The key ``expected`` has the baseline's class, ``got`` the other answer's.
    - ``signals``: for each fact, how much it differs between the answers, from 0 to 1
    - ``noise``: whether this is a noise pair
    - ``comparable``: whether gates may compare this cross pair with noise pairs
    """

    labels: Mapping[str, str]
    signals: Mapping[str, float]
    noise: bool = False
    comparable: bool = True
    pair: PairRef | None = None


@dataclass(frozen=True, slots=True)
class AnswersJudged:
    """The kinds of defect that each answer of one cross pair has by itself. Both answers are usable."""

    candidate: tuple[str, ...]
    baseline: tuple[str, ...]
    pair: PairRef | None = None


@dataclass(frozen=True, slots=True)
class CopyAnswer:
    """A side's answer to its copy of a request."""

    failed: bool
    gave_up: bool
    ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CopiesCompared:
    """Both sides' answers to their copies of one request. Both copies were sent at the same moment.

    ``as_first``: latency signal → the latency of the baseline's copy, in milliseconds, computed as if its first token
    had come as late as the client's (paired_copies.py). The baseline may have the prompt in its cache when it gets the
    copy. A signal is left out if the time of the client's first token is unknown.
    """

    candidate: CopyAnswer
    baseline: CopyAnswer
    pair: PairRef | None = None
    as_first: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CopyEnded:
    """The end of the candidate's copy of a request. The baseline answered the client's request without a failure."""

    failed: bool


@dataclass(frozen=True, slots=True)
class PreferenceGiven:
    """The evaluator's preference on one cross pair.

    ``score``: 1 if the evaluator prefers the candidate's answer, 0 if the baseline's, 1/2 if neither. ``verdict``: how
    the score came about; None if unknown. ``equal``: whether the evaluator was not asked, because the answers have the
    same text.
    """

    score: float
    verdict: Preference | None = None
    pair: PairRef | None = None
    equal: bool = False


@dataclass(frozen=True, slots=True)
class CorrectnessGiven:
    """The verifier's result for one cross pair. ``of``: the class of the request, or "" if it is unknown."""

    correctness: Correctness
    of: str = ""
    pair: PairRef | None = None


@dataclass(frozen=True, slots=True)
class FeedbackGiven:
    """Feedback on one answer that a client got. ``score``: from 0 (bad) to 1 (good)."""

    candidate: bool  # false: the baseline's answer
    score: float


GateObservation = (
    RequestsEnded
    | EnvoyFailures
    | ClientsWaited
    | BlockClosed
    | LatencyHistograms
    | LatencyUnmeasured
    | LookDue
    | AgreementScored
    | NoiseScored
    | PairsMatched
    | PairCompared
    | AnswersJudged
    | CopiesCompared
    | CopyEnded
    | PreferenceGiven
    | CorrectnessGiven
    | FeedbackGiven
)
