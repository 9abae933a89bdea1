"""The pages of pairs: the search, one pair with its answers side by side, its judgement, and the export."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from extproc.workloads import build_workloads
from glidepath.answer_faults import FAULTS, AnswerFault
from glidepath.clock import unix_ms
from glidepath.config import Workload
from glidepath.errors import ConfigError
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Answer, Pair
from glidepath.sides import Side
from glidepath_ops.cli.steering_client import read_status
from glidepath_ops.console.access import Visitor
from glidepath_ops.console.actions_page import actor_of
from glidepath_ops.console.api_models import LabelBody, parsed
from glidepath_ops.console.authorized_endpoints import acting, reading
from glidepath_ops.console.highlighted_differences import MOST_SHOWN, MarkedTexts, marked_texts, weight_of
from glidepath_ops.console.json_request_body import json_body
from glidepath_ops.console.pair_query import LABELS, PairQuery, query_of
from glidepath_ops.console.pair_store import MOST_EXPORTED, MOST_LISTED, PairStore
from glidepath_ops.console.running_console import Console
from glidepath_ops.console.signal_meanings import meaning_of
from glidepath_ops.console.workload_page import name_of, number_of_query
from glidepath_ops.pairs.noise_floor_warning import noise_floor_warning
from glidepath_ops.pairs.pair_dataset import record_of
from glidepath_ops.pairs.read_pairs import StoredPair
from glidepath_ops.pairs.select_pairs import facts_of
from glidepath_ops.pairs.show_pairs import feedback_text, why_unscored
from glidepath_ops.pairs.stored_texts import answer_text, prompt_text

ON_PAGE = 50
MOST_CURL = 20_000  # characters of a request that are offered as a curl command
FULL = 2_000_000


def routes(console: Console, store: PairStore) -> list[Route]:
    pages = _PairPages(console, store)
    return [
        Route("/workloads/{workload}/pairs", reading(console, pages.pairs)),
        Route("/workloads/{workload}/pair", reading(console, pages.pair)),
        Route("/api/workloads/{workload}/pairs", reading(console, pages.listed)),
        Route("/api/workloads/{workload}/pair", reading(console, pages.single)),
        Route("/api/workloads/{workload}/pairs.jsonl", reading(console, pages.export)),
        Route("/api/workloads/{workload}/label", acting(console, pages.label), methods=["PUT"]),
    ]


class _PairPages:
    def __init__(self, console: Console, store: PairStore) -> None:
        self._console, self._store, self._digests = console, store, _digests(console)

    def _query(self, request: Request, name: str) -> PairQuery:
        return query_of(request.query_params, self._digests[name], unix_ms())

    async def pairs(self, request: Request, visitor: Visitor) -> Response:
        name = name_of(self._console, request)
        asked = self._query(request, name)
        found = await self._store.search(name, asked)
        start = number_of_query(request, "start", 1, MOST_LISTED) - 1
        shown = await self._store.stored(name, found, start, ON_PAGE)
        rows = [(one, found.labels.get(one.pair_id)) for one in shown]
        status = await read_status(self._console.redis, name) if asked.worst else None
        return self._console.page(
            request,
            "pairs.html",
            visitor,
            name=name,
            query=asked,
            found=found,
            rows=rows,
            start=start,
            on_page=ON_PAGE,
            labels=LABELS,
            early=noise_floor_warning(self._console.config.workload(name), status),
        )

    async def pair(self, request: Request, visitor: Visitor) -> Response:
        name = name_of(self._console, request)
        wanted = request.query_params.get("id", "")
        stored = await self._store.find(name, wanted)
        workload, full = self._console.config.workload(name), "full" in request.query_params
        shown = await asyncio.to_thread(_shown, workload, stored, full)
        asked = self._query(request, name)
        before, after = (await self._store.search(name, asked)).neighbours(shown.id)
        return self._console.page(
            request,
            "pair.html",
            visitor,
            name=name,
            stored=stored,
            shown=shown,
            label=await self._store.label_of(name, shown.id),
            feedback=feedback_text(await self._store.feedback_on(name, shown.id)),
            curl=_curl(stored.pair, self._console.config.envoy.listen),
            query=asked,
            before=before,
            after=after,
            decision=request.query_params.get("decision", "")[:60],
            full=full,
        )

    async def label(self, request: Request, visitor: Visitor) -> Response:
        name = name_of(self._console, request)
        body = parsed(LabelBody, await json_body(request))
        made = await self._store.judge(name, body.id, body.label, actor_of(visitor, body.who), body.note)
        return JSONResponse({"sentence": f"{made.label.value}, by {made.who}", "label": asdict(made)})

    async def listed(self, request: Request, visitor: Visitor) -> Response:
        name = name_of(self._console, request)
        count = number_of_query(request, "count", ON_PAGE, MOST_LISTED)
        found = await self._store.search_all(name, self._query(request, name), count)
        return JSONResponse([_record(one, found.labels) for one in await self._store.stored(name, found, 0, count)])

    async def single(self, request: Request, visitor: Visitor) -> Response:
        name = name_of(self._console, request)
        stored = await self._store.find(name, request.query_params.get("id", ""))
        known = stored.result.pair_id if stored.result else stored.pair.id if stored.pair else ""
        label = await self._store.label_of(name, known)
        record = record_of(self._console.config.workload(name), stored.pair, stored.result, label)
        feedback = await self._store.feedback_on(name, known)
        return JSONResponse({**record, "feedback": feedback.to_json() if feedback else None})

    async def export(self, request: Request, visitor: Visitor) -> Response:
        name = name_of(self._console, request)
        count = number_of_query(request, "count", MOST_EXPORTED, MOST_EXPORTED)
        found = await self._store.search_all(name, self._query(request, name), count)
        headers = {"content-disposition": f'attachment; filename="{name}-pairs.jsonl"'}
        lines = self._store.export(name, found)
        return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


def _digests(console: Console) -> dict[str, Callable[[str], str]]:
    """Return for each workload the function that converts a sticky value to the digest in pairs.

    Without the key for the digest, which only extproc needs, a search must give the digest itself.
    """
    try:
        known = build_workloads(console.config)
    except ConfigError:
        return dict.fromkeys(console.config.workloads, str)
    return {name: workload.sticky for name, workload in known.items()}


@dataclass(frozen=True, slots=True)
class ShownSide:
    """One side of a pair. ``facts``: a line about the answer. ``problem``: why the answer has no text, or ""."""

    side: str
    backend: str
    facts: str
    faults: tuple[tuple[str, str], ...]
    problem: str


@dataclass(frozen=True, slots=True)
class ShownSignal:
    name: str
    value: float
    flagged: bool
    weight: str
    meaning: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShownPair:
    """The parts of a pair that the page shows. ``texts``: None without bodies. ``why``: why it has no score, or ""."""

    id: str
    captured_at_ms: int
    result: ScoredPair | None
    why: str
    prompt: str
    prompt_more: int
    texts: MarkedTexts | None
    sides: tuple[ShownSide, ...]
    signals: tuple[ShownSignal, ...]


def _shown(workload: Workload, stored: StoredPair, full: bool) -> ShownPair:
    pair, result = stored.pair, stored.result
    most = FULL if full else MOST_SHOWN
    texts, sides, prompt = None, tuple[ShownSide, ...](), ""
    if pair is not None:
        prompt = prompt_text(pair)
        one, two = (answer_text(workload, pair, answer) for answer in (pair.baseline, pair.candidate))
        texts = marked_texts(one.text, two.text, workload.scoring, most)
        sides = (
            _side(Side.BASELINE, pair.baseline, result, one.problem),
            _side(Side.CANDIDATE, pair.candidate, result, two.problem),
        )
    why = ""
    if result is None:
        why = f"it was set aside: {stored.set_aside}" if stored.set_aside else "its result is no longer stored"
    elif not result.scored:
        why = why_unscored(result.unscored_reason)
    return ShownPair(
        id=result.pair_id if result else pair.id if pair else "",
        captured_at_ms=result.captured_at_ms if result else pair.captured_at_ms if pair else 0,
        result=result,
        why=why,
        prompt=prompt[:most],
        prompt_more=max(len(prompt) - most, 0),
        texts=texts,
        sides=sides,
        signals=_signals(workload, result, texts),
    )


def _side(side: Side, answer: Answer, result: ScoredPair | None, problem: str) -> ShownSide:
    facts = facts_of(result, side) if result else AnswerFacts()
    origin = "to the client" if answer.origin.value == "live" else f"to a {answer.origin.value} request"
    parts = [f"status {answer.status}", origin, f"{answer.total_ms:.0f} ms"]
    if facts.output_tokens:
        parts.append(f"{facts.output_tokens} tokens")
    faults = tuple((fault, _fault_meaning(fault)) for fault in facts.faults)
    return ShownSide(side.value, answer.backend, ", ".join(parts), faults, problem)


def _fault_meaning(fault: str) -> str:
    try:
        return FAULTS[AnswerFault(fault)].meaning
    except ValueError:
        return ""


def _signals(workload: Workload, result: ScoredPair | None, texts: MarkedTexts | None) -> tuple[ShownSignal, ...]:
    if result is None:
        return ()
    reasons = texts.reasons if texts else {}
    flagged = [*(flag for flag in result.flags if flag not in result.signals)]
    values = {**result.signals, **dict.fromkeys(flagged, 1.0)}
    rows = [
        ShownSignal(
            name,
            value,
            name in result.flags,
            weight_of(workload.scoring, name),
            meaning_of(name),
            reasons.get(name, ""),
        )
        for name, value in values.items()
    ]
    return tuple(sorted(rows, key=lambda row: (not row.flagged, not row.weight, -row.value, row.name)))


def _curl(pair: Pair | None, listen: str) -> str:
    """Return the stored request as a curl command, or "" if it is too long, cut or not text."""
    if pair is None or pair.request_cut or len(pair.request_body) > MOST_CURL:
        return ""
    try:
        body = pair.request_body.decode()
    except UnicodeDecodeError:
        return ""
    kind = pair.request_content_type or "application/json"
    address = shlex.quote(f"http://{listen}{pair.path}")
    return f"curl -s {address} -H {shlex.quote(f'content-type: {kind}')} -d {shlex.quote(body)}"


def _record(result: ScoredPair, labels: object) -> dict[str, object]:
    label = labels.get(result.pair_id) if isinstance(labels, dict) else None
    return {
        "id": result.pair_id,
        "captured_at_ms": result.captured_at_ms,
        "agreement": result.agreement if result.scored else None,
        "unscored_reason": result.unscored_reason or None,
        "flags": list(result.flags),
        "faults": {side.value: list(facts_of(result, side).faults) for side in Side},
        "status": {side.value: facts_of(result, side).status for side in Side},
        "label": label.label.value if label else None,
    }
