"""Split a text into its Markdown blocks, with the parser markdown-it-py (CommonMark, with tables). See ADR 0222.

Only blocks are parsed: emphasis and links inside a line are left to text/canonical_text.py. Indented code, HTML blocks
and link definitions count as prose, because answers often indent or mark up prose. Cost: 0.2 ms for 330 words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token as MarkdownToken

from scorer.scoring.compare.text.canonical_text import MAX_CHARS

_LINE_END = re.compile(r"\r\n?|\n")  # as the parser reads lines
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}")


class BlockKind(StrEnum):
    PARAGRAPH = "paragraph"
    HEADING = "heading"
    LIST_ITEM = "list_item"  # a paragraph of an item of a list
    TABLE_ROW = "table_row"
    CODE = "code"  # a fenced code block


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a text, in characters ``start`` to ``end`` (exclusive) of the text, with its marks and fences.

    For code, ``code`` is the program, ``language`` is the first word after the opening fence in lower case, and
    ``closed`` is True if there is a closing fence.
    """

    kind: BlockKind
    start: int
    end: int
    code: str = ""
    language: str = ""
    closed: bool = True


@cache
def _parser() -> MarkdownIt:
    rules = ["inline", "text_join", "code", "html_block", "reference", "lheading"]
    return MarkdownIt("commonmark").enable("table").disable(rules)


def has_code_fence(text: str) -> bool:
    return "```" in text or "~~~" in text


def markdown_blocks(text: str) -> tuple[Block, ...]:
    """Return the blocks of the first MAX_CHARS characters of a text, in their order."""
    text = text[:MAX_CHARS]
    tokens = _parser().parse(text)
    starts = [0, *(m.end() for m in _LINE_END.finditer(text)), len(text)]
    found: list[Block] = []
    items = 0
    for token in tokens:
        items += token.nesting if token.type in ("list_item_open", "list_item_close") else 0
        kind = _kind(token, items > 0)
        if kind is None or token.map is None:
            continue
        first, last = (min(line, len(starts) - 1) for line in token.map)
        span = starts[first], starts[last]
        if kind is BlockKind.CODE:
            found.append(_code_block(token, text, span, starts[max(first, last - 1)]))
        else:
            found.append(Block(kind, *span))
    return tuple(found)


def _kind(token: MarkdownToken, in_list: bool) -> BlockKind | None:
    match token.type:
        case "fence":
            return BlockKind.CODE
        case "heading_open":
            return BlockKind.HEADING
        case "tr_open":
            return BlockKind.TABLE_ROW
        case "paragraph_open":
            return BlockKind.LIST_ITEM if in_list else BlockKind.PARAGRAPH
    return None


def _code_block(token: MarkdownToken, text: str, span: tuple[int, int], last_line: int) -> Block:
    language = _LANGUAGE.match(token.info.strip())
    closing = text[last_line : span[1]].strip(" \t>\r\n")
    closed = last_line > span[0] and closing.startswith(token.markup) and not closing.strip(token.markup[0])
    return Block(BlockKind.CODE, *span, token.content, language[0].lower() if language else "", closed)


def code_blocks(text: str) -> tuple[Block, ...]:
    """Return the fenced code blocks of a text. A text without a fence is not parsed."""
    if not has_code_fence(text):
        return ()
    return tuple(block for block in markdown_blocks(text) if block.kind is BlockKind.CODE)


def prose_around(text: str, blocks: Sequence[Block]) -> tuple[str, ...]:
    """Return the passages before, between and after the code blocks ``blocks``: one passage more than blocks."""
    edges = [0, *(edge for block in blocks for edge in (block.start, block.end)), len(text[:MAX_CHARS])]
    return tuple(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))


def prose_and_code(text: str, blocks: Sequence[Block]) -> Iterator[tuple[bool, str]]:
    """Yield (whether it is code, text) for each passage of prose and each code block of a text, in their order."""
    first, *others = prose_around(text, blocks)
    yield False, first
    for block, prose in zip(blocks, others, strict=True):
        yield True, block.code
        yield False, prose
