import pytest

from scorer.scoring.answers import UnusableReason
from tests.support.answer_bodies import answer


def test_vectors_are_in_the_order_of_their_index():
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    assert answer({"object": "list", "data": data}).vectors == ((1.0,), (2.0,))


@pytest.mark.parametrize("vector", [[], ["1"], [None], "%%%", "AAA", [1e39], [[1.0], 2]])
def test_an_invalid_vector_is_malformed(vector):
    assert answer({"object": "list", "data": [{"index": 0, "embedding": vector}]}).reason is UnusableReason.MALFORMED


def test_vectors_of_different_lengths_are_malformed():
    assert answer([[1.0], [1.0, 2.0]], path="/embed").reason is UnusableReason.MALFORMED
