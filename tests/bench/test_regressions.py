"""The regression benchmark: repeatable mutations, the definition of its threshold, and the goals on a sample."""

from __future__ import annotations

import random

import pytest

from bench.planted_passages import HELD_OUT
from bench.regressions import ANSWERS, GOALS, HARMFUL, HARMLESS, Case, alarm_threshold, judge, read_answers, run
from glidepath.config.processes import EmbedderSection
from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, lexicon_of
from scorer.scoring.embed import load_embedder

TEXTS = read_answers(ANSWERS)


def test_there_are_forty_varied_answers() -> None:
    assert len(TEXTS) >= 40
    assert all(len(text) > 80 for text in TEXTS)


@pytest.mark.parametrize("kind", [*HARMLESS, *HARMFUL])
def test_a_mutation_is_repeatable_and_changes_something(kind: str) -> None:
    mutate = (HARMLESS | HARMFUL)[kind]
    changed = [mutate(text, random.Random(3)) for text in TEXTS]
    assert changed == [mutate(text, random.Random(3)) for text in TEXTS]
    pairs = [(t, c) if isinstance(c, str) else c for t, c in zip(TEXTS, changed, strict=True) if c is not None]
    assert all(before != after for before, after in pairs)
    assert any(after is not None for after in changed)


def test_two_in_a_hundred_scores_are_below_the_threshold() -> None:
    scores = [i / 100 for i in range(100)]
    threshold = alarm_threshold(scores)
    assert sum(score < threshold for score in scores) == 2


def test_the_held_out_opposites_are_not_in_the_list() -> None:
    assert len(HELD_OUT) >= 80
    assert not lexicon_of(ENGLISH).opposites & set(HELD_OUT)


def test_a_kind_that_is_not_caught_fails_the_benchmark() -> None:
    harmless = [Case("greeting", 0.99, 0.98, ()) for _ in range(50)]
    blind = [Case(kind, 1.0, 1.0, ()) for kind in GOALS]
    seeing = [Case(kind, 0.3, 1.0, (kind,)) for kind in GOALS]
    assert judge(harmless, blind)["goals_met"] is False
    assert judge(harmless, seeing)["goals_met"] is True


@pytest.mark.slow
def test_a_sample_meets_the_goals() -> None:
    embedder = load_embedder(EmbedderSection())
    sample = TEXTS[::9]
    known = {kind: mutate for kind, mutate in HARMLESS.items() if kind != "synonyms_unlisted"}
    report = judge(run(known, sample, 1, 5, embedder), run(HARMFUL, sample, 1, 5, embedder))
    assert report["goals_met"] is True, report
    assert report["harmless_flagged"] == 0.0, report
