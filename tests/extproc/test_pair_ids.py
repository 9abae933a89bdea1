from __future__ import annotations

import pytest

from extproc.pair_ids import MAX_ID, RECENT_IDS, PairIds, usable_id


def test_an_id_that_comes_again_gets_a_suffix_and_an_old_one_is_forgotten() -> None:
    ids = PairIds()
    assert ids.unique("a") == "a"
    again = {ids.unique("a") for _ in range(20)}
    assert len(again) == 20
    assert all(one.startswith("a~") for one in again)
    for number in range(RECENT_IDS):
        ids.unique(str(number))
    assert ids.unique("a") == "a"


@pytest.mark.parametrize("sent", ["", "a" * (MAX_ID + 1), "a\nb", "\x00"])
def test_an_id_that_cannot_be_used_is_replaced(sent: str) -> None:
    assert usable_id(sent) != sent
    assert usable_id(sent) != usable_id(sent)


def test_a_usable_id_stays() -> None:
    assert usable_id("é-1") == "é-1"
