"""All provider formats, complete, streamed, truncated and with errors: the extracted answers must be equal."""

from pathlib import Path

import pytest

from scorer.scoring.answers import Extracted, FinishReason, Surface, Unusable, UnusableReason

TEXT = "The capital of France is Paris."
VECTORS = ((0.25, -0.5, 1.0), (0.10000000149011612, 0.20000000298023224, 0.30000001192092896))
NAMES = sorted(path.stem for path in (Path(__file__).parents[1] / "fixtures").glob("*.json"))

# format → (complete, streaming or "" if the API has none, error, error within a stream)
GENERATIVE = {
    Surface.OPENAI_CHAT: ("openai_chat", "openai_chat_stream", "openai_chat_error", "openai_chat_stream_error"),
    Surface.OPENAI_COMPLETIONS: (
        "openai_completions",
        "openai_completions_stream",
        "openai_completions_error",
        "openai_completions_stream_error",
    ),
    Surface.OPENAI_RESPONSES: (
        "openai_responses",
        "openai_responses_stream",
        "openai_responses_error",
        "openai_responses_stream_error",
    ),
    Surface.ANTHROPIC_MESSAGES: (
        "anthropic_messages",
        "anthropic_messages_stream",
        "anthropic_messages_error",
        "anthropic_messages_stream_error",
    ),
    Surface.OLLAMA_CHAT: ("ollama_chat", "ollama_chat_stream", "ollama_chat_error", "ollama_chat_stream_error"),
    Surface.OLLAMA_GENERATE: (
        "ollama_generate",
        "ollama_generate_stream",
        "ollama_generate_error",
        "ollama_generate_stream_error",
    ),
    Surface.TGI_GENERATE: ("tgi_generate", "tgi_generate_stream", "tgi_generate_error", "tgi_generate_stream_error"),
    Surface.SGLANG_GENERATE: (
        "sglang_generate",
        "sglang_generate_stream",
        "sglang_generate_error",
        "sglang_generate_stream_error",
    ),
    Surface.LLAMACPP_COMPLETION: (
        "native_llamacpp",
        "native_llamacpp_stream",
        "native_llamacpp_error",
        "native_llamacpp_stream_error",
    ),
    Surface.COHERE_CHAT: ("cohere_chat", "cohere_chat_stream", "cohere_chat_error", "cohere_chat_stream_error"),
    Surface.KSERVE_INFER: (
        "kserve_infer",
        "kserve_generate_stream",
        "kserve_infer_error",
        "kserve_generate_stream_error",
    ),
    Surface.GEMINI: ("gemini", "gemini_stream", "gemini_error", "gemini_stream_error"),
    Surface.BEDROCK_CONVERSE: ("bedrock", "bedrock_stream", "bedrock_error", "bedrock_stream_error"),
    Surface.CUSTOM: ("custom", "custom_stream", "custom_error", ""),
    Surface.PLAIN_TEXT: ("plain", "", "", ""),
}
OTHERS = {
    "openai_embeddings": (Surface.OPENAI_EMBEDDINGS, "openai_embeddings_error"),
    "openai_embeddings_base64": (Surface.OPENAI_EMBEDDINGS, "openai_embeddings_error"),
    "ollama_embed": (Surface.OLLAMA_EMBED, "ollama_embed_error"),
    "cohere_v1_embed": (Surface.COHERE_EMBED, "cohere_v2_embed_error"),
    "cohere_v2_embed": (Surface.COHERE_EMBED, "cohere_v2_embed_error"),
    "tei_embed": (Surface.TEI_EMBED, "tei_embed_error"),
    "cohere_v1_rerank": (Surface.COHERE_RERANK, "cohere_v2_rerank_error"),
    "cohere_v2_rerank": (Surface.COHERE_RERANK, "cohere_v2_rerank_error"),
    "tei_rerank": (Surface.TEI_RERANK, "tei_rerank_error"),
    "tei_predict": (Surface.TEI_PREDICT, "tei_predict_error"),
    "vllm_score_rerank": (Surface.VLLM_SCORE, "vllm_score_error"),
    "vllm_classify": (Surface.VLLM_CLASSIFY, "vllm_score_error"),
    "tfserving_predict_embed": (Surface.TFSERVING_PREDICT, "tfserving_predict_error"),
}
COMPLETE = [(surface, row[0]) for surface, row in GENERATIVE.items()] + [
    (Surface.COHERE_CHAT, "cohere_v1_chat"),
    (Surface.GEMINI, "gemini_array"),
]
STREAMING = [(surface, row[1]) for surface, row in GENERATIVE.items() if row[1]] + [
    (Surface.COHERE_CHAT, "cohere_v1_chat_stream"),
    (Surface.SGLANG_GENERATE, "sglang_generate_parts"),
]
ERRORS = sorted({name for row in GENERATIVE.values() for name in row[2:] if name} | {row[1] for row in OTHERS.values()})
TOOLS = [name for name in NAMES if name.endswith(("_tool", "_tool_stream")) and not name.startswith("llamacpp")]
# Triton's generate_stream has no final event and plain text has no end mark, so a cut cannot be recognised.
WITHOUT_END_MARK = ("kserve_generate_stream", "plain")


@pytest.mark.parametrize(("surface", "name"), [*COMPLETE, *STREAMING], ids=lambda value: str(value))
def test_complete_answers_are_equal_in_every_format(load, surface, name):
    answer = load(name).answer()
    assert isinstance(answer, Extracted)
    assert answer.surface is surface
    assert answer.text == TEXT
    assert answer.tool_calls == ()
    expected = FinishReason.OTHER if name == "kserve_generate_stream" else FinishReason.STOP
    assert answer.finish_reason is expected


def test_answers_in_different_formats_have_equal_content(load):
    rows = [row for row in (*COMPLETE, *STREAMING) if row[1] != "kserve_generate_stream"]
    assert len({load(name).answer().content for _, name in rows}) == 1


@pytest.mark.parametrize("name", TOOLS)
def test_tool_calls_are_equal_in_every_format(load, name):
    answer = load(name).answer()
    assert isinstance(answer, Extracted)
    assert [(call.name, call.arguments, call.error) for call in answer.tool_calls] == [
        ("weather", {"city": "Paris"}, "")
    ]
    assert answer.finish_reason is FinishReason.TOOL_CALLS
    assert answer.text == ""


def test_every_format_with_tool_calls_has_a_fixture():
    assert len(TOOLS) == 14


@pytest.mark.parametrize("name", OTHERS)
def test_vectors_rankings_and_labels_are_equal_in_every_format(load, name):
    answer = load(name).answer()
    assert isinstance(answer, Extracted)
    assert answer.surface is OTHERS[name][0]
    if "embed" in name:
        assert answer.vectors == VECTORS
    elif "rerank" in name:
        assert answer.ranking == ((1, 0.9), (2, 0.2), (0, 0.1))
    else:
        assert answer.label == "POSITIVE"


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_typed_and_have_the_servers_message(load, name):
    outcome = load(name).answer()
    assert isinstance(outcome, Unusable)
    assert outcome.reason is UnusableReason.ERROR_BODY
    assert outcome.detail


@pytest.mark.parametrize("name", [name for name in ERRORS if name != "cohere_v2_embed_error"])
def test_an_error_with_status_200_is_unusable(load, name):
    outcome = load(name).answer(status=200)
    assert isinstance(outcome, Unusable)
    assert outcome.reason in (UnusableReason.ERROR_BODY, UnusableReason.UNSUPPORTED)


@pytest.mark.parametrize("name", [n for n in NAMES if "error" not in n and n not in WITHOUT_END_MARK])
def test_a_body_cut_anywhere_is_truncated_or_has_the_complete_answer(load, name):
    exchange = load(name)
    whole = exchange.answer()
    assert isinstance(whole, Extracted)
    step = 1 if len(exchange.response) < 1200 else 41
    for end in range(1, len(exchange.response), step):
        cut = exchange.answer(response=exchange.response[:end])
        if isinstance(cut, Extracted):
            assert cut.content == whole.content, exchange.response[:end]
        else:
            assert cut.reason is UnusableReason.TRUNCATED, (cut, exchange.response[:end])


@pytest.mark.parametrize("name", [row[1] for row in STREAMING if row[1] not in WITHOUT_END_MARK])
def test_a_stream_without_its_last_third_is_truncated(load, name):
    exchange = load(name)
    cut = exchange.answer(response=exchange.response[: len(exchange.response) * 2 // 3])
    assert isinstance(cut, Unusable)
    assert cut.reason is UnusableReason.TRUNCATED


@pytest.mark.parametrize("name", [n for n in NAMES if "error" not in n and n not in WITHOUT_END_MARK])
def test_the_content_type_does_not_change_the_answer(load, name):
    exchange = load(name)
    whole = exchange.answer()
    for kind in ("", "application/json", "application/octet-stream"):
        assert exchange.answer(content_type=kind) == whole


@pytest.mark.parametrize("name", [n for n in NAMES if "error" not in n and not n.startswith(("custom", "plain"))])
def test_a_body_may_have_another_format_than_its_path_suggests(load, name):
    exchange = load(name)
    assert exchange.answer(path="/v1/chat/completions").content == exchange.answer().content


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("llamacpp_chat", "llamacpp_chat_stream"),
        ("llamacpp_chat", "llamacpp_chat_stream_usage"),
        ("llamacpp_chat", "llamacpp_messages"),
        ("llamacpp_chat", "llamacpp_messages_stream"),
        ("llamacpp_chat", "llamacpp_responses"),
        ("llamacpp_chat", "llamacpp_responses_stream"),
        ("llamacpp_chat_tool", "llamacpp_chat_tool_stream"),
        ("llamacpp_chat_tool", "llamacpp_messages_tool"),
        ("llamacpp_chat_tool", "llamacpp_messages_tool_stream"),
        ("llamacpp_chat_two", "llamacpp_chat_two_stream"),
        ("llamacpp_completion", "llamacpp_completion_stream"),
        ("llamacpp_embeddings", "llamacpp_embeddings_base64"),
    ],
)
def test_a_real_server_gives_equal_answers_in_all_its_formats(load, one, other):
    first, second = load(one).answer(), load(other).answer()
    assert isinstance(first, Extracted)
    assert first.content == second.content
    if not other.startswith(("llamacpp_chat_stream", "llamacpp_chat_t")):
        assert (first.input_tokens, first.output_tokens) == (second.input_tokens, second.output_tokens)


def test_the_requested_usage_of_a_real_stream_is_read(load):
    answer = load("llamacpp_chat_stream_usage").answer()
    assert (answer.input_tokens, answer.output_tokens) == (26, 21)
