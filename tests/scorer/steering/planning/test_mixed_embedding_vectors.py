"""An index gets vectors of one model only, unless the file says otherwise; in that case, there is a warning."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from scorer.steering.planning.mixed_embedding_vectors import mixed_vectors
from scorer.steering.planning.unprovable_limits import undecidable_in_config


def config(more: str) -> str:
    return f"""
backends: {{cloud: {{url: "http://c"}}, onprem: {{url: "http://o"}}}}
workloads: {{index: {{match: {{path: /v1/embeddings}}, baseline: cloud, candidate: onprem, {more}}}}}
"""


def test_embeddings_move_at_once_by_a_persons_order_and_without_fallback() -> None:
    workload = parse_config(config("task: embeddings")).workloads["index"]
    assert (workload.fallback, workload.ramp.steps, workload.ramp.approval) == (False, (100.0,), True)
    assert mixed_vectors(workload) == ()


def test_what_the_file_says_stays() -> None:
    more = "task: embeddings, fallback: true, ramp: {steps: [50, 100]}"
    workload = parse_config(config(more)).workloads["index"]
    assert (workload.fallback, workload.ramp.steps, workload.ramp.approval) == (True, (50.0, 100.0), False)


@pytest.mark.parametrize(
    ("more", "texts"),
    [
        ("task: embeddings, fallback: true", ["set fallback: false"]),
        ("task: embeddings, ramp: {steps: [1, 50, 100]}", ["at 1 %, 50 %, one index gets vectors of two models"]),
        ("task: embeddings, ramp: {hold: 1h}", []),
        ("task: rerank", []),
    ],
)
def test_a_split_and_a_fallback_of_embeddings_cause_warnings(more: str, texts: list[str]) -> None:
    parsed = parse_config(config(more))
    found = mixed_vectors(parsed.workloads["index"])
    assert len(found) == len(texts)
    assert all(text in warning for text, warning in zip(texts, found, strict=True))
    assert set(found) <= set(undecidable_in_config(parsed, "index"))
