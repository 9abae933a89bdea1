"""The chapter for legal and security: the flow of data, its storage and time limits, and the rules for it. Pure.

It states facts from the configuration and the records. Facts that only a person can know are marked as missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from glidepath.config import Config
from glidepath.config.units import format_duration, format_size
from glidepath.outcome_summaries import Coverage
from glidepath.side_traffic import NOTHING_SENT
from glidepath_ops.costs.cost_text import time_text
from glidepath_ops.report.access_and_encryption import (
    console_access_text,
    credentials_text,
    redis_host_text,
    redis_text,
    rows_without_login,
    tls_text,
)
from glidepath_ops.report.document import Block, Chapter, NoData, Section, Source, Table, Text, ToWrite
from glidepath_ops.report.legal_frameworks import frameworks
from glidepath_ops.report.report_facts import ReportFacts, WorkloadFacts, hardware_text, host_of

_HEADERS_NEVER_KEPT = "Credentials in headers and query parameters are neither stored, nor copied to the other side."


def legal(facts: ReportFacts) -> Chapter:
    sections = (
        Section("Which data went where", tuple(_flows(facts))),
        Section("Share on own hardware", tuple(_own_hardware(facts))),
        Section("What is kept, and how long", tuple(_kept(facts))),
        Section("Redaction in force", tuple(_redaction(facts.config))),
        Section("Opt-outs and erasure in force", tuple(_opt_outs(facts))),
        Section("Who changed what", tuple(_changes(facts))),
        Section("Access and encryption", tuple(_access(facts))),
        *frameworks(facts),
    )
    audience = "For legal, compliance and security: what the system knows, and what a person must add."
    return Chapter("legal", "3. Legal and security", audience, sections)


def _flows(facts: ReportFacts) -> Iterator[Block]:
    rows = [row for one in facts.workloads for row in _flow_rows(one)]
    rows += list(_flows_of_tools(facts.config))
    heads = ["workload", "data", "from", "to", "region", "hardware", "requests seen"]
    yield Table(heads, rows, "Requests in the report's period", (6,))
    undeclared = sorted(
        {name for name, backend in facts.config.backends.items() if backend.hardware is None or not backend.region}
    )
    if undeclared:
        yield NoData(
            f"hardware or region of {', '.join(undeclared)}",
            "not declared: set hardware (own, provider) and region of the backend in the configuration",
        )
    yield Text(
        "Clients' requests go through the company's own Envoy. Bodies of captured requests and answers go from Envoy "
        "to extproc, and from there to Redis; all of these run where the company runs them."
    )
    yield Source(
        ("glidepath cost --json",),
        "the sections backends, scoring, notify, registry, otel, kubernetes and redis of the configuration",
    )


def _flow_rows(one: WorkloadFacts) -> Iterator[list[str]]:
    traffic = [(point.baseline.traffic, point.candidate.traffic) for point in one.points]
    for name, backend, live, copies in (
        (
            "baseline",
            one.baseline,
            sum((b.live for b, _ in traffic), NOTHING_SENT).counted,
            sum((b.copies for b, _ in traffic), NOTHING_SENT).counted,
        ),
        (
            "candidate",
            one.candidate,
            sum((c.live for _, c in traffic), NOTHING_SENT).counted,
            sum((c.copies for _, c in traffic), NOTHING_SENT).counted,
        ),
    ):
        place = [host_of(backend), backend.region or "not declared", hardware_text(backend)]
        yield [one.name, f"clients' requests, {name}", "clients", *place, f"{live:,}"]
        yield [one.name, f"copies and probes, {name}", "extproc, scorer", *place, f"{copies:,}"]
    yield from _judges(one)


def _judges(one: WorkloadFacts) -> Iterator[list[str]]:
    scoring = one.workload.scoring
    if scoring.evaluator is not None:
        to = urlsplit(scoring.evaluator.url).hostname or "–"
        data = f"prompts and both answers of {scoring.evaluator.sample:.0%} of the pairs, for the evaluator"
        yield [one.name, data, "scorer", to, "not declared", "not declared", "–"]
    verifier = scoring.verifier
    if verifier is not None:
        to = "a command on the scorer's machine" if verifier.url is None else urlsplit(verifier.url).hostname or "–"
        yield [
            one.name,
            "requests and both answers, for the verifier",
            "scorer",
            to,
            "not declared",
            "not declared",
            "–",
        ]


def _flows_of_tools(config: Config) -> Iterator[list[str]]:
    for channel in config.notify:
        to = "its address is a secret" if channel.url is None else urlsplit(channel.url).hostname or "–"
        yield ["all", f"decisions, without bodies ({channel.kind})", "scorer", to, "not declared", "not declared", "–"]
    if config.registry is not None:
        to = urlsplit(config.registry.mlflow).hostname or "–"
        yield ["all", "the status of a model version", "scorer", to, "not declared", "not declared", "–"]
    if config.otel is not None:
        to = urlsplit(config.otel.endpoint or "").hostname or "the address in OTEL_EXPORTER_OTLP_ENDPOINT"
        data = "spans, evaluations and metrics: numbers, names and ids, no text (OpenTelemetry)"
        yield ["all", data, "extproc, scorer", to, "not declared", "not declared", "–"]
    if any(workload.actuator is not None for workload in config.workloads.values()):
        to = urlsplit(config.kubernetes.api or "").hostname or "the cluster in which the scorer runs"
        yield ["all", "weights of HTTPRoutes (Kubernetes API)", "scorer", to, "not declared", "not declared", "–"]
    yield [
        "all",
        "pairs after redaction, results, counts, decisions",
        "extproc, scorer, console",
        f"Redis at {redis_host_text(config)}",
        "not declared",
        "not declared",
        "–",
    ]
    embedder = config.scorer.embedder
    url = getattr(embedder, "url", None)
    if url:
        yield [
            "all",
            "texts of answers, for embedding",
            "scorer",
            urlsplit(url).hostname or "–",
            "not declared",
            "–",
            "–",
        ]


def _own_hardware(facts: ReportFacts) -> Iterator[Block]:
    rows, unknown = [], []
    for one in facts.workloads:
        sides = ((one.baseline, "baseline"), (one.candidate, "candidate"))
        counts = {
            name: sum((getattr(p, name).traffic.live for p in one.points), NOTHING_SENT).counted for _, name in sides
        }
        total = sum(counts.values())
        if not total:
            unknown.append(one.name)
            continue
        own = sum(counts[name] for backend, name in sides if backend.hardware == "own")
        undeclared = sum(counts[name] for backend, name in sides if backend.hardware is None)
        last = [point for point in one.points if point.baseline.requests + point.candidate.requests][-1:]
        now = "–" if not last else f"{last[0].percent:g} % asked for at the end"
        rows.append([one.name, f"{total:,}", f"{own / total:.1%}", f"{undeclared / total:.1%}", now])
    if rows:
        yield Table(
            ["workload", "clients' requests", "on own hardware", "not declared", "candidate's share"],
            rows,
            numbers=(1, 2, 3),
        )
    if unknown:
        yield NoData(f"the share of {', '.join(unknown)}", "no client's request was answered in this period")
    yield Source(("glidepath cost --json",), "requests by side, and backends.NAME.hardware")


def _kept(facts: ReportFacts) -> Iterator[Block]:
    excerpts = ", with excerpts" if facts.config.redaction.excerpts else ""
    rows = list(_kept_rows(facts, excerpts))
    heads = ["what", "at most for", "at most, a workload", *(one.name for one in facts.workloads)]
    shown = [
        [
            *row[:3],
            *(f"{getattr(one.stored, row[3]):,}" if row[3] else f"{len(one.points):,}" for one in facts.workloads),
        ]
        for row in rows
    ]
    yield Table(heads, shown, "What Redis keeps; the limit that is reached first applies", range(3, len(heads)))
    if (inventory := facts.config.inventory) is not None:
        yield Text(
            "The inventory keeps counts by path, model and caller for all of Envoy's requests, for "
            f"{format_duration(inventory.keep)}: no text, and credentials only as 48 bits of a keyed digest."
        )
    if excerpts:
        yield Text("Results hold the beginnings of answers (redaction.excerpts).", "asks")
    for one in facts.workloads:
        if one.stored.oldest_ms is not None:
            yield Text(f"{one.name}: the oldest bodies are from {time_text(one.stored.oldest_ms)} UTC.")
    yield Text(
        "The sticky value of a request, such as a user id in a header, is stored as a keyed digest only. A body may "
        "hold personal data that no pattern of the redaction matches. Redis is the only store of bodies; backups of "
        "Redis are the company's own."
    )
    if (log_file := facts.config.scorer.log_file) is not None:
        yield Text(
            f"Decisions, without bodies, are also appended to {log_file} on the scorer's machine, and are never "
            "removed."
        )
    yield Source(("redis-cli XLEN glidepath:{WORKLOAD}:pairs",), "and the section retention of the configuration")


def _kept_rows(facts: ReportFacts, excerpts: str) -> Iterator[list[str]]:
    """Yield a row for each kind of stored data: name, time limit, limit on the number, and field of ``one.stored``.

    The field is "" for the history.
    """
    kept = facts.config.retention
    most_age, kept_age = format_duration(kept.age), format_duration(kept.kept_age)
    results_age = most_age if excerpts else "no age limit"
    yield from [
        [
            "pairs: requests and both answers, after redaction",
            most_age,
            f"{kept.pairs:,} or {format_size(kept.bytes)}",
            "pairs",
        ],
        ["pairs that a decision names, or a person labelled", kept_age, f"{kept.kept:,}", "kept"],
        [f"results: numbers and flags of pairs{excerpts}", results_age, f"{kept.results:,}", "results"],
        ["outcome summaries: counts, no text", most_age, f"{kept.outcomes:,}", "outcomes"],
        ["people's labels", "until erased", f"{kept.labels:,}", "labels"],
        *_kept_of_feedback(facts),
        ["decision log", "until the limit", f"{kept.log:,}", "decisions"],
        ["history: numbers of periods", "100 days", "4,000 periods", ""],
    ]


def _kept_of_feedback(facts: ReportFacts) -> Iterator[list[str]]:
    """Yield rows for stored feedback, with the largest limits of all workloads that accept feedback."""
    taking = [one.workload.feedback for one in facts.workloads if one.workload.feedback is not None]
    if taking:
        window, requests = max(one.window for one in taking), max(one.requests for one in taking)
        shown, age = max(one.shown for one in taking), format_duration(facts.config.retention.age)
        yield ["digests of request ids, with the side", format_duration(window), f"{requests:,}", "served"]
        yield ["users' feedback, with redacted labels", f"{age} after the newest", f"{shown:,} requests", "feedback"]


def _redaction(config: Config) -> Iterator[Block]:
    found = config.redaction
    rows = [
        ["built-in patterns", ", ".join(found.builtin) or "none"],
        ["own patterns (regular expressions)", f"{len(found.patterns):,}"],
        ["further headers with a credential", ", ".join(found.credential_headers) or "none"],
        ["characters of each answer kept with its score", f"{found.excerpts:,}"],
    ]
    yield Table(["rule", "in force"], rows, "Matches become [redacted] before a body is stored")
    if not found.builtin and not found.patterns:
        yield Text("No pattern is in force: bodies are stored as they are.", "asks")
    yield Text(_HEADERS_NEVER_KEPT)
    yield Text("Redaction applies to what is stored. A copy that is sent to the other side has the whole body.", "asks")
    yield Source(("glidepath validate",), "and the section redaction of the configuration")


def _access(facts: ReportFacts) -> Iterator[Block]:
    config = facts.config
    rows = [
        ["the console, which shows pairs after redaction", console_access_text(config)],
        ["Redis, which holds them", redis_text(config)],
        ["transport to backends", tls_text(facts)],
        ["credentials of backends", credentials_text(facts)],
        ["Envoy's admin interface", ", ".join(config.envoy.admin) or "not used (RTDS only)"],
        *rows_without_login(config),
    ]
    yield Table(["what", "how"], rows)
    yield ToWrite("who may reach these addresses, and who holds the credentials")
    yield Source(
        ("glidepath doctor",),
        "and the sections console, redis, backends, envoy, extproc and scorer of the configuration",
    )


def _opt_outs(facts: ReportFacts) -> Iterator[Block]:
    rows = []
    for one in facts.workloads:
        counts = one.status.coverage if one.status is not None else {}
        left_out = f"{counts.get(Coverage.OPTED_OUT.value, 0):,}"
        for rule in one.workload.shadow.opt_out:
            values = ", ".join(rule.values) or "any value"
            effect = f"not copied to the {rule.to}" if rule.to else "not captured, not copied, not kept"
            rows.append([one.name, f"{rule.header}: {values}", effect, left_out])
    if rows:
        heads = ["workload", "requests with the header", "are", "left out, since the beginning"]
        yield Table(heads, rows, numbers=(3,))
    else:
        yield Text("No rule is in force (shadow.opt_out).", "asks")
    yield Text("Stored pairs of one user or one request are erased by glidepath erase --user VALUE or --request-id ID.")
    yield Source(("glidepath status --json",), "coverage, and shadow.opt_out of the configuration")


def _changes(facts: ReportFacts) -> Iterator[Block]:
    rows = []
    for one in facts.workloads:
        by: Counter[tuple[str, str]] = Counter()
        for decision in one.decisions:
            by[decision.actor, decision.event.replace("_", " ")] += 1
        rows += [[one.name, actor, event, f"{n:,}"] for (actor, event), n in sorted(by.items())]
    if rows:
        yield Table(["workload", "who", "what", "times"], rows, "The decision log of this period (append-only)", (3,))
    else:
        yield NoData("changes", "the decision log has no entry in this period")
    yield Source(("glidepath log --json",))
