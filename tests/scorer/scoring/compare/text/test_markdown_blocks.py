"""Blocks of Markdown: their kinds, places and fences, no lost text, and a small cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.text.markdown_blocks import BlockKind, code_blocks, markdown_blocks, prose_around
from scorer.scoring.compare.text.parsed_document import Document

MIXED = """# Setup

First install it.

- Then run
  ```bash
  run --all
  ```
- and wait.

| key | value |
|-----|-------|
| a   | 1     |

    This indented line is prose.

~~~
x = 1
~~~
The end."""


def test_each_block_has_its_kind_and_its_place() -> None:
    found = [(block.kind.value, MIXED[block.start : block.end].strip()) for block in markdown_blocks(MIXED)]
    assert found == [
        ("heading", "# Setup"),
        ("paragraph", "First install it."),
        ("list_item", "- Then run"),
        ("code", "```bash\n  run --all\n  ```"),
        ("list_item", "- and wait."),
        ("table_row", "| key | value |"),
        ("table_row", "| a   | 1     |"),
        ("paragraph", "This indented line is prose."),
        ("code", "~~~\nx = 1\n~~~"),
        ("paragraph", "The end."),
    ]


def test_code_has_its_program_language_and_end() -> None:
    bash, plain = code_blocks(MIXED)
    assert (bash.code, bash.language, bash.closed) == ("run --all\n", "bash", True)
    assert (plain.code, plain.language, plain.closed) == ("x = 1\n", "", True)


@pytest.mark.parametrize(
    ("text", "language", "closed"),
    [
        ("```Python\nx", "python", False),
        ("```\n", "", False),
        ("```", "", False),
        ("````c++ title=a\n```\n````", "c++", True),
        ("~~~js\nx\n```", "js", False),
        ("> ```sql\n> select 1\n> ```", "sql", True),
        ("1. Do\n\n   ```sh\n   ls\n   ```\n", "sh", True),
        ("```sh\r\nls\r\n```\r\n", "sh", True),
    ],
)
def test_a_fence_is_read_as_markdown_defines_it(text: str, language: str, closed: bool) -> None:
    (block,) = code_blocks(text)
    assert (block.language, block.closed) == (language, closed)


@pytest.mark.parametrize("text", ["Use ```code``` here.", "No code.", "a ``` b", "", "`x` and ``y``"])
def test_inline_marks_are_no_code_block(text: str) -> None:
    assert code_blocks(text) == ()
    assert Document(text).prose == text


@given(st.lists(st.sampled_from(["```", "~~~", "a", "- ", "> ", "1. ", "| x ", "\n", "\r\n", "  ", "# "]), max_size=40))
def test_code_and_prose_make_up_the_whole_text(parts: list[str]) -> None:
    text = "".join(parts)
    blocks = code_blocks(text)
    prose = prose_around(text, blocks)
    pieces = [prose[0]]
    for block, after in zip(blocks, prose[1:], strict=True):
        pieces += [text[block.start : block.end], after]
    assert "".join(pieces) == text
    assert all(block.kind is BlockKind.CODE for block in blocks)


def test_a_token_is_found_at_its_place_in_the_text() -> None:
    document = Document("**Paris** is the *capital* of France — it has 2.1 million people.")
    shown = [
        document.text[place : place + len(t.surface)] for t, place in zip(document.tokens, document.places, strict=True)
    ]
    assert shown[0] == "Paris"
    assert "2.1 million" in shown
