"""The format of predictions of TensorFlow Serving, which KServe v1, MLflow, Databricks and Vertex AI use too.

Sources: tensorflow.org/tfx/serving/api_rest, mlflow.org/docs (Deploy MLflow Model as a Local Inference Server),
cloud.google.com/vertex-ai/docs (Get text embeddings).
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Choice, Expectation, Extracted, Surface
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.shared_fields import vectors_of
from scorer.scoring.answers.strict_json import MAX_CHOICES, clean_value, dump, mapping, too_large, unsupported

_PICTURES = ("bytesBase64Encoded", "gcsUri")


def is_document(value: object, _: Surface) -> bool:
    found = value.get("predictions") if isinstance(value, dict) else None
    return isinstance(found, list | dict) and bool(found)


def document(value: object, expected: Expectation) -> Extracted:
    """Read one prediction for each input: texts, vectors, or any other values, which are structured data."""
    found = mapping(value, "body")["predictions"]
    rows = found if isinstance(found, list) else [found]
    if any(isinstance(row, dict) and any(name in row for name in _PICTURES) for row in rows):
        raise unsupported("a prediction that is a picture")
    if all(isinstance(row, str) for row in rows):
        return Extracted(Surface.TFSERVING_PREDICT, _texts(rows, expected))
    vectors = [_vector(row) for row in rows]
    if all(vector is not None for vector in vectors):
        return Extracted(Surface.TFSERVING_PREDICT, vectors=vectors_of(list(vectors)))
    structured = clean_value(found)
    return Extracted(Surface.TFSERVING_PREDICT, (Choice(dump(structured), structured=structured),))


def _texts(rows: list[object], expected: Expectation) -> tuple[Choice, ...]:
    if len(rows) > MAX_CHOICES:
        raise too_large(f"more than {MAX_CHOICES} texts")
    return tuple(ChoiceBuilder([str(row)], finish="stop").build(expected) for row in rows)


def _vector(row: object) -> list[object] | None:
    """Return a list of numbers, also as Vertex AI's embeddings contain it, or None."""
    if isinstance(row, dict) and isinstance(row.get("embeddings"), dict):
        row = row["embeddings"].get("values")
    numbers = isinstance(row, list) and bool(row) and all(isinstance(one, int | float) for one in row)
    return row if numbers and isinstance(row, list) else None
