"""YAML for people: comments where sections carry one, long texts as blocks."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import yaml

from glidepath_ops.envoyconfig.snippets import NOTE

WIDTH = 118
_COMMENT = re.compile(rf"^(?P<indent> *)(?P<item>- )?'{NOTE}': (?P<text>.*)$")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def to_yaml(document: Any, header: str = "") -> str:
    """``document`` as YAML; ``parts.NOTE`` entries become comments; ``header`` is a comment on top."""
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10**6, allow_unicode=True)
    out = _comment(header, "") if header else []
    pending = ""  # the "- " of a list item whose first entry was a comment
    for line in text.removesuffix("\n").split("\n"):  # not splitlines: U+0085 and U+2028 are text
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
