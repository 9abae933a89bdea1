"""Attaches comments to configuration data, and writes the data as YAML with these comments."""

from __future__ import annotations

import io
import re
import textwrap
from functools import lru_cache
from typing import Any

import yaml

from glidepath_ops.envoyconfig.plain_scalars import is_plain

Json = dict[str, Any]

NOTE = "#"  # first key of a mapping; its text becomes a comment above the mapping and is not part of Envoy's input
WIDTH = 118
_COMMENT = re.compile(rf"^(?P<indent> *)(?P<item>- )?'{NOTE}': (?P<text>.*)$")


def with_comment(text: str, section: Json) -> Json:
    """Return ``section`` with ``text`` as its comment, which ``to_yaml`` writes above it as one paragraph."""
    return {NOTE: text.replace("\n", " "), **section}


def without_comments(value: Any) -> Any:
    """Return ``value`` without any of the comments in it, in the form that Envoy reads."""
    if isinstance(value, dict):
        return {key: without_comments(child) for key, child in value.items() if key != NOTE}
    return [without_comments(child) for child in value] if isinstance(value, list) else value


def comment_moved(section: Json, wrapper: Json) -> Json:
    """Return ``wrapper`` with the comment of ``section`` as its comment, if ``section`` has a comment."""
    return with_comment(section[NOTE], wrapper) if NOTE in section else wrapper


def without_own_comment(section: Json) -> Json:
    """Return ``section`` without its own comment; comments inside it stay."""
    return {key: value for key, value in section.items() if key != NOTE}


class DumperWithoutAnchors(yaml.SafeDumper):
    """A YAML dumper that writes a repeated part in full each time, instead of an anchor and an alias.

    The name of an anchor could collide with an anchor in a user's file. A string that any reader could take for
    another type is quoted.
    """

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def analyze_scalar(self, scalar: str) -> Any:
        return _analysis(scalar, bool(self.allow_unicode))


@lru_cache(maxsize=4096)  # PyYAML reads each string by character, which is half of the time for a bootstrap with Lua
def _analysis(text: str, allow_unicode: bool) -> Any:
    return yaml.SafeDumper(io.StringIO(), allow_unicode=allow_unicode).analyze_scalar(text)


def _quoted_if_ambiguous(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if is_plain(text) else "'"
    if not text.replace("\n", "").isprintable():
        style = '"'  # PyYAML folds U+0085 and U+2028 in single quotes
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


DumperWithoutAnchors.add_representer(str, _quoted_if_ambiguous)


class _IndentingDumper(DumperWithoutAnchors):
    """A YAML dumper that indents lists under their key, and writes a string of several lines as a block."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    return _quoted_if_ambiguous(dumper, text)


_IndentingDumper.add_representer(str, _string)
_IndentingDumper.add_multi_representer(str, _string)  # a string that was read from the user's file


def to_yaml(document: Any, header: str = "") -> str:
    """Return ``document`` as YAML with its comments. ``header`` becomes a comment at the top."""
    text = yaml.dump(document, Dumper=_IndentingDumper, sort_keys=False, width=10**6, allow_unicode=True)
    out = _comment(header, "") if header else []
    pending = ""  # the "- " of a list item whose first entry was a comment
    for line in text.removesuffix("\n").split("\n"):  # splitlines would also split at U+0085 and U+2028
        match = _COMMENT.match(line)
        if match:
            out += _comment(yaml.safe_load(match["text"]), match["indent"])
            pending = match["indent"] + "- " if match["item"] else ""
            continue
        out.append(pending + line[len(pending) :] if pending else line)
        pending = ""
    return "\n".join(out) + "\n"


def _comment(text: str, indent: str) -> list[str]:
    text = "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    width = WIDTH - len(indent)
    lines = [part for line in text.split("\n") for part in textwrap.wrap(line, width) or [""]]
    return [f"{indent}# {line}".rstrip() for line in lines]
