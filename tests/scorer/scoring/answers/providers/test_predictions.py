"""Predictions of TensorFlow Serving, MLflow and Vertex AI."""

from __future__ import annotations

import json

import pytest

from scorer.scoring.answers import Extracted, Surface, Unusable, UnusableReason, extract


def read(body: object, path: str = "/invocations") -> Extracted | Unusable:
    return extract(
        path=path,
        content_type="application/json",
        status=200,
        request_body=b'{"inputs": ["x"]}',
        response_body=json.dumps(body).encode(),
    )


def test_each_text_is_a_choice() -> None:
    found = read({"predictions": ["Paris", "Rome"]})
    assert isinstance(found, Extracted)
    assert found.surface is Surface.TFSERVING_PREDICT
    assert [choice.text for choice in found.choices] == ["Paris", "Rome"]


@pytest.mark.parametrize("values", [[1, 0, 1], [{"label": "spam", "p": 0.5}], {"total": [3]}, ["a", 1], [[["deep"]]]])
def test_other_values_are_structured_data(values: object) -> None:
    found = read({"predictions": values})
    assert isinstance(found, Extracted)
    assert found.first.structured == values


def test_embeddings_of_vertex_ai_are_vectors() -> None:
    rows = [{"embeddings": {"values": [0.5, 1.0], "statistics": {"token_count": 2}}}]
    found = read({"predictions": rows, "metadata": {}}, "/v1/projects/p/locations/l/publishers/google/models/e:predict")
    assert isinstance(found, Extracted)
    assert found.vectors == ((0.5, 1.0),)


@pytest.mark.parametrize("values", [[], 3, [{"bytesBase64Encoded": "A"}]])
def test_pictures_and_empty_predictions_are_not_compared(values: object) -> None:
    found = read({"predictions": values})
    assert isinstance(found, Unusable)
    assert found.reason is UnusableReason.UNSUPPORTED
