"""Shows pairs on a terminal of any width from 80 columns. Pure: the results are rich renderables.

Bodies and ids come from clients and backends, so they are made printable first, and never interpreted as markup.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from glidepath.answer_faults import FAULTS, AnswerFault
from glidepath.config import Workload
from glidepath.feedback import FeedbackKind
from glidepath.pair_labels import PairLabel
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Answer, Pair
from glidepath.printable_text import one_line, printable, shown_id
from glidepath.sides import Side
from glidepath.stored_feedback import FeedbackNote
from glidepath_ops.pairs.read_pairs import StoredPair
from glidepath_ops.pairs.select_pairs import facts_of
from glidepath_ops.pairs.stored_texts import answer_text, prompt_text

_REASONS = {
    "status": "its status is not a success",
    "aborted": "it was ended during the body",
    "timeout": "it did not end in time",
    "refused": "the shadow listener could not be reached",
    "local": "Envoy answered by itself",
    "failed_over": "the baseline answered for the candidate",
    "cut": "its body was too long to be stored completely",
    "truncated": "its body ends too early",
    "malformed": "its body does not follow its format",
    "error_body": "its body is an error message",
    "unsupported": "its format is unknown",
    "empty_body": "its body is empty",
    "too_large": "its body exceeds a limit",
}


def rows(pairs: Iterable[ScoredPair], labels: Mapping[str, PairLabel]) -> Iterator[Text]:
    """Yield two lines for each pair: its time, id, score and statuses, then its problems."""
    for pair in pairs:
        first = f"{_time(pair.captured_at_ms)}  {shown_id(pair.pair_id)}  {_score(pair)}  {_statuses(pair)}"
        yield Text(first, no_wrap=True, overflow="ellipsis")
        yield Text(f"    {_remarks(pair, labels.get(pair.pair_id))}", style="dim")


def _time(at_ms: int) -> str:
    return time.strftime("%m-%d %H:%M:%S", time.localtime(at_ms / 1000))


def _score(pair: ScoredPair) -> str:
    return f"{pair.agreement:.3f}" if pair.scored else "–"


def _statuses(pair: ScoredPair) -> str:
    """Return both statuses, the baseline's first, or only one if they are equal."""
    one, two = pair.baseline.status, pair.candidate.status
    return str(one) if one == two else f"{one}→{two}"


def _remarks(pair: ScoredPair, label: PairLabel | None) -> str:
    parts = [
        f"no score: {why_unscored(pair.unscored_reason)}" if not pair.scored else "",
        *(f"{side.value}: {', '.join(facts_of(pair, side).faults)}" for side in Side if facts_of(pair, side).faults),
        f"flags: {', '.join(pair.flags)}" if pair.flags else "",
        f"preference: {pair.preference.value}" if pair.preference else "",
        f"labelled {label.label.value} by {label.who}" if label else "",
    ]
    return one_line("; ".join(filter(None, parts))) or "no flag"


def why_unscored(reason: str) -> str:
    """Return the reason why a pair has no score as a text for people, followed by its name."""
    side, _, kind = reason.partition("_")
    if side in set(Side) and kind in _REASONS:
        return f"the {side}'s answer: {_REASONS[kind]} ({reason})"
    others = {
        "request_cut": "the request was too long to be stored completely (request_cut)",
        "invalid_agreement": "the stored agreement is not a number from 0 to 1 (invalid_agreement)",
        "result_expired": "the result is no longer stored (retention)",
    }
    return others.get(reason, one_line(reason))


def feedback_text(note: FeedbackNote | None) -> str:
    """Return the users' feedback on one side's answer, such as "thumbs down, on the candidate's answer"; or ""."""
    if note is None:
        return ""
    given = ""
    if note.score is not None:
        words = {
            FeedbackKind.THUMBS: "thumbs up" if note.score else "thumbs down",
            FeedbackKind.SUCCESS: "task solved" if note.score else "task not solved",
            FeedbackKind.SCORE: f"score {note.score:.3g}",
        }
        given = words[note.kind]
    label = f"“{note.label}”" if note.label else ""
    said = ", ".join(filter(None, (given, label)))
    return f"{said}, on the {note.side.value}'s answer, {_time(note.at_ms)}"


def page(
    workload: Workload,
    stored: StoredPair,
    label: PairLabel | None,
    most_chars: int,
    feedback: FeedbackNote | None = None,
) -> RenderableType:
    """Return the page about one pair: the facts about it, the request, both answers side by side, and the signals.

    ``most_chars``: the maximum number of characters shown of each text. ``feedback``: the users' feedback.
    """
    parts: list[RenderableType] = [*_head(stored, label)]
    if feedback is not None:
        parts.append(Text(f"feedback: {one_line(feedback_text(feedback))}"))
    if stored.pair is None:
        parts.append(Text("The bodies are no longer stored (retention).", style="yellow"))
    else:
        parts += [Text("request", style="bold"), _cut(prompt_text(stored.pair), most_chars), Text()]
        parts.append(_answers(workload, stored.pair, stored.result, most_chars))
    if stored.result is not None and stored.result.signals:
        parts += [Text(), _signals(stored.result)]
    return Group(*parts)


def _head(stored: StoredPair, label: PairLabel | None) -> Iterator[Text]:
    pair, result = stored.pair, stored.result
    known = result.pair_id if result else pair.id if pair else ""
    at_ms = result.captured_at_ms if result else pair.captured_at_ms if pair else 0
    yield Text(f"pair {shown_id(known)}, captured {_time(at_ms)}{', kept' if stored.kept else ''}", style="bold")
    if pair is not None:
        yield Text(one_line(f"{pair.method} {pair.path}"))
    if stored.set_aside:
        yield Text(f"set aside without a result: {one_line(stored.set_aside)}", style="red")
    if result is None:
        yield Text("no result is stored")
    elif result.scored:
        yield Text(f"agreement {result.agreement:.3f}, measured by {one_line(result.scorer)}")
        if result.flags:
            yield Text(f"flags: {one_line(', '.join(result.flags))}")
        if result.labels:
            yield Text(f"classes: {one_line(', '.join(f'{k} {v}' for k, v in result.labels.items()))}")
    else:
        yield Text(f"no score: {why_unscored(result.unscored_reason)}", style="yellow")
    if result is not None and result.preference is not None:
        yield Text(f"preference of the evaluator: {result.preference.value}")
    if result is not None and (right := result.correctness) is not None:
        yield Text(
            f"correctness, as the verifier measured it: baseline {right.baseline:g}, candidate {right.candidate:g}"
        )
    if label is not None:
        note = f": {one_line(label.note)}" if label.note else ""
        yield Text(f"labelled {label.label.value} by {one_line(label.who)} at {_time(label.at_ms)}{note}")
    yield Text()


def _answers(workload: Workload, pair: Pair, result: ScoredPair | None, most_chars: int) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    for side, answer in ((Side.BASELINE, pair.baseline), (Side.CANDIDATE, pair.candidate)):
        table.add_column(f"{side.value}: {one_line(answer.backend)}", ratio=1, overflow="fold")
    sides = ((pair.baseline, Side.BASELINE), (pair.candidate, Side.CANDIDATE))
    table.add_row(*(_facts(answer, facts_of(result, side) if result else None) for answer, side in sides))
    table.add_row("", "")
    table.add_row(*(_answer(workload, pair, answer, most_chars) for answer, _ in sides))
    return table


def _facts(answer: Answer, facts: AnswerFacts | None) -> Text:
    origin = "to the client" if answer.origin.value == "live" else f"to a {answer.origin.value} request"
    lines = [f"{answer.status}, {origin}, in {answer.total_ms:.0f} ms"]
    lines += [f"{fault}: {_meaning(fault)}" for fault in (facts.faults if facts else ())]
    return Text(one_line(lines[0]) + "".join(f"\n{one_line(line)}" for line in lines[1:]), style="dim")


def _meaning(fault: str) -> str:
    try:
        return FAULTS[AnswerFault(fault)].meaning
    except ValueError:
        return ""


def _answer(workload: Workload, pair: Pair, answer: Answer, most_chars: int) -> Text:
    found = answer_text(workload, pair, answer)
    problem = Text(f"no answer: {one_line(found.problem)}\n", style="yellow") if found.problem else Text()
    return problem + _cut(found.text, most_chars)


def _cut(text: str, most_chars: int) -> Text:
    shown = Text(printable(text[:most_chars]))
    if len(text) > most_chars:
        shown.append(f"\n… {len(text) - most_chars} more characters (--full)", style="dim")
    return shown


def _signals(result: ScoredPair) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("signal", "value", ""):
        table.add_column(heading, overflow="fold")
    for name, value in sorted(result.signals.items(), key=lambda item: (-item[1], item[0])):
        flagged = name in result.flags
        table.add_row(
            Text(one_line(name), style="bold" if flagged else ""), f"{value:.3f}", "flagged" if flagged else ""
        )
    return table
