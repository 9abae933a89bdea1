"""The count of mojibake by ftfy's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.defects.mojibake import badness
from tests.support.lines_in_several_languages import LINES


@pytest.mark.parametrize("line", [*LINES, "cafÃ© and naÃ¯ve, â€œquotedâ€\x9d"])
def test_the_count_equals_that_of_the_whole_ftfy_package(line: str) -> None:
    from ftfy.badness import badness as theirs

    assert badness(line) == theirs(line)
    assert (badness(line) > 0) == ("Ã" in line)


_MARKS = "aZ .1-'ÂÃÎÐØÙàáéäŒœŠš€™®°²³¡¿«»“”’–…×√≈‚βāвЂГў\xa0\xad\x80\x9d"


@given(st.text(_MARKS, max_size=12) | st.text(max_size=12))
def test_no_mojibake_is_missed_by_the_quick_check(text: str) -> None:
    from ftfy.badness import badness as theirs

    assert badness(text) == theirs(text)
