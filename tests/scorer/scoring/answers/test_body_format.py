"""The shape of a body."""

import pytest

from tests.support.answer_bodies import answer, stream


@pytest.mark.parametrize("ending", ["\n\n", "\r\n\r\n", "\r\r", "\r\n\n"])
def test_a_stream_may_have_any_line_ending(ending):
    assert answer(stream({"content": "a"}, {"content": "b"}, ending=ending)).text == "ab"


def test_a_stream_may_end_without_a_blank_line():
    assert answer(stream({"content": "a"}).rstrip()).text == "a"


def test_text_that_begins_like_json_is_text_if_declared_as_text():
    assert answer("[link](https://example.org)", content_type="text/plain").text == "[link](https://example.org)"
