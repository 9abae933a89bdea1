"""The pages of pairs: the search, one pair side by side, its judgement, and the export."""

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
from glidepath_ops.console.context import Console, acting, json_body, reading
from glidepath_ops.console.highlighted_differences import MOST_SHOWN, MarkedTexts, marked_texts, weight_of
from glidepath_ops.console.pair_query import LABELS, PairQuery, query_of
from glidepath_ops.console.pair_store import MOST_LISTED, PairStore
from glidepath_ops.console.signal_meanings import meaning_of
from glidepath_ops.console.workload_page import name_of, number_of_query
from glidepath_ops.pairs.early_scores import early_scores_note
from glidepath_ops.pairs.pair_dataset import record_of
from glidepath_ops.pairs.read_pairs import StoredPair
from glidepath_ops.pairs.select_pairs import facts_of
from glidepath_ops.pairs.show_pairs import feedback_text, why_unscored
from glidepath_ops.pairs.stored_texts import answer_text, prompt_text

ON_PAGE = 50
MOST_CURL = 20_000  # characters of a request that are offered as a curl command
FULL = 2_000_000


def routes(console: Console, store: PairStore) -> list[Route]:
    digests = _digests(console)

    def query(request: Request, name: str) -> PairQuery:
        return query_of(request.query_params, digests[name], unix_ms())

    async def pairs(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)
        asked = query(request, name)
        found = await store.search(name, asked)
        start = number_of_query(request, "start", 1, MOST_LISTED) - 1
        shown = await store.stored(name, found, start, ON_PAGE)
        rows = [(one, found.labels.get(one.pair_id)) for one in shown]
        status = await read_status(console.redis, name) if asked.worst else None
        return console.page(
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
            early=early_scores_note(console.config.workload(name), status),
        )

    async def pair(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)
        wanted = request.query_params.get("id", "")
        stored = await store.find(name, wanted)
        shown = await asyncio.to_thread(_shown, console.config.workload(name), stored, "full" in request.query_params)
        asked = query(request, name)
        before, after = (await store.search(name, asked)).neighbours(shown.id)
        return console.page(
            request,
            "pair.html",
            visitor,
            name=name,
            stored=stored,
            shown=shown,
            label=await store.label_of(name, shown.id),
            feedback=feedback_text(await store.feedback_on(name, shown.id)),
            curl=_curl(stored.pair, console.config.envoy.listen),
            query=asked,
            before=before,
            after=after,
            decision=request.query_params.get("decision", "")[:60],
            full="full" in request.query_params,
        )

    async def label(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)
        body = parsed(LabelBody, await json_body(request))
        made = await store.judge(name, body.id, body.label, actor_of(visitor, body.who), body.note)
        return JSONResponse({"sentence": f"{made.label.value}, by {made.who}", "label": asdict(made)})

    async def listed(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)
        found = await store.search(name, query(request, name))
        count = number_of_query(request, "count", ON_PAGE, MOST_LISTED)
        return JSONResponse([_record(one, found.labels) for one in await store.stored(name, found, 0, count)])

    async def single(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)
        stored = await store.find(name, request.query_params.get("id", ""))
        known = stored.result.pair_id if stored.result else stored.pair.id if stored.pair else ""
        record = record_of(console.config.workload(name), stored.pair, stored.result, await store.label_of(name, known))
        feedback = await store.feedback_on(name, known)
        return JSONResponse({**record, "feedback": feedback.to_json() if feedback else None})

    async def export(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)
        found = await store.search(name, query(request, name))
        count = number_of_query(request, "count", MOST_LISTED, MOST_LISTED)
        headers = {"content-disposition": f'attachment; filename="{name}-pairs.jsonl"'}
        return StreamingResponse(store.export(name, found, count), media_type="application/x-ndjson", headers=headers)

    return [
        Route("/workloads/{workload}/pairs", reading(console, pairs)),
        Route("/workloads/{workload}/pair", reading(console, pair)),
        Route("/api/workloads/{workload}/pairs", reading(console, listed)),
        Route("/api/workloads/{workload}/pair", reading(console, single)),
        Route("/api/workloads/{workload}/pairs.jsonl", reading(console, export)),
        Route("/api/workloads/{workload}/label", acting(console, label), methods=["PUT"]),
    ]


def _digests(console: Console) -> dict[str, Callable[[str], str]]:
    """Return, by workload, how pairs have the value of a sticky key.

    Without the key of the digest, which only extproc needs, a search must give the digest itself.
    """
    try:
        known = build_workloads(console.config)
    except ConfigError:
        return dict.fromkeys(console.config.workloads, str)
    return {name: workload.sticky for name, workload in known.items()}


@dataclass(frozen=True, slots=True)
class ShownSide:
    """One side of a pair. ``facts``: a line about the answer; ``problem``: why it has no text, or ""."""

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
    """A pair as the page shows it. ``texts`` is None without bodies; ``why``: why there is no score, or ""."""

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
        why = f"it was set aside: {stored.set_aside}" if stored.set_aside else "its result is not stored any more"
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
    """Return the stored request as a curl command; "" for one that is too long, cut or not text."""
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
