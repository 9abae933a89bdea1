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


@pytest.mark.parametrize("score", [0.25, 0.5])
def test_the_score_of_a_single_text_is_the_answer(score):
    found = answer({"object": "list", "data": [{"index": 0, "object": "score", "score": score}]}, path="/score")
    assert found.ranking == ()
    assert found.first.structured == {"score": score}


def test_a_class_without_a_label_is_its_number():
    rows = [{"index": 0, "label": None, "probs": [0.25, 0.75]}, {"index": 1, "label": "b", "probs": [0.75, 0.25]}]
    assert answer({"data": rows}, path="/classify").label == "1\nb"


def test_a_class_without_probabilities_is_malformed():
    assert answer({"data": [{"label": None, "probs": []}]}, path="/classify").reason is UnusableReason.MALFORMED
