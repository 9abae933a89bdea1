"""The Lua programs stop on a body that would take long, because the worker thread serves no other request meanwhile."""

from __future__ import annotations

import json

import pytest

from tests.support.lua_in_process import ForeignReasoning, RequestFacts

FACTS, FOREIGN = RequestFacts(), ForeignReasoning()
MIB = 2**20


def filled(begin: bytes, shape: bytes, end: bytes) -> bytes:
    return begin + shape * ((4 * MIB - 300) // len(shape)) + end


@pytest.mark.parametrize(
    "shape",
    [
        b'"stream":' + b"a" * 900 + b" ! ,",
        b'"stream":' + b" " * 900 + b"!,",
        b'"stream"' + b" " * 400 + b":" + b" " * 400 + b"true,",
        b'"user":"' + b"x" * 500 + b'",',
        b'"x"' + b" " * 900 + b":1,",
    ],
    ids=["long-literal", "space-before-a-literal", "space-around-a-colon", "a-sticky-key-again", "space-after-a-key"],
)
def test_a_body_whose_parts_take_long_to_match_or_to_hash_is_not_read(shape: bytes) -> None:
    assert FACTS.of(filled(b"{", shape, b'"a":1}')) == "too_complex"


def test_one_long_literal_or_long_white_space_is_read() -> None:
    body = b'{"user":"u","max_tokens"' + b" " * 400 + b":" + b" " * 400 + b'7,"stream":true}'
    found = FACTS.of(body)
    assert not isinstance(found, str)
    assert (found["max_tokens"], found["stream"]) == (b"7", True)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (b'{"input":["first",', b'"last"]}'),
        (b'{"messages":[{"role":"system","content":[{"text":"first"},', b"{}]}]}"),
    ],
    ids=["a-list-of-texts", "the-parts-of-a-message"],
)
def test_a_conversation_is_told_apart_by_a_bounded_part_of_its_texts(begin: bytes, end: bytes) -> None:
    text = b"x" * 500
    shape = b'"%s",' if b"input" in begin else b'{"text":"%s"},'

    def conversation(first: bytes, last: bytes) -> object:
        body = begin.replace(b"first", first) + shape % text * 2000 + shape % last + end
        found = FACTS.of(body)
        assert not isinstance(found, str), found
        return found["conversation"]

    assert conversation(b"a", b"c") == conversation(b"a", b"d")
    assert conversation(b"a", b"c") != conversation(b"b", b"c")


def test_a_prompt_that_occurs_again_does_not_begin_the_conversation_again() -> None:
    long = [b'"text_input":"' + b"x" * 2000 + b'",'] * 100
    digests = set()
    for last in (b"a", b"b"):
        found = FACTS.of(b"{" + b"".join(long) + b'"text_input":"' + last + b'"}')
        assert not isinstance(found, str), found
        digests.add(found["conversation"])
    assert len(digests) == 1


@pytest.mark.parametrize(
    "shape",
    [
        b'{"reasoning":"a"' + b" " * 600 + b"},",
        b'{"a":1' + b" " * 300 + b"," + b" " * 300 + b'"reasoning":"a"},',
        b'{"tool_call_id":"' + b"x" * 511 + b'"},',
    ],
    ids=["space-after", "space-before", "long-ids"],
)
def test_a_body_from_which_it_takes_long_to_remove_reasoning_stays(shape: bytes) -> None:
    body = b'{"messages":[' + shape * 3900 + b"{}]}"
    assert FOREIGN.stripped(body) == body


@pytest.mark.parametrize("space", [0, 1, 31, 32, 33, 500, 900])
def test_the_comma_beside_what_is_removed_goes_with_it_whatever_white_space_is_between(space: int) -> None:
    gap = " " * space
    for messages in (
        f'[{{"role":"user"{gap},{gap}"reasoning":"a"}}]',
        f'[{{"reasoning":"a"{gap},{gap}"role":"user"}}]',
        f'[{{"reasoning":"a"{gap}}}, {{"role":"user"{gap}}}]',
    ):
        found = json.loads(FOREIGN.stripped(f'{{"messages":{messages}}}'.encode()))
        assert found["messages"][-1] == {"role": "user"}
