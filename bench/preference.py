"""Replay recorded judgements through the preference gate: ``make bench-preference ARGS="FILE.jsonl ..."``.

Each line of a file is one judged pair: ``{"preference": 0..1, "request"?, "baseline"?, "candidate"?}``, where 1 means
that the judge prefers the candidate's answer. A replay draws pairs from a file with replacement, and looks at the gate
after every pair. The gate has the default settings, and its share of alpha at a step of a ramp. A preference for an
answer that addresses its judge does not count, as in production. A line without texts counts as recorded, with one
exception: if the candidate's text is the same in all lines that have texts, it is assumed in the other lines too.

The goals depend on the recorded mean of the file: with at least 0.45, the gate must pass, and with at most 0.3, it must
fail. A constant answer must never pass. The exit status is 1 if a goal is missed. Without files, nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glidepath.config import Workload, parse_config
from glidepath.pair_scores import Preference
from glidepath.status_and_decisions import GateOutcome
from scorer.scoring.answers import Expectation, extract
from scorer.scoring.compare.evaluator.judge_addressing import addresses_judge
from scorer.scoring.judge.judge_answer import judge_answer
from scorer.steering.evidence.gate_observations import PreferenceGiven
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.gates_of_workload import specs_of
from scorer.steering.evidence.preference_gate import PreferenceGate
from scorer.steering.evidence.verdicts import outcome_of

ALPHA = 0.05
_CONFIG = """\
backends: {a: {url: "http://a.test"}, b: {url: "http://b.test"}}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    task: chat
    baseline: a
    candidate: b
    scoring: {evaluator: {url: "http://127.0.0.1:1", model: judge}}
"""
_WORSE, _EQUAL, _BETTER = 0.3, 0.45, 0.55  # the means that divide the files into kinds


@dataclass(frozen=True, slots=True)
class Recording:
    """The judgements of one file.

    - ``texts``: the number of the candidate's texts; ``defects``: their faults by kind
    - ``recorded``: the recorded mean
    - ``scores``: the preferences, without those for texts that address their judge
    """

    name: str
    recorded: float
    scores: tuple[PreferenceGiven, ...]
    withheld: int
    constant: bool
    texts: int
    defects: Counter[str]

    @property
    def kind(self) -> str:
        if self.constant:
            return "constant"
        mean = self.recorded
        return "better" if mean >= _BETTER else "equal" if mean >= _EQUAL else "worse" if mean <= _WORSE else "between"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="recorded judgements")
    parser.add_argument("--runs", type=int, default=1000, help="number of replays of each file")
    parser.add_argument("--pairs", type=int, default=2000, help="largest number of pairs in a replay")
    parser.add_argument("--margin", type=float, default=0.05, help="gates.preference.margin")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if not options.files:
        print("skipped: no recorded judgements; give the paths of the files as arguments")
        return 0
    spec = _spec(options.margin)
    rows = [_measure(read(path), spec, options.runs, options.pairs, options.seed) for path in options.files]
    _print(rows)
    print(json.dumps({"benchmark": "preference", "runs": options.runs, "margin": options.margin, "rows": rows}))
    return 0 if all(row["goal_met"] for row in rows) else 1


def _spec(margin: float) -> GateSpec:
    workload: Workload = parse_config(_CONFIG + f"    gates: {{preference: {{margin: {margin:.2%}}}}}\n").workload(
        "chat"
    )
    return next(spec for spec in specs_of(workload, 10) if spec.name == "preference")


def read(path: Path) -> Recording:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    texts = [line["candidate"] for line in lines if line.get("candidate")]
    constant = len(texts) > 1 and len(set(texts)) == 1
    known: dict[str, bool] = {}

    def addressing(text: str) -> bool:
        if text not in known:
            known[text] = bool(text) and addresses_judge(text)
        return known[text]

    scores = []
    for line in lines:
        candidate = line.get("candidate") or (texts[0] if constant else "")
        scores.append(_given(line["preference"], addressing(candidate), addressing(line.get("baseline") or "")))
    return Recording(
        name=path.stem,
        recorded=float(np.mean([line["preference"] for line in lines])),
        scores=tuple(scores),
        withheld=sum(one.verdict is not None for one in scores),
        constant=constant,
        texts=len(texts),
        defects=Counter(kind for text in texts for kind in _faults(text)),
    )


def _given(preference: float, candidate_addresses: bool, baseline_addresses: bool) -> PreferenceGiven:
    if candidate_addresses and preference > 0.5:
        return PreferenceGiven(Preference.FORFEIT.score, Preference.FORFEIT)
    if baseline_addresses and preference < 0.5:
        return PreferenceGiven(Preference.WITHHELD.score, Preference.WITHHELD)
    return PreferenceGiven(preference)


def _faults(text: str) -> Iterable[str]:
    body = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()
    kind, path = "application/json", "/v1/chat/completions"
    found = extract(path=path, content_type=kind, status=200, request_body=b"{}", response_body=body)
    faults = judge_answer(status=200, content_type=kind, body=body, cut=False, expected=Expectation(), found=found)
    return {fault.kind.value for fault in faults}


def _measure(recording: Recording, spec: GateSpec, runs: int, most: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found = [_replay(recording.scores, spec, most, rng) for _ in range(runs)]
    failed = [n for outcome, n in found if outcome is GateOutcome.FAIL]
    passed = [n for outcome, n in found if outcome is GateOutcome.PASS]
    row: dict[str, Any] = {
        "candidate": recording.name,
        "kind": recording.kind,
        "recorded": round(recording.recorded, 3),
        "mean": round(float(np.mean([one.score for one in recording.scores])), 3),
        "rolled_back": len(failed) / runs,
        "after": int(np.median(failed)) if failed else None,
        "promoted": len(passed) / runs,
        "promoted_after": int(np.median(passed)) if passed else None,
        "withheld": recording.withheld,
        "pairs": len(recording.scores),
        "defects": {kind: f"{n} of {recording.texts}" for kind, n in recording.defects.most_common()},
    }
    return {**row, "goal_met": _goal_met(row)}


def _replay(
    scores: Sequence[PreferenceGiven], spec: GateSpec, most: int, rng: np.random.Generator
) -> tuple[GateOutcome, int]:
    gate = PreferenceGate(spec)
    for index in rng.integers(0, len(scores), most).tolist():
        gate.fold_preference(scores[index])
        outcome = outcome_of(gate)
        if outcome is not GateOutcome.INCONCLUSIVE:
            return outcome, gate.n
    return GateOutcome.INCONCLUSIVE, gate.n


def _goal_met(row: dict[str, Any]) -> bool:
    goals = {
        "better": row["rolled_back"] <= ALPHA and row["promoted"] >= 0.95,
        "equal": row["rolled_back"] <= ALPHA and row["promoted"] >= 0.8,
        "worse": row["rolled_back"] >= 0.99 and row["after"] is not None and row["after"] <= 100,
        "constant": row["promoted"] == 0,
    }
    return bool(goals.get(row["kind"], True))


def _print(rows: Sequence[dict[str, Any]]) -> None:
    heads = f"{'rolled back':>13}{'after':>7}{'promoted':>10}{'after':>7}"
    print(f"{'candidate':36}{'kind':10}{'recorded':>9}{'mean':>7}{heads}")
    for row in rows:
        after, late = (row[key] if row[key] is not None else "-" for key in ("after", "promoted_after"))
        missed = "" if row["goal_met"] else "  MISSED"
        print(
            f"{row['candidate'][:35]:36}{row['kind']:10}{row['recorded']:9.3f}{row['mean']:7.3f}"
            f"{row['rolled_back']:13.1%}{after:>7}{row['promoted']:10.1%}{late:>7}{missed}"
        )
        if row["withheld"] or row["defects"]:
            defects = ", ".join(f"{kind} {n}" for kind, n in row["defects"].items()) or "none"
            said = f"{row['withheld']} of {row['pairs']} preferences are for an answer that addresses its judge"
            print(f"    {said}; defects of its texts: {defects}")


if __name__ == "__main__":
    sys.exit(main())
