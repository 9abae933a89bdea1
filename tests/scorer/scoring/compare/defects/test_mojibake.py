from __future__ import annotations

import pytest

from scorer.scoring.compare.defects.mojibake import badness
from tests.scorer.scoring.compare.text.test_language_detection import LINES


@pytest.mark.parametrize("line", [*LINES, "cafÃ© and naÃ¯ve, â€œquotedâ€\x9d"])
def test_badness_is_that_of_the_whole_package(line: str) -> None:
    from ftfy.badness import badness as theirs

    assert badness()(line) == theirs(line)
    assert (badness()(line) > 0) == ("Ã" in line)
