"""The expectations that are read from requests of every API format."""

import json

import pytest

from scorer.scoring.answers import Surface, expectation

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
GEMINI = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}


def asked(path="/v1/chat/completions", **request):
    return expectation(path, json.dumps(request).encode())


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/v1/chat/completions", Surface.OPENAI_CHAT),
        ("/openai/deployments/x/chat/completions?api-version=2024-06-01", Surface.OPENAI_CHAT),
        ("/v1/completions/", Surface.OPENAI_COMPLETIONS),
        ("/v1/responses", Surface.OPENAI_RESPONSES),
        ("/v1/embeddings", Surface.OPENAI_EMBEDDINGS),
        ("/v1/messages", Surface.ANTHROPIC_MESSAGES),
        ("/api/chat", Surface.OLLAMA_CHAT),
        ("/api/generate", Surface.OLLAMA_GENERATE),
        ("/api/embed", Surface.OLLAMA_EMBED),
        ("/api/embeddings", Surface.OLLAMA_EMBED),
        ("/generate_stream", Surface.TGI_GENERATE),
        ("/v2/models/m/versions/1/infer", Surface.KSERVE_INFER),
        ("/v2/models/m/generate", Surface.KSERVE_INFER),
        ("/v2/rerank", Surface.COHERE_RERANK),
        ("/rerank", Surface.TEI_RERANK),
        ("/embed", Surface.TEI_EMBED),
        ("/v1/embed", Surface.COHERE_EMBED),
        ("/v2/chat", Surface.COHERE_CHAT),
        ("/predict", Surface.TEI_PREDICT),
        ("/ask", Surface.UNKNOWN),
        ("", Surface.UNKNOWN),
    ],
)
def test_the_path_determines_the_format(path, surface):
    assert expectation(path, b"{}").surface is surface


@pytest.mark.parametrize(
    ("request_fields", "schema"),
    [
        ({"response_format": {"type": "json_object"}}, None),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}, SCHEMA),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}}, SCHEMA),
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, SCHEMA),
        ({"format": "json"}, None),
        ({"format": SCHEMA}, SCHEMA),
        ({"parameters": {"grammar": {"type": "json", "value": SCHEMA}}}, SCHEMA),
        ({"guided_json": SCHEMA}, SCHEMA),
        ({"structured_outputs": {"json": SCHEMA}}, SCHEMA),
        ({"guided_json": json.dumps(SCHEMA)}, SCHEMA),
        ({"json_schema": json.dumps(SCHEMA)}, SCHEMA),
        ({"structured_outputs": {"json": json.dumps(SCHEMA)}}, SCHEMA),
        ({"nvext": {"guided_json": SCHEMA}}, SCHEMA),
        ({"response_format": {"type": "json_object", "json_schema": SCHEMA}}, SCHEMA),
        ({"response_format": {"type": "json_object", "schema": SCHEMA}}, SCHEMA),
        ({"response_format": {"type": "json", "value": SCHEMA}}, SCHEMA),
        ({"response_format": {"type": "json_schema", "value": {"name": "x", "schema": SCHEMA}}}, SCHEMA),
        ({"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}}, SCHEMA),
        ({"generationConfig": {"responseMimeType": "application/json", "responseSchema": GEMINI}}, SCHEMA),
        ({"generation_config": {"response_mime_type": "application/json", "response_schema": GEMINI}}, SCHEMA),
        ({"guided_json": "{not JSON"}, None),
    ],
)
def test_every_way_to_request_json_is_recognised(request_fields, schema):
    found = asked(**request_fields)
    assert (found.json_mode, found.schema, found.task) == (True, schema, "extraction")


@pytest.mark.parametrize(
    "request_fields",
    [{}, {"response_format": {"type": "text"}}, {"text": {"format": {"type": "text"}}}, {"format": ""}],
)
def test_other_response_formats_do_not_request_json(request_fields):
    assert asked(**request_fields).json_mode is False


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ([{"type": "function", "function": {"name": "a"}}, {"type": "function", "name": "b"}], ("a", "b")),
        ([{"name": "c", "input_schema": {}}], ("c",)),
        ([{"type": "web_search"}], ("web_search",)),
        ([], ()),
        ("x", ()),
    ],
)
def test_the_names_of_offered_tools_are_read(tools, names):
    assert asked(tools=tools).tools == names
    assert asked(tools=tools, tool_choice="none").tools == ()
    assert asked(tools=tools, tool_choice={"type": "none"}).tools == ()


@pytest.mark.parametrize(
    ("path", "request_fields", "task"),
    [
        ("/v1/chat/completions", {}, "chat"),
        ("/v1/chat/completions", {"tools": [{"name": "a"}]}, "tools"),
        ("/v1/chat/completions", {"guided_choice": ["yes", "no"]}, "classification"),
        ("/v1/chat/completions", {"structured_outputs": {"choice": ["yes", "no"]}}, "classification"),
        ("/v1/completions", {}, "generation"),
        ("/generate", {}, "generation"),
        ("/api/generate", {"format": "json"}, "extraction"),
        ("/v1/embeddings", {"input": "a"}, "embeddings"),
        ("/rerank", {}, "rerank"),
        ("/predict", {}, "classification"),
        ("/ask", {}, "chat"),
    ],
)
def test_the_task_is_guessed_from_path_and_options(path, request_fields, task):
    assert asked(path, **request_fields).task == task


def test_limits_choices_and_streaming_are_read():
    found = asked(max_completion_tokens=9, n=3, stream=True, temperature=0, model="m")
    assert (found.max_tokens, found.choices, found.stream, found.temperature, found.model) == (9, 3, True, 0.0, "m")
    assert asked("/api/chat", options={"num_predict": 5, "temperature": 0.5}).max_tokens == 5
    assert asked("/generate", parameters={"max_new_tokens": 6}).max_tokens == 6
    assert asked("/generate_stream").stream
    assert asked(max_tokens="9", n=-1, temperature="hot", model=4).max_tokens == 0


@pytest.mark.parametrize(
    ("request_fields", "prompt"),
    [
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "a"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]}, "a"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]}, "a"),
        ({"input": "a"}, "a"),
        ({"prompt": "a"}, "a"),
        ({"inputs": "a"}, "a"),
        ({"query": "a", "documents": ["b"]}, "a"),
        ({"messages": 5}, ""),
    ],
)
def test_the_prompt_is_the_text_of_the_last_user_turn(request_fields, prompt):
    assert asked(**request_fields).prompt == prompt


def test_options_of_gemini_and_bedrock_are_read():
    schema = {"type": "object"}
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema, "maxOutputTokens": 9}
    tools = [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}]
    gemini = asked(
        "/v1beta/models/gemini-2.5-flash:generateContent",
        contents=[{"parts": [{"text": "Why?"}]}],
        generationConfig=config,
        tools=tools,
    )
    assert gemini.surface is Surface.GEMINI
    assert (gemini.json_mode, gemini.schema, gemini.max_tokens) == (True, schema, 9)
    assert (gemini.prompt, gemini.tools) == ("Why?", ("a", "b"))
    assert asked("/v1/models/m:streamGenerateContent?alt=sse").stream
    bedrock = asked(
        "/model/anthropic.claude/converse-stream",
        messages=[{"role": "user", "content": [{"text": "Why?"}]}],
        inferenceConfig={"maxTokens": 9, "temperature": 0.5},
        toolConfig={"tools": [{"toolSpec": {"name": "a"}}]},
    )
    assert (bedrock.surface, bedrock.stream, bedrock.max_tokens) == (Surface.BEDROCK_CONVERSE, True, 9)
    assert (bedrock.prompt, bedrock.tools, bedrock.temperature) == ("Why?", ("a",), 0.5)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'"x"'])
def test_an_unreadable_request_has_no_options(body):
    found = expectation("/v1/chat/completions", body)
    assert (found.surface, found.task, found.choices) == (Surface.OPENAI_CHAT, "chat", 1)


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
        {"messages": [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}]},
        {"system": [{"type": "text", "text": "Be brief."}], "messages": []},
        {"instructions": "Be brief.", "input": "Hi"},
        {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": []},
    ],
)
def test_the_instructions_are_those_of_the_system_and_the_developer(request_):
    assert expectation("/v1/chat/completions", json.dumps(request_).encode()).instructions == "Be brief."


def test_the_functions_have_their_schemas_and_a_forbidden_tool_is_none():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    request = {"tools": [tool, {"type": "web_search"}]}
    found = expectation("/v1/chat/completions", json.dumps(request).encode())
    assert (found.tools, found.functions) == (("f", "web_search"), {"f": {"type": "object"}})
    forbidden = expectation("/v1/chat/completions", json.dumps(request | {"tool_choice": "none"}).encode())
    assert forbidden.functions == {}


def test_geminis_schemas_are_read_as_json_schemas():
    """Gemini writes types in capitals, writes counts as text, and has ``nullable``."""
    town = {"type": "STRING", "nullable": True, "enum": ["Lima", "Rome"]}
    towns = {"type": "ARRAY", "items": {"anyOf": [town, {"type": "INTEGER"}]}, "maxItems": "3"}
    given = {"type": "OBJECT", "properties": {"towns": towns, "type": {"type": "TYPE_UNSPECIFIED"}}}
    offered = asked(
        "/v1beta/models/g:generateContent", tools=[{"functionDeclarations": [{"name": "f", "parameters": given}]}]
    )
    read = {"type": ["string", "null"], "nullable": True, "enum": ["Lima", "Rome", None]}
    assert offered.functions["f"] == {
        "type": "object",
        "properties": {
            "towns": {"type": "array", "items": {"anyOf": [read, {"type": "integer"}]}, "maxItems": 3},
            "type": {},
        },
    }


def test_a_schema_that_is_nested_deeply_is_read():
    schema = {"type": "STRING"}
    for _ in range(60):
        schema = {"type": "ARRAY", "items": schema}
    assert asked(guided_json=schema).json_mode
