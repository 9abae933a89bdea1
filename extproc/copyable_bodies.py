"""Decides from the body of a request whether a copy of it may be sent, and in which form.

A copy must have no effect, and the other side must be able to answer it. A request is not copied in two cases:

- The server would act: it would run hosted tools (search, code execution, remote MCP servers) or work in the
  background.
- The request needs state that only one server has: an earlier response, a conversation, a container, a file, or
  reasoning that this server has signed or encrypted.

If the only effect is that the server stores the answer, the copy gets ``"store": false``. See ADR 0310.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from glidepath.call_classes import STORED_BY_DEFAULT
from glidepath.config.backends import Backend
from glidepath.eligibility import Ineligible, facts_of, ineligible
from glidepath.outcome_summaries import Coverage

# A body needs parsing only if it contains one of these names, or an escape that may be a part of one. The search is
# fast because all patterns begin with the same byte.
_HINTS = re.compile(
    rb'"(?:tools|background|store|previous_response_id|conversation|container|prompt|connectors|plugins'
    rb"|web_search_options|search_parameters|mcp_servers|cachedContent|cached_content|file_id|fileUri|file_uri"
    rb"|item_reference|encrypted_content|signature|redacted_thinking|thoughtSignature|thought_signature"
    rb"|systemTool|s3Location|context|audio|reasoning\.encrypted|agent_id|conversation_id|vector_store_ids|deferred"
    rb"|enable_search|enable_code_interpreter|enable_enhancement|web_search|data_sources|dataSources"
    rb'|mcp_approval_response|previous_interaction_id|integrations|preset|keep_alive)"'
)
_NOT_ZERO = re.compile("[1-9]")
_ONLINE = ":online"  # the end of a model's name with which OpenRouter searches the web
_PRESET = "@preset/"  # in a model's name: a system prompt and parameters that OpenRouter keeps
_LONG_STRING = re.compile(rb'"[^"\\]{1024,}+"')  # names and types are shorter
_BASE64 = re.compile(rb'"(?:data:[^"\\,]{0,100}+,)?[A-Za-z0-9+/=_-]{1024,}+"')  # a picture, which is not text
_INELIGIBLE = {
    Ineligible.MAX_BODY: Coverage.INELIGIBLE_MAX_BODY,
    Ineligible.CONTEXT: Coverage.INELIGIBLE_CONTEXT,
    Ineligible.MODALITIES: Coverage.INELIGIBLE_MODALITIES,
    Ineligible.TOOLS: Coverage.INELIGIBLE_TOOLS,
}
MOST_PARSED = 2**20  # bytes without long strings; the parsing of more would take too long
_DEEPEST = 64

# Members of the top level that make the server act: work in the background, search, run code or tools.
_ACTING = (
    "background", "mcp_servers",
    "deferred", "search_parameters",  # xAI
    "connectors",  # Cohere
    "plugins",  # OpenRouter
    "enable_search", "enable_code_interpreter",  # Qwen
    "web_search",  # Baidu
    "enable_enhancement",  # Tencent
    "data_sources", "dataSources",  # Azure
    "integrations",  # LM Studio
)  # fmt: skip
# Members of the top level that select state at the server.
_SELECTING = (
    "previous_response_id", "previous_interaction_id", "conversation", "container", "cachedContent", "cached_content",
    "vector_store_ids",  # LiteLLM
)  # fmt: skip
# These members select state at some servers. Other servers ignore them, and applications use these names for their own
# data.
_SELECTING_OR_OWN = ("conversation_id", "agent_id", "preset")
# Members of objects in the conversation. Only the server that wrote such a member can read it.
_OF_ONE_SERVER = (
    "file_id", "fileUri", "file_uri", "s3Location", "encrypted_content", "signature", "thoughtSignature",
    "thought_signature",
)  # fmt: skip
_TYPES_OF_ONE_SERVER = ("item_reference", "redacted_thinking", "reasoning.encrypted")
# Tools that the client runs. Anthropic's names end with a date.
_CLIENT_TOOLS = re.compile(
    r"(?:function|custom|namespace|local_shell|apply_patch|computer|computer_use_preview)"
    r"|(?:bash|text_editor|computer|memory)_\d{8}"
)
_DECLARATIONS = frozenset({"functionDeclarations", "function_declarations"})
_APPROVAL = "mcp_approval_response"  # an item that lets the server run a remote tool
_NOTHING: tuple[object, ...] = (None, "", [], {})
_STORES = re.compile(rb'"store"\s*+:\s*+true')
_MOST_PLACES = 16
_BLANK = b" \t\r\n"


def reason_not_to_copy(body: bytes, to: Backend | None = None, *, stateless: bool = False) -> Coverage | None:
    """Return why a request with this body is not copied, or None. ``body`` has no content encoding.

    For a body that is not a JSON object, the only possible reason is its length. ``to`` is the candidate's backend if
    its configuration says that it cannot serve every request, else None. ``stateless``: whether the workload declares
    that its requests need no state at the server.
    """
    if to is None and not _may_have_hints(body):
        return None
    short = without_pictures(body)
    document: object = None
    if len(short) <= MOST_PARSED:
        document = _parsed(_LONG_STRING.sub(b'""', short))
    elif _may_have_hints(body):
        return Coverage.HAS_EFFECTS
    if to is not None and (why := ineligible(to, facts_of(document, len(short), len(body)))) is not None:
        return _INELIGIBLE[why]
    if not isinstance(document, dict):
        return None
    if _acts(document):
        return Coverage.HAS_EFFECTS
    if not stateless and _may_need_state(document):
        return Coverage.NEEDS_STATE
    return Coverage.NEEDS_STATE if _needs_state(document) else None


def _may_have_hints(body: bytes) -> bool:
    named = b':online"' in body or b"@preset" in body
    return named or b"\\u00" in body or _HINTS.search(body) is not None


def without_pictures(body: bytes) -> bytes:
    """Return a JSON body in which empty strings replace images and audio."""
    return _BASE64.sub(b'""', body)


def without_storing(path: str, body: bytes) -> bytes:
    """Return the body of a copy with ``store`` changed so that the server does not store the answer.

    Some APIs store answers by default (``STORED_BY_DEFAULT``); others store them only if the request asks for it.
    """
    default = path.partition("?")[0].rstrip("/").endswith(STORED_BY_DEFAULT)
    if not default and b"store" not in body and b"\\u00" not in body:
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(document, dict):
        return body
    stores = document.get("store")
    if not (default if stores is None else stores):  # null means the default
        return body
    wanted = {**document, "store": False}
    for spliced in _spliced(body, absent="store" not in document):
        if _parsed(spliced) == wanted:
            return spliced
    return json.dumps(wanted, ensure_ascii=False).encode(errors="surrogatepass")


def _spliced(body: bytes, *, absent: bool) -> Iterator[bytes]:
    """Yield variants of the body with one change each: ``"store":false`` is added or one ``true`` becomes ``false``."""
    if absent:
        start = body.index(b"{") + 1
        comma = b"" if body[start:].lstrip(_BLANK).startswith(b"}") else b","
        yield body[:start] + b'"store":false' + comma + body[start:]
        return
    for number, found in enumerate(_STORES.finditer(body)):
        if number == _MOST_PLACES:
            return
        yield body[: found.end() - 4] + b"false" + body[found.end() :]


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _acts(document: Mapping[str, object]) -> bool:
    model, items, parameters = (document.get(name) for name in ("model", "input", "parameters"))
    inner = parameters if isinstance(parameters, dict) else {}  # of Qwen's own API
    if any(one.get(name) not in (None, False, [], {}) for one in (document, inner) for name in _ACTING):
        return True
    if document.get("web_search_options") is not None:  # {} asks for a search too
        return True
    if isinstance(model, str) and model.endswith(_ONLINE):
        return True
    if _is_zero(document.get("keep_alive")):
        return True  # Ollama unloads the model afterwards
    if isinstance(items, list) and any(isinstance(one, dict) and one.get("type") == _APPROVAL for one in items):
        return True
    config = document.get("toolConfig")  # of Bedrock; Gemini's object of this name contains no tools
    lists = (document.get("tools"), config.get("tools") if isinstance(config, dict) else None)
    tools = [tool for one in lists if isinstance(one, list) for tool in one]
    return not all(_is_of_the_client(tool) for tool in tools)


def _is_zero(duration: object) -> bool:
    """Return whether a duration of Ollama is zero, such as 0, "0s" or "0m0s"."""
    text = str(duration)
    return "0" in text and _NOT_ZERO.search(text) is None


def _is_of_the_client(tool: object) -> bool:
    """Return whether the client runs this tool. For an unknown type the result is False: the server may run it."""
    if not isinstance(tool, dict):
        return True
    kind = tool.get("type")
    if isinstance(kind, str):
        if kind == "namespace":
            inner = tool.get("tools")
            return not isinstance(inner, list) or all(_is_of_the_client(one) for one in inner)
        return _CLIENT_TOOLS.fullmatch(kind) is not None
    if tool.keys() & {"name", "function", "toolSpec", "input_schema", "parameter_definitions", "cachePoint"}:
        return True
    return tool.keys() <= _DECLARATIONS


def _may_need_state(document: Mapping[str, object]) -> bool:
    """Return whether a request selects state, unless the names in it are the application's own."""
    model = document.get("model")
    preset = isinstance(model, str) and _PRESET in model
    return preset or any(document.get(name) not in _NOTHING for name in _SELECTING_OR_OWN)


def _needs_state(document: Mapping[str, object]) -> bool:
    if any(document.get(name) not in _NOTHING for name in _SELECTING):
        return True
    prompt = document.get("prompt")
    if isinstance(prompt, dict) and "id" in prompt:
        return True
    context = document.get("context")  # Ollama: the conversation as tokens, which only one model can read
    if isinstance(context, list) and context and isinstance(context[0], int):
        return True
    turns = (document.get(name) for name in ("input", "messages", "contents", "system"))
    return any(_is_of_one_server(turn, 0) for turn in turns)


def _is_of_one_server(value: object, depth: int) -> bool:
    if isinstance(value, list):
        return depth < _DEEPEST and any(_is_of_one_server(one, depth + 1) for one in value)
    if not isinstance(value, dict):
        return False
    if value.get("type") in _TYPES_OF_ONE_SERVER or any(value.get(name) for name in _OF_ONE_SERVER):
        return True
    spoken = value.get("audio")  # an earlier spoken answer, named by its id
    if isinstance(spoken, dict) and "id" in spoken:
        return True
    # The arguments of a tool call are the application's own data.
    inner = (one for name, one in value.items() if name not in ("arguments", "args", "input"))
    return depth < _DEEPEST and any(_is_of_one_server(one, depth + 1) for one in inner)
