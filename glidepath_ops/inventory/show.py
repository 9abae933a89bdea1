"""Formats the inventory as text of at most 80 columns, and as JSON values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from glidepath.call_classes import CallClass
from glidepath.duration_text import duration_text
from glidepath.inventory.callers import FINGERPRINT
from glidepath.inventory.tally import OTHER
from glidepath.pluralization import number_of, plural_unless_one
from glidepath.token_usage import COUNTS
from glidepath_ops.inventory.estimate import SUMS, CallGroup
from glidepath_ops.inventory.found_workloads import Inventory, key_text
from glidepath_ops.inventory.migration_order import FoundWorkload, reason, short_number
from glidepath_ops.inventory.read_inventory import ReadTraffic
from glidepath_ops.inventory.spend import Spend

Spends = Mapping[int, Spend]  # by the place of the workload in the order
_QUANTILES = (0.5, 0.95, 0.99)
_NOT_MEASURED = "not measured"
_DAY_MS = 86_400_000


def lines(inventory: Inventory, read: ReadTraffic, spends: Spends, top: int) -> Iterator[str]:
    """Yield the lines of the text. ``top``: the number of workloads to show."""
    yield _headline(inventory, read)
    hint = " (--candidate, --context, --modalities, --no-tools, --max-body)" if inventory.candidate.unlimited else ""
    yield f"what can move: {inventory.candidate.name}, {inventory.candidate}{hint}"
    shown = inventory.workloads[:top]
    for place, one in enumerate(shown):
        yield ""
        yield from _workload(place + 1, one, spends.get(place), inventory.months)
    if len(inventory.workloads) > top:
        left = inventory.workloads[top:]
        requests = sum(one.group.requests for one in left)
        yield ""
        yield f"{number_of(len(left), 'further workload')} with {requests:,} requests (--top shows more)"
    if inventory.others:
        yield ""
        yield from _others(inventory.others)
    if any(one.group.key.caller.startswith(FINGERPRINT) for one in shown):
        yield ""
        yield "key:… is a keyed digest of a caller's credential; inventory.callers names callers by a header"
    for note in read.notes:
        yield f"note: {note}"


def _headline(inventory: Inventory, read: ReadTraffic) -> str:
    requests = f"{inventory.requests:,} {plural_unless_one(inventory.requests, 'request')}"
    total = f"{requests} in {number_of(len(inventory.workloads), 'workload')}"
    if not read.from_ms:
        return f"{total}; the lines have no time, so there are no figures for a month"
    span = duration_text((read.to_ms - read.from_ms) / 1000)
    short = "; the figures for a month are only projected from it" if read.to_ms - read.from_ms < _DAY_MS else ""
    if inventory.months is None:
        short = ", too short for figures for a month"
    return f"{_time(read.from_ms)} to {_time(read.to_ms)} UTC ({span}): {total}{short}"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _workload(place: int, one: FoundWorkload, spend: Spend | None, months: float | None) -> Iterator[str]:
    group = one.group
    yield f"{place:>2}. {one.name}"
    yield f"    {key_text(group.key)}"
    yield f"    why      {reason(one)}"
    volume = f"{group.requests:,} {plural_unless_one(group.requests, 'request')}"
    if one.month is not None:
        volume += f", {short_number(one.month) if one.month >= 1 else '< 1'} a month"
    refused = f" {_share(group, 'refused'):.2%} refused (4xx);" if group.sums.get("refused") else ""
    failed, streamed = _share(group, "errors"), _share(group, "streamed")
    yield f"    volume   {volume}; {failed:.2%} failed;{refused} {streamed:.0%} streamed"
    yield f"    tokens   {_tokens(group)}"
    yield f"    spend    {_spend(spend, months)}"
    yield f"    latency  {_quantiles([group.latency(q) for q in _QUANTILES])}{_ttft(group)}"
    yield f"    needs    {_shapes(group)}"
    yield f"    answers  {one.variation or _NOT_MEASURED + '; ' + how_to_measure(one)}"


def how_to_measure(one: FoundWorkload) -> str:
    """Return advice on how to measure the variation of the answers."""
    if one.section in one.group.sample.workloads:
        return f"set workloads.{one.section}.shadow.same_side: 10"
    return f"run its section at 0 % (glidepath inventory --section {one.name})"


def _share(group: CallGroup, name: str) -> float:
    return group.sums.get(name, 0.0) / group.requests if group.requests else 0.0


def _tokens(group: CallGroup) -> str:
    measured = group.measured_share()
    if measured is None:
        return "not known; no answer was read"
    read, written = group.tokens("input"), group.tokens("output")
    cached = group.tokens("cached_read") / read if read else 0.0
    thought = group.tokens("reasoning") / written if written else 0.0
    parts = f"{short_number(read)} in ({cached:.0%} cached), {short_number(written)} out ({thought:.0%} reasoning)"
    return parts if measured > 0.995 else f"{parts}; {1 - measured:.0%} estimated"


def _spend(spend: Spend | None, months: float | None) -> str:
    if spend is None:
        return "no prices (backends.NAME.price)"
    text = f"{spend.amount:,.2f} {spend.currency}"
    if months:
        text += f", {spend.amount / Decimal(months):,.2f} {spend.currency} a month"
    text += f", by the prices of {spend.by}"
    return f"{text}; {spend.unpriced:.0%} unpriced" if spend.unpriced else text


def _quantiles(values: list[float | None]) -> str:
    shown = ["–" if value is None else _milliseconds(value) for value in values]
    return "p50 {}  p95 {}  p99 {}".format(*shown)


def _ttft(group: CallGroup) -> str:
    p50, p95 = group.ttft(0.5), group.ttft(0.95)
    if p50 is None or p95 is None:
        return ""
    return f"; first token p50 {_milliseconds(p50)}  p95 {_milliseconds(p95)}"


def _milliseconds(value: float) -> str:
    if value < 1:
        return "< 1 ms"
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def _shapes(group: CallGroup) -> str:
    p50, p95 = group.context(0.5), group.context(0.95)
    if p50 is None or p95 is None:
        return "no body was read"
    shapes = Counter({name: shape.requests for name, shape in group.sample.shapes.items()})
    parts = ", ".join(f"{number / group.read:.0%} {name}" for name, number in shapes.most_common(4))
    return f"context p50 {short_number(p50)}  p95 {short_number(p95)} tokens; {parts}"


def _others(others: tuple[CallGroup, ...]) -> Iterator[str]:
    beyond = [group for group in others if group.key.path == OTHER and group.key.call is CallClass.INFERENCE]
    if beyond:
        requests = sum(group.requests for group in beyond)
        yield f"{requests:,} requests of further workloads were counted together; raise inventory.groups"
    by_call: Counter[str] = Counter()
    named = [group for group in others if group not in beyond]
    for group in named:
        by_call[group.key.call.value] += group.requests
    if named:
        listed = ", ".join(f"{number:,} {name}" for name, number in by_call.most_common())
        yield f"other calls, which stay where they are: {listed}"
    for group in named[:5]:
        yield f"    {group.requests:>9,}  {group.key.path[:64]}"


def as_json(inventory: Inventory, read: ReadTraffic, spends: Spends, sections: Mapping[str, str]) -> dict[str, Any]:
    """Return the whole inventory as JSON values. ``sections``: the section of each workload, by its name."""
    return {
        "from_ms": read.from_ms or None,
        "to_ms": read.to_ms or None,
        "requests": inventory.requests,
        "months": inventory.months,
        "candidate": {
            "name": inventory.candidate.name,
            "context": inventory.candidate.context,
            "modalities": None if inventory.candidate.modalities is None else sorted(inventory.candidate.modalities),
            "tools": inventory.candidate.tools,
            "max_body": inventory.candidate.max_body,
        },
        "workloads": [
            _workload_json(place, one, spends.get(place), inventory.months, sections)
            for place, one in enumerate(inventory.workloads)
        ],
        "others": [
            {"call": one.key.call.value, "path": one.key.path, "caller": one.key.caller, "requests": one.requests}
            for one in inventory.others
        ],
        "notes": list(read.notes),
    }


def _workload_json(
    place: int, one: FoundWorkload, spend: Spend | None, months: float | None, sections: Mapping[str, str]
) -> dict[str, Any]:
    group, eligible, variation = one.group, one.eligible, one.variation
    return {
        "place": place + 1,
        "name": one.name,
        "path": group.key.path,
        "call": group.key.call.value,
        "model": group.key.model or None,
        "caller": group.key.caller,
        "task": one.task,
        "kind": one.kind.kind.value,
        "kind_declared": one.kind.declared,
        "kind_why": one.kind.why,
        "reason": reason(one),
        "movable": one.movable,
        "requests": group.requests,
        "requests_a_month": one.month,
        "sampled": group.sampled,
        **{name: round(group.sums.get(name, 0.0)) for name in SUMS},
        "tokens": {name: round(group.tokens(name)) for name in COUNTS} if group.usage else None,
        "tokens_measured_share": group.measured_share(),
        "spend": str(spend.amount) if spend else None,
        "spend_a_month": f"{spend.amount / Decimal(months):.6f}" if spend and months else None,
        "currency": spend.currency if spend else None,
        "spend_by_prices_of": spend.by if spend else None,
        "unpriced_share": spend.unpriced if spend else None,
        "latency_ms": {f"p{q * 100:g}": group.latency(q) for q in _QUANTILES},
        "ttft_ms": {f"p{q * 100:g}": group.ttft(q) for q in _QUANTILES},
        "context_tokens": {f"p{q * 100:g}": group.context(q) for q in _QUANTILES},
        "shapes": {name: shape.requests for name, shape in group.sample.shapes.items()},
        "bodies_read": group.read,
        "needs_state": group.sample.state,
        "server_acts": group.sample.acting,
        "eligible_share": eligible.share if eligible else None,
        "not_eligible": dict(eligible.reasons) if eligible else None,
        "variation": _variation_json(one) if variation is None else {
            "basis": variation.basis.value, "sameness": variation.sameness, "pairs": variation.pairs
        },
        "backends": dict(group.sample.backends),
        "section_name": one.section,
        "section": sections.get(one.name),
    }  # fmt: skip


def _variation_json(one: FoundWorkload) -> dict[str, Any]:
    return {"basis": _NOT_MEASURED, "how": how_to_measure(one)}
