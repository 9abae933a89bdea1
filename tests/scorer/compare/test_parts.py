"""The pieces under the chat comparison: canonical form, tokens, edits, faults."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.compare.canonical import canonical
from scorer.compare.code import broken_code
from scorer.compare.edits import align
from scorer.compare.faults import garbling, leaks, refusal, repeats, unfinished
from scorer.compare.language import language
from scorer.compare.lexicon import excludes, quantity, same_word
from scorer.compare.reading import Reading
from scorer.compare.tokens import MAX_TOKENS, tokenize


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("## Title\n\n* **one**\n* two", "Title one two"),
        ("See [the docs](https://x.test/a_(b)) now.", "See the docs now."),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"),
        ("“It’s” – fine…", '"It\'s" - fine...'),
        ("Sure! Here's the answer:\n\nIt is 5.\n\nHope this helps!", "It is 5."),
        ("Sure!", "Sure!"),
        ("Certainly! Here is a recipe for Bloody Mary:\nStir.", "Here is a recipe for Bloody Mary: Stir."),
    ],
)
def test_canonical_form(written: str, form: str) -> None:
    assert canonical(written) == form


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_canonical_form_and_tokens_never_raise(text: str) -> None:
    assert len(tokenize(canonical(text))) <= MAX_TOKENS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,234.50", "1234.5"), ("5.5 million", "5,500,000"), ("three", "3"), ("12%", "12 percent"),
        ("2020-3-4", "2020/03/04"),
        ("can't", "cannot"), ("it's", "it is"), ("$5", "$ 5"), ("5 km", "5 kilometres"), ("Jan", "January"),
    ],
)  # fmt: skip
def test_one_thing_in_two_forms_has_one_key(one: str, other: str) -> None:
    assert [t.key for t in tokenize(one)] == [t.key for t in tokenize(other)]


def test_numbers_that_differ_have_keys_that_differ() -> None:
    keys = [
        "".join(t.key for t in tokenize(f"at {n} units"))
        for n in ("5", "-5", "5.1", "50", "5 million", "5 billion", "05:30")
    ]
    assert len(set(keys)) == len(keys)


@given(
    st.lists(st.sampled_from(["a", "b", "c", "D", "1", "2", "not"]), max_size=20),
    st.lists(st.sampled_from(["a", "b", "c", "D", "1", "2", "not"]), max_size=20),
)
def test_likeness_is_bounded_and_symmetric(left: list[str], right: list[str]) -> None:
    a, b = tokenize(" ".join(left)), tokenize(" ".join(right))
    one, other = align(a, b).likeness, align(b, a).likeness
    assert 0.0 <= one <= 1.0
    assert one == other
    assert align(a, a).likeness == 1.0


def test_opposites_classes_and_spellings() -> None:
    assert excludes("more", "less")
    assert excludes("possible", "impossible")
    assert excludes("monday", "friday")
    assert not excludes("big", "large")
    assert quantity("million", "billion")
    assert quantity("percent", "pound")
    assert same_word("colour", "color")
    assert same_word("organised", "organized")
    assert not same_word("million", "billion")


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, but I can't assist with that request.",
        "I cannot provide information about this.",
        "As a large language model, I am not able to give legal advice.",
        "Unfortunately, I won't be able to answer this question.",
        "I must decline.",
        "Sorry, I can’t help with that. Is there anything else?",
        "I'm not able to discuss this topic.",
    ],
)
def test_a_refusal_is_recognised(said: str) -> None:
    assert refusal(Reading(said)).degree == 1.0


@pytest.mark.parametrize(
    "said",
    [
        "The library cannot be used without a key. Install it first, then run the command twice.",
        "Sorry to hear that your cat is ill. Give her water and call the vet.",
        "You cannot help everyone, but you can help someone.",
    ],
)
def test_an_answer_with_the_words_of_a_refusal_is_none(said: str) -> None:
    assert refusal(Reading(said)).degree < 0.5


def test_special_tokens_leak_and_html_does_not() -> None:
    for leak in (
        "<|im_end|>",
        "<|eot_id|>",
        "</s>",
        "[/INST]",
        "<start_of_turn>model",
        "<｜end▁of▁sentence｜>",
        "\n\nHuman: hi",
    ):
        assert leaks(Reading("Fine. " + leak)).degree == 1.0, leak
    assert leaks(Reading("Use <div> and <span class='x'>, a < b and b > c, or [x](y).")).degree == 0.0


def test_loops_are_counted_in_words() -> None:
    assert repeats(Reading("one two three four five six seven eight nine ten")).count == 0
    assert repeats(Reading("go " * 20)).run == 19
    said = "The cat sat on the mat today. "
    assert repeats(Reading(said * 3)).count >= 14


def test_the_form_of_a_cut_text() -> None:
    assert unfinished(Reading("This sentence has no end because the")).degree == 1.0
    assert unfinished(Reading("Here:\n```python\nx = 1")).degree == 1.0
    assert unfinished(Reading("It ends well.")).degree == 0.0
    assert unfinished(Reading("- apples\n- pears")).degree == 0.0


def test_garbling_is_seen_and_plain_words_are_not_garbled() -> None:
    assert garbling(Reading("Ã©tÃ© â€™ naÃ¯ve franÃ§ais Ã©cole")).degree == 1.0
    assert garbling(Reading("xqzk vjwq plmkz qqjh zzxk wvbq")).degree == 1.0
    assert (
        garbling(Reading("Kubernetes schedules pods; OAuth2, IPv6 and PostgreSQL are fine, so is GitHub.")).degree
        == 0.0
    )


def test_language_needs_enough_text_to_speak_up() -> None:
    english = "The weather is nice today and we will go to the lake in the afternoon."
    german = "Das Wetter ist heute schön und wir fahren am Nachmittag an den See."
    assert language(english, german).divergence == 1.0
    assert language(english, english + " Really.").divergence == 0.0
    assert language("Oui", "Yes").divergence == 0.0
    assert language(english, "今天天气很好，我们下午去湖边。").divergence == 1.0


def test_code_is_judged_by_its_own_grammar() -> None:
    assert broken_code("```json\n{'a': 1}\n```").degree == 1.0
    assert broken_code("```js\nfunction f() { return (1; }\n```").degree == 1.0
    assert broken_code("```js\nconst s = '}';  // {\n```").degree == 0.0
    assert broken_code("```\nanything goes (\n```").degree == 0.0
    assert broken_code("```python\n>>> 1 +\n```").degree == 0.0


@pytest.mark.parametrize(
    "text",
    [" " * 500_000, "*" * 200_000, "|-" * 50_000, "```\n" * 20_000, "{{" * 50_000, ")" * 100_000 + "x", "a'" * 50_000],
)
def test_no_text_makes_a_pattern_run_away(text: str) -> None:
    started = time.process_time()
    reading = Reading(text)
    assert len(reading.tokens) <= MAX_TOKENS
    unfinished(reading)
    leaks(reading)
    broken_code(text)
    assert time.process_time() - started < 5
