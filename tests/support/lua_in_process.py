"""Run the Lua programs of the rendered configuration in this process, on LuaJIT as in Envoy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from lupa.luajit21 import LuaRuntime

# Envoy's buffer of a body: getBytes refuses bytes beyond its end.
_BODY = """
local Body = {}
Body.__index = Body
function Body:length() return #self.text end
function Body:getBytes(index, length)
  if index < 0 or length < 0 or index + length > #self.text then
    error("index/length must be >= 0 and (index + length) must be <= buffer size")
  end
  return self.text:sub(index + 1, index + length)
end
function Body:setBytes(text)
  self.text = text
  return #text
end
function new_body(text) return setmetatable({ text = text }, Body) end
"""
_TOKENS = "json_tokens.lua"


def _load(parts: Sequence[str], before: str = "") -> LuaRuntime:
    lua = LuaRuntime(encoding=None, unpack_returned_tuples=True)
    folder = files("glidepath_ops.envoyconfig")
    text = "\n".join((folder / name).read_text() for name in parts)
    lua.execute((_BODY + before + text).encode())
    return lua


class ForeignReasoning:
    """Runs ``foreign_reasoning.lua``."""

    def __init__(self) -> None:
        self._lua = _load((_TOKENS, "model_rename.lua", "foreign_reasoning.lua"))

    def stripped(self, body: bytes) -> bytes:
        """Return the body without reasoning and ids that another server may have created."""
        lua = self._lua.globals()
        one = lua[b"new_body"](body)
        lua[b"without_foreign"](one)
        return bytes(one[b"text"])


class RequestFacts:
    """Runs ``request_facts.lua``, with sticky values in the body's keys ``user`` and ``metadata.user_id``."""

    def __init__(self) -> None:
        self._lua = _load(
            (_TOKENS, "server_state.lua", "sticky_digests.lua", "request_facts.lua"),
            'local STICKY_KEYS = { ["user"] = true, ["metadata.user_id"] = true }\n',
        )

    def of(self, body: bytes) -> Mapping[str, Any] | str:
        """Return name → value of the facts about a body, or the reason why the body could not be read."""
        lua = self._lua.globals()
        found = lua[b"request_facts"](lua[b"new_body"](body))
        if isinstance(found, tuple):
            return str(found[1], "ascii")
        return {str(name, "ascii"): value for name, value in found.items()}


class ModelRename:
    """Runs ``model_rename.lua``."""

    def __init__(self) -> None:
        self._lua = _load((_TOKENS, "model_rename.lua"))

    def renamed(self, body: bytes, model: bytes) -> bytes:
        lua = self._lua.globals()
        one = lua[b"new_body"](body)
        lua[b"renamed"](one, model)
        return bytes(one[b"text"])
