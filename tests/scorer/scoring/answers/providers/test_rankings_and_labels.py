import pytest

from scorer.scoring.answers import UnusableReason
from tests.support.answer_bodies import answer


def test_a_ranking_in_document_order_is_sorted():
    results = [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": 0.9}]
    assert answer({"results": results}).ranking == ((1, 0.9), (0, 0.1))


@pytest.mark.parametrize("index", [-1, "0", True, None, 1])
def test_a_ranking_with_an_invalid_index_is_malformed(index):
    results = [{"index": 1, "score": 0.1}, {"index": index, "score": 0.2}]
    assert answer(results, path="/rerank").reason is UnusableReason.MALFORMED


def test_a_batch_of_predictions_has_one_label_a_line():
    rows = [[{"label": "a", "score": 0.1}, {"label": "b", "score": 0.9}], [{"label": "a", "score": 1}]]
    assert answer(rows).label == "b\na"
