"""The way in: tasks, what is embedded, and one answer in two providers' forms."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from glidepath.config.comparison import EmbeddingsSection, ScoringSection, Task
from scorer.scoring.answers import Choice, Expectation, Extracted, FinishReason, Surface, ToolCall, extract
from scorer.scoring.compare import Comparison, NoiseFloor, Unscorable, compare, resolve_task, texts_to_embed
from scorer.scoring.embed import Vectors

SETTINGS = ScoringSection()
ASKED = Expectation()


def text(said: str, **more: object) -> Extracted:
    return Extracted(Surface.OPENAI_CHAT, (Choice(said, **more),))  # type: ignore[arg-type]


def vectors_for(left: Extracted, right: Extracted, task: Task = "chat") -> Mapping[str, Vectors]:
    texts = texts_to_embed(task, ASKED, left, right)
    rows = np.eye(max(len(texts), 1), dtype=np.float32)
    return {t: rows[i : i + 1] for i, t in enumerate(texts)}


def agreement(task: Task, left: Extracted, right: Extracted, asked: Expectation = ASKED) -> Comparison:
    result = compare(task, SETTINGS, asked, left, right, vectors_for(left, right, task))
    assert isinstance(result, Comparison)
    return result


def test_identical_answers_and_harmless_rewrites_need_no_embedding() -> None:
    assert texts_to_embed("chat", ASKED, text("It is 5."), text("It is 5.")) == ()
    assert texts_to_embed("chat", ASKED, text("It is 5."), text("Sure! It is **5**.")) == ()
    assert len(texts_to_embed("chat", ASKED, text("It is 5."), text("Nobody knows."))) == 2
    assert texts_to_embed("classification", ASKED, text("a"), text("b")) == ()


def test_a_missing_vector_is_the_callers_error() -> None:
    with pytest.raises(KeyError):
        compare("chat", SETTINGS, ASKED, text("It is 5."), text("Nobody knows."), {})


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
        (text("", tool_calls=(ToolCall("f", {}),)), ASKED, "tools"),
        (text('{"a": 1}'), ASKED, "extraction"),
        (text("nothing yet", structured_error="no JSON"), Expectation(json_mode=True), "extraction"),
        (text("42"), ASKED, "chat"),
        (text("Hello."), ASKED, "chat"),
    ],
)
def test_auto_goes_by_what_the_answers_hold(answer: Extracted, asked: Expectation, task: str) -> None:
    assert resolve_task("auto", asked, answer, answer) == task
    assert resolve_task("chat", asked, answer, answer) == "chat"


def test_finish_reasons_and_refusals_reach_the_signals() -> None:
    said = "The answer has several parts, and each of them needs a little patience."
    cut = agreement("chat", text(said), text(said[:40], finish_reason=FinishReason.LENGTH))
    assert "truncation" in cut.flags
    refused = agreement("chat", text(said), text("", refusal="I won't say."))
    assert "refusal" in refused.flags


def test_a_chat_answer_with_calls_is_compared_by_its_calls() -> None:
    left, right = (
        text("", tool_calls=(ToolCall("f", {"x": 1}),)),
        text("Let me see.", tool_calls=(ToolCall("f", {"x": 1}),)),
    )
    assert agreement("chat", left, right).agreement == 1.0
    assert agreement("chat", left, text("I would call f.")).flags[0] == "tool"


def test_extraction_reads_structured_answers_and_text_that_is_json() -> None:
    left, right = text('{"a": 1, "b": 2}', structured={"a": 1, "b": 2}), text('```json\n{"b": 2, "a": 3}\n```')
    result = agreement("extraction", left, right, Expectation(json_mode=True))
    assert (result.agreement, result.flags) == (0.5, ("field_values",))
    assert agreement("extraction", left, text("no")).flags == ("json",)


def test_vectors_of_two_models_are_unscorable_and_say_why() -> None:
    left = Extracted(Surface.OPENAI_EMBEDDINGS, vectors=((1.0, 0.0),), model="a")
    right = Extracted(Surface.OPENAI_EMBEDDINGS, vectors=((1.0, 0.0),), model="b")
    result = compare("embeddings", SETTINGS, ASKED, left, right, {})
    assert isinstance(result, Unscorable)
    assert result.reason == "no_common_space"
    declared = ScoringSection(embeddings=EmbeddingsSection(same_space=True))
    assert isinstance(compare("embeddings", declared, ASKED, left, right, {}), Comparison)


def test_a_text_where_a_ranking_should_be_is_unscorable() -> None:
    assert isinstance(compare("rerank", SETTINGS, ASKED, text("no"), text("no"), {}), Unscorable)


def test_a_floor_survives_json_and_adds_up() -> None:
    floor = NoiseFloor().fold({"numbers": 1.0, "names": 0.2}, 0.9)
    assert NoiseFloor.from_json((floor + floor).to_json()) == floor + floor
    assert (floor.rate("numbers"), floor.rate("names"), floor.agreement) == (1.0, 0.0, 0.9)
    assert not floor.known


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", ""])
def test_an_empty_ranking_is_an_answer_and_counts(path: str) -> None:
    def ranked(*indices: int) -> Extracted:
        body = {"id": "r", "results": [{"index": i, "relevance_score": 1 - i / 10} for i in indices]}
        found = extract(
            path=path, content_type="", status=200, request_body=b"{}", response_body=json.dumps(body).encode()
        )
        assert isinstance(found, Extracted)
        return found

    result = agreement("rerank", ranked(0, 1, 2), ranked())
    assert (result.agreement, result.flags) == (0.0, ("top_document", "documents"))
    assert agreement("auto", ranked(), ranked()).agreement == 1.0
    said = compare("rerank", SETTINGS, ASKED, ranked(0), text("The first one."), {})
    assert isinstance(said, Unscorable)
