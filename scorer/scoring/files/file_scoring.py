"""Score a file of answer pairs in batches of lines. Only one batch is in memory at a time.

The pairs are extracted, embedded and compared by the same functions as in the scorer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from glidepath.agreement_weights import workload_weights
from glidepath.answer_faults import FoundFault
from glidepath.config.comparison import ScoringSection, Task
from glidepath.pair_scores import Correctness, Preference
from glidepath.printable_text import printable_json
from glidepath.sides import Side
from scorer.scoring.answers import CustomSurface, Expectation, Extracted, Unusable, expectation, extract
from scorer.scoring.compare import Comparison, LearnedParameters, Unscorable, compare, texts_to_embed
from scorer.scoring.compare.evaluator.evaluator_client import Evaluator
from scorer.scoring.compare.evaluator.pairs_to_judge import to_judge
from scorer.scoring.compare.evaluator.questions import AnswersToJudge
from scorer.scoring.compare.result import Span
from scorer.scoring.embed import Embedder, VectorCache, embed_texts, traits_of
from scorer.scoring.files.line_reader import Lines, PipeLines
from scorer.scoring.files.pair_lines import SIDES, BadLine, FilePair, parse_lines
from scorer.scoring.judge.judge_answer import judge_answer
from scorer.scoring.verify.pairs_to_verify import to_verify
from scorer.scoring.verify.verifier_client import Verifier
from scorer.scoring.verify.verifier_messages import PairToVerify, VerifierInput

Faults = dict[str, tuple[FoundFault, ...]]  # by side
MAX_BATCH_BYTES = 8 * 2**20  # a batch ends once its lines have this size


@dataclass(frozen=True, slots=True)
class ScoredLine:
    """The result of one line of the file. If its pair is unscored, ``agreement`` is None and the flag is the reason.

    ``faults``: the faults of each side's answer, judged without the other answer, whether or not the pair is scored.
    ``preference``: the evaluator's preference, or None if it has not judged the pair.
    ``correctness``: how correct each answer is; None without a result of the verifier.
    """

    id: str | int
    agreement: float | None
    flags: tuple[str, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)
    preference: Preference | None = None
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    correctness: Correctness | None = None

    def to_json(self, *, explain: bool = False, encoding: str = "utf-8") -> str:
        """Return the result as one line of JSON.

        If ``encoding`` cannot encode a character of the line, all characters that are not ASCII are escaped. For
        example, no encoding can encode a lone surrogate.
        """
        record: dict[str, object] = {
            "id": self.id,
            "agreement": None if self.agreement is None else round(self.agreement, 4),
            "flags": list(self.flags),
            "signals": {name: round(value, 4) for name, value in self.signals.items()},
            "faults": {side: [fault.kind.value for fault in found] for side, found in self.faults.items() if found},
        }
        if self.preference is not None:
            record["preference"] = {"score": self.preference.score, "verdict": self.preference.value}
        if self.correctness is not None:
            record["correctness"] = {
                "baseline": self.correctness.baseline,
                "candidate": self.correctness.candidate,
            }
        if explain:
            where = {
                f"{side}_{fault.kind.value}": fault.where for side, found in self.faults.items() for fault in found
            }
            record["details"] = self.details | where
            if self.spans:
                record["spans"] = {name: _places(spans) for name, spans in self.spans.items()}
        line = printable_json(json.dumps(record, ensure_ascii=False))
        try:
            line.encode(encoding)
        except UnicodeEncodeError:
            return json.dumps(record)
        return line


def _places(spans: Iterable[Span]) -> dict[str, list[int]]:
    return {"baseline" if span.left else "candidate": [span.start, span.end] for span in spans}


@dataclass(slots=True)
class FileScorer:
    """Scores a file of pairs.

    ``path``: the request path for lines that have none.
    ``batch``: the largest number of lines in a batch.
    ``judging``: whether the evaluator gave a preference for the latest line with a question.
    """

    task: Task
    settings: ScoringSection
    embedder: Embedder
    path: str = ""
    batch: int = 32
    cache: VectorCache = field(default_factory=VectorCache)
    evaluator: Evaluator | None = None
    verifier: Verifier | None = None
    now_ms: Callable[[], int] = lambda: 0
    judging: bool = True

    def score(self, lines: Lines) -> Iterator[ScoredLine | BadLine]:
        """Yield one result for each line that is not blank, in order.

        A batch is scored as soon as it is full, or if the next line is not available yet. Raises UnreachableError if a
        remote engine does not answer.
        """
        ready = lines.ready if isinstance(lines, PipeLines) else _always
        batch: list[FilePair | BadLine] = []
        for one in parse_lines(lines):
            batch += [one] if one is not None else []
            if batch and (len(batch) >= self.batch or sum(b.size for b in batch) >= MAX_BATCH_BYTES or not ready()):
                yield from self._score_batch(batch)
                batch = []
        yield from self._score_batch(batch)

    def _score_batch(self, batch: Sequence[FilePair | BadLine]) -> Iterator[ScoredLine | BadLine]:
        extracted = [one if isinstance(one, BadLine) else self._extract(one) for one in batch]
        texts = list(dict.fromkeys(t for one in extracted if isinstance(one, _ExtractedLine) for t in one.texts))
        vectors = dict(zip(texts, embed_texts(self.embedder, texts, self.cache), strict=True)) if texts else {}
        comparable = {i: one for i, one in enumerate(extracted) if isinstance(one, _ExtractedLine)}
        known = LearnedParameters(
            weights=workload_weights(self.settings.calibration), cosine_map=traits_of(self.embedder).cosine_map
        )
        results = {
            i: compare(self.task, self.settings, one.expected, one.baseline, one.candidate, vectors, known)
            for i, one in comparable.items()
        }
        scored = {i: one for i, one in comparable.items() if isinstance(results[i], Comparison)}
        preferences, correctness = self._preferences(scored), self._correctness(scored)
        for i, one in enumerate(extracted):
            if isinstance(one, _ExtractedLine):
                yield replace(_scored(one, results[i], preferences.get(i)), correctness=correctness.get(i))
            else:
                yield one

    def _preferences(self, lines: Mapping[int, _ExtractedLine]) -> dict[int, Preference]:
        """Return the evaluator's preference for each line that it judged, by the line's key in ``lines``.

        Equal answers are ties only while the lines that need a question get a preference, as in the scorer.
        """
        section = self.settings.evaluator
        if self.evaluator is None or section is None:
            return {}
        found: dict[int, Preference] = {}
        asked: dict[int, AnswersToJudge] = {}
        for i, line in lines.items():
            answers = {Side.BASELINE: line.baseline, Side.CANDIDATE: line.candidate}
            judged = to_judge(str(line.id), self.task, line.expected, answers, section)
            if isinstance(judged, Preference):
                found[i] = judged
            elif judged is not None:
                asked[i] = judged
        given = self.evaluator.consult(list(asked.values()), self.now_ms()) if asked else []
        replies = dict(zip(asked, given, strict=True))
        preferences: dict[int, Preference] = {}
        for i in lines:
            if i in replies:
                self.judging = replies[i] is not None
            one = replies.get(i) or found.get(i)
            if one is not None and self.judging:
                preferences[i] = one
        return preferences

    def _correctness(self, lines: Mapping[int, _ExtractedLine]) -> dict[int, Correctness]:
        """Return the verifier's result for each line that it judged, by the line's key in ``lines``."""
        section = self.settings.verifier
        if self.verifier is None or section is None:
            return {}
        asked: dict[int, VerifierInput] = {}
        for i, line in lines.items():
            pair = PairToVerify(str(line.id), self.task, line.request, line.baseline, line.candidate)
            if (message := to_verify(pair, section)) is not None:
                asked[i] = message
        given = self.verifier.consult(list(asked.values())) if asked else []
        return {i: one for i, one in zip(asked, given, strict=True) if one is not None}

    def _extract(self, pair: FilePair) -> _ExtractedLine | ScoredLine:
        path = pair.path or self.path
        expected = expectation(path, pair.request)
        usable: list[Extracted] = []
        unusable: list[tuple[str, Unusable]] = []
        faults: Faults = {}
        bodies = (pair.baseline, pair.candidate)
        for name, body, status, kind in zip(SIDES, bodies, pair.statuses, pair.content_types, strict=True):
            answer = self._answer(path, pair.request, body, status, kind)
            faults[name] = judge_answer(
                status=status,
                content_type=kind,
                body=body,
                cut=False,
                expected=expected,
                found=answer,
                declared=self.settings.answer is not None,
            )
            if isinstance(answer, Unusable):
                unusable.append((name, answer))
            else:
                usable.append(answer)
        if unusable:
            name, found = unusable[0]
            why = f"{found.reason}: {found.detail}".rstrip(": ")
            return ScoredLine(pair.id, None, (f"unusable:{name}_{found.reason}",), {}, {name: why}, faults=faults)
        left, right = usable
        texts = texts_to_embed(self.task, expected, left, right)
        request = pair.request.decode("utf-8", "replace")
        return _ExtractedLine(pair.id, expected, left, right, texts, faults, request)

    def _answer(self, path: str, request: bytes, body: bytes, status: int, kind: str) -> Extracted | Unusable:
        custom = self.settings.answer
        return extract(
            path=path,
            content_type=kind,
            status=status,
            request_body=request,
            response_body=body,
            custom=CustomSurface(custom.jsonpath, custom.done) if custom else None,
        )


@dataclass(frozen=True, slots=True)
class _ExtractedLine:
    """A line with its extracted answers. ``texts`` contains the texts that must be embedded, if there are any."""

    id: str | int
    expected: Expectation
    baseline: Extracted
    candidate: Extracted
    texts: tuple[str, ...]
    faults: Faults
    request: str


def _scored(line: _ExtractedLine, result: Comparison | Unscorable, preference: Preference | None) -> ScoredLine:
    if isinstance(result, Unscorable):
        details = {result.reason: result.detail}
        return ScoredLine(line.id, None, (f"unusable:{result.reason}",), {}, details, faults=line.faults)
    signals, details, labels = dict(result.signals), dict(result.details), dict(result.labels)
    found = (line.id, result.agreement, result.flags, signals, details, labels, line.faults, preference)
    return ScoredLine(*found, spans=result.spans)


def _always() -> bool:
    return True
