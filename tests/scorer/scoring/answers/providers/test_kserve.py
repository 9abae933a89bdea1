"""KServe tensors and labels."""

from scorer.scoring.answers import UnusableReason
from tests.support.answer_bodies import answer


def test_different_tensors_are_different_content():
    one, other = ({"outputs": [{"name": "n", "datatype": "INT8", "shape": [1], "data": [i]}] * 2} for i in (1, 2))
    assert answer(one).content != answer(other).content


def test_tensors_are_structured_data_and_a_single_float_output_is_vectors():
    tensors = [
        {"name": "ids", "datatype": "INT64", "shape": [2, 2], "data": [1, 2, 3, 4]},
        {"name": "p", "datatype": "FP32", "shape": [1, 2], "data": [[0.5, 0.25]]},
    ]
    found = answer({"model_name": "m", "outputs": tensors})
    assert found.structured == {"ids": [[1, 2], [3, 4]], "p": [[0.5, 0.25]]}
    assert found.vectors == ((0.5, 0.25),)
    assert answer({"outputs": [tensors[0] | {"shape": [3]}]}).reason is UnusableReason.MALFORMED


def test_a_single_integer_output_is_a_label(load):
    assert load("kserve_infer_label").answer().label == "3"
    assert load("kserve_infer_vectors").answer().vectors == ((0.25, 0.5, -1.0), (0.0, 2.0, 4.0))
