"""The lines of ``glidepath pairs export``: one JSON object per pair, as docs/reference/pair-dataset.md describes it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from glidepath.config import Workload
from glidepath.pair_labels import PairLabel
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Answer, Pair
from glidepath.printable_text import printable_json
from glidepath_ops.pairs.select_pairs import request_id
from glidepath_ops.pairs.stored_texts import answer_text, prompt_text


def record_of(
    workload: Workload, pair: Pair | None, result: ScoredPair | None, label: PairLabel | None
) -> Mapping[str, Any]:
    """Return the fields of one line. At least one of ``pair`` and ``result`` must be given.

    The texts are null if the bodies are no longer stored. The scores are null without a result.
    """
    known = pair or result
    if known is None:
        raise ValueError("a pair without its bodies and without a result")
    return {
        "id": known.id if isinstance(known, Pair) else known.pair_id,
        "request_id": request_id(known.id if isinstance(known, Pair) else known.pair_id),
        "workload": known.workload,
        "kind": known.kind.value,
        "captured_at_ms": known.captured_at_ms,
        **_texts(workload, pair),
        "label": label.label.value if label else None,
        "labelled_by": label.who if label else None,
        "labelled_at_ms": label.at_ms if label else None,
        "note": label.note if label else None,
        **_scores(result),
        "baseline": _side(pair.baseline if pair else None, result.baseline if result else None),
        "candidate": _side(pair.candidate if pair else None, result.candidate if result else None),
    }


def _texts(workload: Workload, pair: Pair | None) -> dict[str, Any]:
    if pair is None:
        return {"path": None, "prompt": None, "left": None, "right": None}
    return {
        "path": pair.path,
        "prompt": prompt_text(pair),
        "left": answer_text(workload, pair, pair.baseline).text,
        "right": answer_text(workload, pair, pair.candidate).text,
    }


def _scores(result: ScoredPair | None) -> dict[str, Any]:
    if result is None:
        empty = dict.fromkeys(("agreement", "unscored_reason", "preference", "correctness"))
        return {**empty, "flags": [], "signals": {}}
    right = result.correctness
    return {
        "agreement": result.agreement if result.scored else None,
        "unscored_reason": result.unscored_reason or None,
        "flags": list(result.flags),
        "signals": dict(result.signals),
        "preference": result.preference.value if result.preference else None,
        "correctness": {"baseline": right.baseline, "candidate": right.candidate} if right else None,
    }


def _side(answer: Answer | None, facts: AnswerFacts | None) -> dict[str, Any]:
    known = answer or facts
    return {
        "backend": known.backend if known else None,
        "status": known.status if known else None,
        "total_ms": round(known.total_ms, 1) if known else None,
        "faults": list(facts.faults) if facts else [],
    }


def line_of(record: Mapping[str, Any]) -> bytes:
    """Return the record as one line of JSON, which a terminal can show.

    A lone surrogate, which UTF-8 cannot express, becomes "?". Infinity and NaN, which JSON cannot express, become null.
    """
    line = printable_json(json.dumps(_finite(record), ensure_ascii=False, allow_nan=False))
    return line.encode("utf-8", "replace") + b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
