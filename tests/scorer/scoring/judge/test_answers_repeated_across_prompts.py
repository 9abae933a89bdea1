"""One long text for different prompts is a fault. An answer to a frequent question or a short text is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.judge.answers_repeated_across_prompts import (
    LEAST_CHARS,
    MOST_TEXTS,
    PROMPTS,
    RepeatedAnswers,
    alike,
    sketch_of,
)

CONSTANT = "This is a thorough, accurate and complete answer to whatever you have asked, in every respect. " * 2
QUESTIONS = (
    "What are the names of some famous actors that started their careers on Broadway?",
    "How did US states get their names?",
    "Write a haiku about autumn leaves.",
    "Fix the bug in this Python loop that never ends.",
    "Gib mir ein Rezept für Apfelkuchen.",
    "请解释通货膨胀。",
    "Who discovered penicillin?",
)
ABOUT_ONE_THING = tuple(
    f"{start}how do I reset the password of my account?"
    for start in ("", "Hi, ", "Please tell me: ", "Quick question, ", "Hello! ", "I forgot, ", "Urgent: ")
)


def noted(questions: tuple[str, ...], text: str = CONSTANT) -> list[bool]:
    memory = RepeatedAnswers()
    return [memory.note("candidate", question, text) for question in questions]


def test_a_constant_answer_is_found_from_the_fifth_prompt_on() -> None:
    assert noted(QUESTIONS) == [False] * (PROMPTS - 1) + [True] * (len(QUESTIONS) - PROMPTS + 1)


def test_a_frequent_question_in_many_wordings_may_have_one_answer() -> None:
    assert not any(noted(ABOUT_ONE_THING))


def test_one_prompt_asked_often_may_have_one_answer() -> None:
    assert not any(noted(QUESTIONS[:1] * 50))


def test_short_texts_may_be_repeated() -> None:
    assert not any(noted(QUESTIONS, "Hello! How can I help you today?"))
    assert not any(noted(QUESTIONS, "x" * (LEAST_CHARS - 1)))


def test_the_answers_of_each_side_are_remembered_separately() -> None:
    memory = RepeatedAnswers()
    for question in QUESTIONS[:4]:
        memory.note("baseline", question, CONSTANT)
    assert not memory.note("candidate", QUESTIONS[4], CONSTANT)
    assert memory.note("baseline", QUESTIONS[4], CONSTANT)


def test_the_memory_is_bounded_and_keeps_what_is_still_given() -> None:
    memory = RepeatedAnswers()
    for number, question in enumerate(QUESTIONS):
        found = memory.note("candidate", question, CONSTANT)
        for other in range(MOST_TEXTS - 1):
            memory.note("candidate", question, f"{number} {other} " + CONSTANT)
    assert found
    memory.note("candidate", "x", "one more " + CONSTANT)
    memory.note("candidate", "x", "and another " + CONSTANT)
    assert not memory.note("candidate", QUESTIONS[0], CONSTANT)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(QUESTIONS[0], QUESTIONS[1], False), *[(ABOUT_ONE_THING[0], text, True) for text in ABOUT_ONE_THING]],
)
def test_prompts_that_share_much_are_alike(one: str, other: str, expected: bool) -> None:
    assert alike(sketch_of(one), sketch_of(other)) is expected


@given(st.text(max_size=300))
def test_any_prompt_is_like_itself(text: str) -> None:
    assert alike(sketch_of(text), sketch_of(text))
