"""The choice of the comparison for a task, the texts to embed, and one answer in two providers' forms."""

from __future__ import annotations

import json

import pytest

from glidepath.config.comparison import EmbeddingsSection, ScoringSection
from scorer.scoring.answers import Expectation, Extracted, FinishReason, Surface, ToolCall, extract
from scorer.scoring.compare import Comparison, Unscorable, compare, resolve_task, texts_to_embed
from tests.support.comparison_cases import compare_answers, text_answer

SETTINGS = ScoringSection()
ASKED = Expectation()


def test_identical_answers_and_harmless_rewrites_need_no_embedding() -> None:
    assert texts_to_embed("chat", ASKED, text_answer("It is 5."), text_answer("It is 5.")) == ()
    assert texts_to_embed("chat", ASKED, text_answer("It is 5."), text_answer("It is **5**.")) == ()
    assert len(texts_to_embed("chat", ASKED, text_answer("It is 5."), text_answer("Nobody knows."))) == 2
    assert texts_to_embed("classification", ASKED, text_answer("a"), text_answer("b")) == ()


def test_a_missing_vector_raises_a_key_error() -> None:
    with pytest.raises(KeyError):
        compare("chat", SETTINGS, ASKED, text_answer("It is 5."), text_answer("Nobody knows."), {})


def test_the_same_answer_in_two_providers_forms_scores_one() -> None:
    openai = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "It is 5."}, "finish_reason": "stop"}]
    }
    anthropic = {
        "type": "message", "role": "assistant", "content": [{"type": "text", "text": "It is 5."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }  # fmt: skip
    sides = [
        extract(
            path="",
            content_type="application/json",
            status=200,
            request_body=b"{}",
            response_body=json.dumps(body).encode(),
        )
        for body in (openai, anthropic)
    ]
    assert isinstance(sides[0], Extracted)
    assert isinstance(sides[1], Extracted)
    result = compare("chat", SETTINGS, ASKED, sides[0], sides[1], {})
    assert isinstance(result, Comparison)
    assert result.agreement == 1.0


@pytest.mark.parametrize(
    ("answer", "asked", "task"),
    [
        (Extracted(Surface.OPENAI_EMBEDDINGS, vectors=((1.0,),)), ASKED, "embeddings"),
        (Extracted(Surface.TEI_RERANK, ranking=((0, 1.0),)), ASKED, "rerank"),
        (Extracted(Surface.TEI_PREDICT, label="spam"), ASKED, "classification"),
        (text_answer("", tool_calls=(ToolCall("f", {}),)), ASKED, "tools"),
        (text_answer('{"a": 1}'), ASKED, "extraction"),
        (text_answer("nothing yet", structured_error="no JSON"), Expectation(json_mode=True), "extraction"),
        (text_answer("42"), ASKED, "chat"),
        (text_answer("Hello."), ASKED, "chat"),
    ],
)
def test_auto_is_resolved_by_the_content_of_the_answers(answer: Extracted, asked: Expectation, task: str) -> None:
    assert resolve_task("auto", asked, answer, answer) == task
    assert resolve_task("chat", asked, answer, answer) == "chat"


def test_finish_reasons_and_refusals_reach_the_signals() -> None:
    answer = "The answer has several parts, and each of them needs a little patience."
    cut = compare_answers(text_answer(answer), text_answer(answer[:40], finish_reason=FinishReason.LENGTH))
    assert "truncation" in cut.flags
    refused = compare_answers(text_answer(answer), text_answer("", refusal="I won't say."))
    assert "refusal" in refused.flags


def test_a_chat_answer_with_calls_is_compared_by_its_calls() -> None:
    left, right = (
        text_answer("", tool_calls=(ToolCall("f", {"x": 1}),)),
        text_answer("Let me see.", tool_calls=(ToolCall("f", {"x": 1}),)),
    )
    assert compare_answers(left, right).agreement == 1.0
    assert compare_answers(left, text_answer("I would call f.")).flags[0] == "tool"


def test_extraction_compares_structured_answers_with_text_that_is_json() -> None:
    left, right = (
        text_answer('{"a": 1, "b": 2}', structured={"a": 1, "b": 2}),
        text_answer('```json\n{"b": 2, "a": 3}\n```'),
    )
    result = compare_answers(left, right, "extraction", Expectation(json_mode=True))
    assert (result.agreement, result.flags) == (0.5, ("field_values",))
    assert compare_answers(left, text_answer("no"), "extraction").flags == ("json",)


def test_vectors_of_two_models_are_unscorable_with_a_reason() -> None:
    left = Extracted(Surface.OPENAI_EMBEDDINGS, vectors=((1.0, 0.0),), model="a")
    right = Extracted(Surface.OPENAI_EMBEDDINGS, vectors=((1.0, 0.0),), model="b")
    result = compare("embeddings", SETTINGS, ASKED, left, right, {})
    assert isinstance(result, Unscorable)
    assert result.reason == "no_common_space"
    declared = ScoringSection(embeddings=EmbeddingsSection(same_space=True))
    assert isinstance(compare("embeddings", declared, ASKED, left, right, {}), Comparison)


def test_a_text_in_place_of_a_ranking_is_unscorable() -> None:
    assert isinstance(compare("rerank", SETTINGS, ASKED, text_answer("no"), text_answer("no"), {}), Unscorable)


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", ""])
def test_an_empty_ranking_is_compared(path: str) -> None:
    def ranked(*indices: int) -> Extracted:
        body = {"id": "r", "results": [{"index": i, "relevance_score": 1 - i / 10} for i in indices]}
        found = extract(
            path=path, content_type="", status=200, request_body=b"{}", response_body=json.dumps(body).encode()
        )
        assert isinstance(found, Extracted)
        return found

    result = compare_answers(ranked(0, 1, 2), ranked(), "rerank")
    assert (result.agreement, result.flags) == (0.0, ("top_document", "documents"))
    assert compare_answers(ranked(), ranked(), "auto").agreement == 1.0
    other = compare("rerank", SETTINGS, ASKED, ranked(0), text_answer("The first one."), {})
    assert isinstance(other, Unscorable)
