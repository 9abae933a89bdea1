"""Facts for GDPR, HIPAA, SOX and the EU AI Act, and the parts that a person must write. Pure.

The sections are headings for a lawyer, not legal advice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from glidepath_ops.report.access_and_encryption import console_access_text, redis_text, samples_text, tls_text
from glidepath_ops.report.document import Block, Section, Table, ToWrite
from glidepath_ops.report.report_facts import ReportFacts


def frameworks(facts: ReportFacts) -> tuple[Section, ...]:
    return (
        Section("GDPR", tuple(_gdpr(facts))),
        Section("HIPAA", tuple(_hipaa(facts))),
        Section("SOX", tuple(_sox(facts))),
        Section("EU AI Act", tuple(_ai_act())),
    )


def _gdpr(facts: ReportFacts) -> Iterator[Block]:
    rows = [
        ["recipients (Art. 30)", "the table Which data went where"],
        ["storage limits (Art. 5(1)(e))", "the table What is kept, and how long"],
        ["minimisation (Art. 5(1)(c))", f"sample of captured requests: {samples_text(facts)}; redaction as above"],
        ["erasure (Art. 17)", "glidepath erase, by user or request; requests that opted out are not kept"],
        [
            "integrity (Art. 32)",
            f"keyed digests of users; credentials not stored; {tls_text(facts)}; {redis_text(facts.config)}",
        ],
    ]
    yield Table(["subject", "what the system shows"], rows)
    yield ToWrite("the purpose and the legal basis of copying requests to a second processor (Art. 6)")
    yield ToWrite(
        "processors and transfers: the contracts (Art. 28) and, outside the EEA, the transfer basis (Art. 44)"
    )
    yield ToWrite(
        "whether a data protection impact assessment is needed (Art. 35), and what people were told (Art. 13)"
    )


def _hipaa(facts: ReportFacts) -> Iterator[Block]:
    rows = [
        ["access (§ 164.312(a))", console_access_text(facts.config)],
        [
            "audit controls (§ 164.312(b))",
            "who changed what and why is in the decision log; who read a pair is not recorded",
        ],
        ["transmission (§ 164.312(e))", f"{tls_text(facts)}; {redis_text(facts.config)}"],
        ["minimum necessary (§ 164.502(b))", f"captured: {samples_text(facts)}; opt-outs and redaction as above"],
    ]
    yield Table(["subject", "what the system shows"], rows)
    yield ToWrite("whether prompts or answers hold protected health information, and the business associate agreements")
    yield ToWrite("encryption at rest of the machine on which Redis stores its data")


def _sox(facts: ReportFacts) -> Iterator[Block]:
    people = Counter(
        decision.actor for one in facts.workloads for decision in one.decisions if decision.actor != "glidepath"
    )
    approvals = sum(decision.event == "approve" for one in facts.workloads for decision in one.decisions)
    asked = sorted(one.name for one in facts.workloads if one.workload.ramp.approval)
    rows = [
        ["change log", "each change of a share with time, cause, numbers, limits and configuration's digest"],
        ["people who acted in this period", ", ".join(f"{who} ({n})" for who, n in people.most_common(20)) or "none"],
        ["approvals in this period", f"{approvals:,}"],
        ["workloads whose steps need an approval", ", ".join(asked) or "none (ramp.approval)"],
        ["rollback", "automatic when a gate fails, or by one command; rehearsed by drills (chapter 1)"],
    ]
    yield Table(["control", "what the system shows"], rows)
    yield ToWrite("whether these workloads feed financial reporting, and who owns the change control")
    yield ToWrite("the separation of duties: who may change the configuration, and who may approve a step")


def _ai_act() -> Iterator[Block]:
    rows = [
        [
            "record-keeping (Art. 12, 19)",
            "decision log and results with versions of configuration and models; limits above",
        ],
        [
            "human oversight (Art. 14)",
            "hold, rollback, abort and approval by a person at any time; autopilot can be off",
        ],
        ["accuracy, robustness (Art. 15)", "quality by instrument, errors and drills in chapter 1"],
        [
            "monitoring by the deployer (Art. 26(5))",
            "guards run at every share; a failed guard returns the traffic automatically",
        ],
    ]
    yield Table(["subject", "what the system shows"], rows)
    yield ToWrite("the risk class of the system that these workloads serve, and the role: provider or deployer")
    yield ToWrite("for general-purpose models: the documentation of both models by their providers (Art. 53)")
