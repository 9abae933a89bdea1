"""Read the options of a request in any provider's format. An unreadable request is treated as one without options."""

from __future__ import annotations

from glidepath.call_classes import asks_for_stream, form_of_path
from scorer.scoring.answers.answer import Expectation, Surface
from scorer.scoring.answers.requested_schema import as_json_schema
from scorer.scoring.answers.strict_json import MAX_BYTES, MAX_CHOICES, UnusableBodyError, clean, count, read_json

_TASKS = {
    Surface.OPENAI_COMPLETIONS: "generation",
    Surface.OPENAI_EMBEDDINGS: "embeddings",
    Surface.OLLAMA_GENERATE: "generation",
    Surface.OLLAMA_EMBED: "embeddings",
    Surface.TGI_GENERATE: "generation",
    Surface.LLAMACPP_COMPLETION: "generation",
    Surface.COHERE_EMBED: "embeddings",
    Surface.COHERE_RERANK: "rerank",
    Surface.TEI_EMBED: "embeddings",
    Surface.TEI_RERANK: "rerank",
    Surface.TEI_PREDICT: "classification",
}
_SURFACES = {surface.value: surface for surface in Surface}
_LIMITS = (
    "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict", "n_predict",
    "maxOutputTokens", "maxTokens",
)  # fmt: skip
_INNER = (
    "parameters",
    "options",
    "generationConfig",
    "generation_config",
    "inferenceConfig",
    "sampling_params",
)  # TGI, Ollama, Gemini, Bedrock, SGLang
_GEMINI_SCHEMAS = ("responseJsonSchema", "response_json_schema", "responseSchema", "response_schema")
_SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema")
_CHOICE_KEYS = ("guided_choice", "choice")


def surface_of_path(path: str) -> Surface:
    """Return the API format of a request path, recognised by the end of the path, or UNKNOWN."""
    form = form_of_path(path)
    return _SURFACES.get(form.surface, Surface.UNKNOWN) if form is not None else Surface.UNKNOWN


def expectation(path: str, request_body: bytes) -> Expectation:
    """Return what a request asks for. An unreadable body raises no error and is treated as a body without options."""
    surface = surface_of_path(path)
    request = _request(request_body)
    inner = [request] + [request[k] for k in _INNER if isinstance(request.get(k), dict)]
    flat = {key: value for part in reversed(inner) if isinstance(part, dict) for key, value in part.items()}
    json_mode, schema = _json_mode(flat)
    schema = as_json_schema(schema)
    tools = _tools(flat)
    return Expectation(
        surface=surface,
        task=_task(surface, flat, json_mode=json_mode, tools=bool(tools)),
        stream=asks_for_stream(path, flat.get("stream")),
        json_mode=json_mode,
        schema=schema,
        tools=tools,
        max_tokens=next((count(flat[k]) for k in _LIMITS if count(flat.get(k))), 0),
        choices=min(max(count(flat.get("n")), count(flat.get("candidateCount")), 1), MAX_CHOICES),
        temperature=_temperature(flat.get("temperature")),
        model=_string(flat.get("model")),
        prompt=_prompt(flat),
        instructions=_instructions(flat),
        functions=_functions(flat) if tools else {},
    )


def _request(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BYTES:
        return {}
    try:
        value = read_json(body.decode("utf-8-sig", "replace"), "request")
    except UnusableBodyError:
        return {}
    return value if isinstance(value, dict) else {}


def _json_mode(request: dict[str, object]) -> tuple[bool, object]:
    """Return a tuple: whether the request asks for JSON, and the JSON schema of the request (None if it has none)."""
    for name in ("response_format", "format", "output_format", "grammar"):
        found = _format(request.get(name))
        if found[0]:
            return found
    for name in ("text", "output_config"):  # OpenAI responses, Anthropic messages
        section = request.get(name)
        if isinstance(section, dict) and (found := _format(section.get("format")))[0]:
            return found
    if request.get("responseMimeType", request.get("response_mime_type")) == "application/json":  # Gemini
        return True, next((request[key] for key in _GEMINI_SCHEMAS if request.get(key)), None)
    outer = [request, request.get("nvext")]  # NVIDIA NIM
    guided = [_get(one, key) for one in outer for key in ("guided_json", "json_schema")]
    for schema in (*guided, _get(request.get("structured_outputs"), "json")):  # vLLM
        if schema:
            return True, schema
    return False, None


def _format(value: object) -> tuple[bool, object]:
    if value == "json":
        return True, None
    if not isinstance(value, dict):
        return False, None
    kind = value.get("type")
    if kind in ("json_object", "json_schema", "json"):
        inner = value.get("json_schema") or value.get("value")  # TGI: value
        if kind == "json_object" and "schema" not in value:  # Cohere
            return True, inner
        return True, _get(inner, "schema") or value.get("schema") or value.get("value")
    return ("properties" in value or kind == "object"), value  # Ollama sends the schema itself


def _tools(request: dict[str, object]) -> tuple[str, ...]:
    """Return the names of the offered tools, or no names if the request forbids their use."""
    choice = request.get("tool_choice")
    offered = request.get("tools") or request.get("functions") or _get(request.get("toolConfig"), "tools")
    if choice == "none" or _get(choice, "type") == "none" or not isinstance(offered, list):
        return ()
    return tuple(name for tool in offered for name in _names(tool))


def _names(tool: object) -> tuple[str, ...]:
    declared = _get(tool, "functionDeclarations")  # Gemini has several in one tool
    if isinstance(declared, list):
        return tuple(_string(_get(one, "name")) for one in declared)
    inner = _get(_get(tool, "function"), "name") or _get(_get(tool, "toolSpec"), "name")  # OpenAI, Bedrock
    return (_string(inner or _get(tool, "name") or _get(tool, "type")),)


def _functions(request: dict[str, object]) -> dict[str, object]:
    """Return a dict from each offered function's name to the JSON schema of its arguments (None without a schema)."""
    offered = request.get("tools") or request.get("functions") or _get(request.get("toolConfig"), "tools")
    found: dict[str, object] = {}
    for tool in offered if isinstance(offered, list) else ():
        declared = _get(tool, "functionDeclarations") or _get(tool, "function_declarations")
        for one in declared if isinstance(declared, list) else [tool]:
            function = _get(one, "function") or _get(one, "toolSpec") or one
            if name := _string(_get(function, "name")):
                found[name] = next((schema for key in _SCHEMA_KEYS if (schema := _get(function, key))), None)
                found[name] = as_json_schema(_get(found[name], "json") or found[name])  # Bedrock
    return found


def _task(surface: Surface, request: dict[str, object], *, json_mode: bool, tools: bool) -> str:
    if surface in _TASKS and _TASKS[surface] != "generation":
        return _TASKS[surface]
    if any(
        isinstance(_get(part, key), list)
        for key in _CHOICE_KEYS
        for part in (request, request.get("structured_outputs"))
    ):
        return "classification"
    if tools:
        return "tools"
    if json_mode:
        return "extraction"
    return _TASKS.get(surface, "chat")


def _prompt(request: dict[str, object]) -> str:
    messages = request.get("messages", request.get("contents", request.get("input")))
    if isinstance(messages, list):
        for message in reversed(messages):
            if _get(message, "role") == "user" or ("contents" in request and _get(message, "role") is None):
                return _content(_get(message, "content") or _get(message, "parts"))
    for name in ("prompt", "inputs", "input", "query", "message", "text_input", "text"):
        if text := _content(request.get(name)):
            return text
    return ""


def _instructions(request: dict[str, object]) -> str:
    """Return the texts of the system and developer messages. All formats' fields for these messages are read."""
    messages = request.get("messages", request.get("input"))
    texts = [_content(request.get(name)) for name in ("system", "instructions", "preamble")]
    texts += [_content(_get(request.get(name), "parts")) for name in ("systemInstruction", "system_instruction")]
    for message in messages if isinstance(messages, list) else ():
        if _get(message, "role") in ("system", "developer"):
            texts.append(_content(_get(message, "content")))
    return "\n".join(text for text in texts if text)


def _content(value: object) -> str:
    if isinstance(value, list):
        return clean("".join(part if isinstance(part, str) else _string(_get(part, "text")) for part in value))
    return _string(value)


def _temperature(value: object) -> float | None:
    return (
        min(max(float(value), 0.0), 100.0)
        if isinstance(value, float) or (isinstance(value, int) and 0 <= value <= 100)
        else None
    )


def _string(value: object) -> str:
    return clean(value) if isinstance(value, str) else ""


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None
